"""The commands as an app has them, for the reference in commands.md."""

from flask_alembic.cli.group import DatabaseGroup

db = DatabaseGroup("db")
