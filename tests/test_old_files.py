"""What Flask-Alembic 3 left behind carries on: files, folders, version tables."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask

from apps import Apps
from apps import todo_metadata
from conftest import Cli
from conftest import tables
from flask_alembic import Alembic
from servers import Databases

FIRST = '''"""add todo

Revision ID: 1690000001
Revises:
"""
from typing import Sequence, Union

from alembic import op
import sqlalchemy as sa


revision: str = "1690000001"
down_revision: Union[str, Sequence[str], None] = None
branch_labels: Union[str, Sequence[str], None] = ("default",)
depends_on: Union[str, Sequence[str], None] = None


def upgrade() -> None:
    op.create_table(
        "todo",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )


def downgrade() -> None:
    op.drop_table("todo")
'''

SECOND = '''"""add text

Revision ID: 1690000002
Revises: 1690000001
"""
from alembic import op
import sqlalchemy as sa

revision = "1690000002"
down_revision = "1690000001"
branch_labels = ()
depends_on = None


def upgrade():
    with op.batch_alter_table("todo") as batch:
        batch.add_column(sa.Column("text", sa.String(length=50), nullable=True))


def downgrade():
    with op.batch_alter_table("todo") as batch:
        batch.drop_column("text")
'''

MULTI = '''"""add tables

Revision ID: 1690000001
Revises:
"""
from alembic import op
import sqlalchemy as sa

revision = "1690000001"
down_revision = None
branch_labels = ("default",)
depends_on = None


def upgrade(engine_name: str) -> None:
    globals()["upgrade_%s" % engine_name]()


def downgrade(engine_name: str) -> None:
    globals()["downgrade_%s" % engine_name]()


def upgrade_default() -> None:
    op.create_table("todo", sa.Column("id", sa.Integer(), primary_key=True))


def downgrade_default() -> None:
    op.drop_table("todo")


def upgrade_auth() -> None:
    op.create_table("account", sa.Column("id", sa.Integer(), primary_key=True))


def downgrade_auth() -> None:
    op.drop_table("account")
'''

TEMPLATE = '''"""${message}

Revises: ${down_revision | comma,n}
"""
from alembic import op
import sqlalchemy as sa
${imports if imports else ""}

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


def upgrade():
    ${upgrades if upgrades else "pass"}


def downgrade():
    ${downgrades if downgrades else "pass"}
'''

MULTI_TEMPLATE = '''<%
import re
%>"""${message}

Revises: ${down_revision | comma,n}
"""
from alembic import op
import sqlalchemy as sa
${imports if imports else ""}

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


def upgrade(engine_name):
    globals()["upgrade_%s" % engine_name]()


def downgrade(engine_name):
    globals()["downgrade_%s" % engine_name]()

% for name in re.split(r",\\s*", config.get_main_option("databases")):

def upgrade_${name}():
    ${context.get("%s_upgrades" % name, "pass")}


def downgrade_${name}():
    ${context.get("%s_downgrades" % name, "pass")}

% endfor
'''


def left_behind(folder: Path, template: str, *revisions: str) -> None:
    """Write a migrations folder as it was left."""
    folder.mkdir(parents=True)
    (folder / "script.py.mako").write_text(template)

    for number, text in enumerate(revisions, 1):
        (folder / f"169000000{number}_change.py").write_text(text)


def applied(url: str, revision: str, *statements: str) -> None:
    """Make a database as it was left: its tables, and Alembic's version table."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)

    with engine.begin() as connection:
        for statement in (
            "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL,"
            " CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))",
            f"INSERT INTO alembic_version VALUES ('{revision}')",
            *statements,
        ):
            connection.execute(sa.text(statement))


@pytest.fixture
def old(apps: Apps, url: str) -> tuple[Flask, Alembic, str]:
    """An app with the files, and a database at the first revision, on each server."""
    app = apps.flask("old")
    left_behind(Path(app.root_path, "migrations"), TEMPLATE, FIRST, SECOND)
    applied(
        url,
        "1690000001",
        "CREATE TABLE todo (id INTEGER NOT NULL, PRIMARY KEY (id))",
        "INSERT INTO todo (id) VALUES (7)",
    )
    app, alembic = apps.plain(url, name="old")
    return app, alembic, url


def version(url: str) -> list[str]:
    """What the version table holds, asked on a connection of the test's own."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)

    with engine.connect() as connection:
        statement = sa.text("SELECT version_num FROM alembic_version")
        return list(connection.scalars(statement))


def test_history(old: tuple[Flask, Alembic, str]) -> None:
    """The files are read as they are, and the database is known."""
    app, alembic, _ = old

    with app.app_context():
        assert [script.revision for script in alembic.log()] == [
            "1690000002",
            "1690000001",
        ]
        assert [script.doc for script in alembic.current()] == ["add todo"]
        assert alembic.heads()[0].branch_labels == {"default"}
        assert alembic.needs_upgrade()
        (found,) = alembic.check().databases
        assert found.is_behind


def test_goes_on(old: tuple[Flask, Alembic, str]) -> None:
    """An upgrade goes on from where the database is, keeps its rows, and a new revision
    revises the last one.
    """
    app, alembic, url = old

    with app.app_context():
        report = alembic.upgrade()
        assert [step.revision for step in report.steps] == ["1690000002"]

    assert version(url) == ["1690000002"]

    with app.app_context():
        assert alembic.check().ok

    metadata = todo_metadata()
    metadata.tables["todo"].append_column(sa.Column("done", sa.Boolean))
    alembic.metadatas = {"default": metadata}

    with app.app_context():
        written = alembic.revision("add done")
        assert [change.text for change in written.changes] == ["add column todo.done"]
        (script,) = written
        assert script is not None
        assert script.down_revision == "1690000002"
        assert int(script.revision) > 1690000002
        alembic.upgrade()
        assert alembic.check().ok

    assert version(url) == [script.revision]
    engine = sa.create_engine(url, poolclass=sa.NullPool)

    with engine.connect() as connection:
        rows = connection.execute(sa.text("SELECT id, text, done FROM todo")).all()
        assert rows == [(7, None, None)]


def test_goes_back(old: tuple[Flask, Alembic, str]) -> None:
    """A downgrade goes all the way back, and up again."""
    app, alembic, url = old

    with app.app_context():
        alembic.upgrade()
        alembic.downgrade("base")

    assert tables(url) == {"alembic_version"}
    assert version(url) == []

    with app.app_context():
        alembic.upgrade()
        assert alembic.check().ok

    assert tables(url) == {"alembic_version", "todo"}


def test_old_template(apps: Apps, sqlite_url: str) -> None:
    """The template that lies in the folder is the one that is used."""
    folder = Path(apps.flask("old").root_path, "migrations")
    left_behind(folder, TEMPLATE)
    app, alembic = apps.plain(sqlite_url, name="old")

    with app.app_context():
        (script,) = alembic.revision("add todo")

    assert script is not None
    assert "\ndef upgrade():\n" in Path(script.path).read_text()
    assert (folder / "script.py.mako").read_text() == TEMPLATE


def test_commands(old: tuple[Flask, Alembic, str], db: Cli) -> None:
    """The commands that a deployment runs do what they did."""
    app, _, url = old
    result = db(app, "current")
    assert (result.exit_code, result.output) == (
        0,
        "default: <base> -> 1690000001 (default), add todo\n",
    )
    assert db(app, "current", "--check-heads").exit_code == 1
    assert db(app, "upgrade").exit_code == 0
    assert version(url) == ["1690000002"]
    # A timestamp is an id, and no count of steps.
    assert db(app, "downgrade", "1690000001").exit_code == 0
    assert version(url) == ["1690000001"]
    assert db(app, "upgrade", "1690000002").exit_code == 0
    assert db(app, "check").exit_code == 0
    assert db(app, "upgrade").exit_code == 0


def test_branch_folders(apps: Apps, sqlite_url: str) -> None:
    """Branches that were begun in folders of their own go on there."""
    app = apps.flask("old")
    left_behind(Path(app.root_path, "migrations"), TEMPLATE, FIRST)
    users = Path(app.root_path, "users")
    users.mkdir()
    (users / "1690000005_users.py").write_text(
        '"""add users"""\n'
        'revision = "1690000005"\n'
        "down_revision = None\n"
        'branch_labels = ("users",)\n'
        'depends_on = "1690000001"\n'
        "def upgrade(): pass\n"
        "def downgrade(): pass\n"
    )
    applied(sqlite_url, "1690000001", "CREATE TABLE todo (id INTEGER PRIMARY KEY)")
    locations = [("users", "users")]
    app, alembic = apps.plain(
        sqlite_url, name="old", ALEMBIC={"version_locations": locations}
    )

    with app.app_context():
        alembic.upgrade()
        (script,) = alembic.revision("more users", empty=True, branch="users")
        assert script is not None
        assert Path(script.path).parent == users
        assert script.down_revision == "1690000005"
        (script,) = alembic.revision("more", empty=True)
        assert script is not None
        assert script.down_revision == "1690000001"


# Several databases


def account() -> sa.MetaData:
    metadata = sa.MetaData()
    sa.Table("account", metadata, sa.Column("id", sa.Integer, primary_key=True))
    return metadata


def id_only() -> sa.MetaData:
    metadata = sa.MetaData()
    sa.Table("todo", metadata, sa.Column("id", sa.Integer, primary_key=True))
    return metadata


@pytest.fixture
def two(apps: Apps, databases: Databases) -> tuple[Flask, Alembic, dict[str, str]]:
    """An app with the files of two databases, on each server."""
    urls = {"default": databases.make(), "auth": databases.make()}
    app = apps.flask("old")
    left_behind(Path(app.root_path, "migrations"), MULTI_TEMPLATE, MULTI)
    app, alembic = apps.several(
        urls, {"default": id_only(), "auth": account()}, name="old"
    )
    return app, alembic, urls


def test_two_databases(two: tuple[Flask, Alembic, dict[str, str]]) -> None:
    """Each database gets its part of the old files, up and down."""
    app, alembic, urls = two

    with app.app_context():
        alembic.upgrade()
        assert alembic.check().ok

    assert tables(urls["default"]) == {"alembic_version", "todo"}
    assert tables(urls["auth"]) == {"account", "alembic_version"}

    with app.app_context():
        alembic.downgrade("base")

    assert tables(urls["default"]) == tables(urls["auth"]) == {"alembic_version"}


def test_two_databases_go_on(two: tuple[Flask, Alembic, dict[str, str]]) -> None:
    """Databases that are at the head stay there, and the old template writes the next
    revision for both.
    """
    app, alembic, urls = two
    create = "CREATE TABLE {} (id INTEGER NOT NULL, PRIMARY KEY (id))"
    applied(urls["default"], "1690000001", create.format("todo"))
    applied(urls["auth"], "1690000001", create.format("account"))
    metadata = account()
    metadata.tables["account"].append_column(sa.Column("email", sa.String(20)))
    alembic.metadatas = {"default": todo_metadata(), "auth": metadata}

    with app.app_context():
        assert not alembic.needs_upgrade()
        assert alembic.upgrade().steps == ()
        written = alembic.revision("more columns")
        assert [(change.database, change.text) for change in written.changes] == [
            ("default", "add column todo.text"),
            ("auth", "add column account.email"),
        ]
        (script,) = written
        assert script is not None
        assert script.down_revision == "1690000001"
        assert "globals()" in Path(script.path).read_text()
        alembic.upgrade()
        assert alembic.check().ok

    assert version(urls["default"]) == version(urls["auth"]) == [script.revision]


def test_default_database_only(apps: Apps, databases: Databases) -> None:
    """Where commands used to look at the default database only, one that was left
    behind is found, and catches up.
    """
    urls = {"default": databases.make(), "auth": databases.make()}
    app = apps.flask("old")
    left_behind(Path(app.root_path, "migrations"), MULTI_TEMPLATE, MULTI)
    applied(
        urls["default"],
        "1690000001",
        "CREATE TABLE todo (id INTEGER NOT NULL, PRIMARY KEY (id))",
    )
    app, alembic = apps.several(
        urls, {"default": id_only(), "auth": account()}, name="old"
    )

    with app.app_context():
        assert alembic.needs_upgrade()
        report = alembic.upgrade()
        assert [(step.database, step.revision) for step in report.steps] == [
            ("auth", "1690000001")
        ]
        assert alembic.check().ok

    assert tables(urls["auth"]) == {"account", "alembic_version"}
