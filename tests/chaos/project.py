"""An app in a folder, its revisions, and the rows that are there before them."""

from __future__ import annotations

import shutil
import typing as t
from dataclasses import dataclass
from pathlib import Path
from random import Random

import sqlalchemy as sa

from . import hook
from .plan import BROKEN
from .plan import CHILDREN
from .plan import PARENTS
from .plan import Plan
from .plan import Revision

START: t.Final = """\
import chaos_hook
import sqlalchemy as sa
from flask import Flask
from flask_alembic import Alembic

chaos_hook.install()
app = Flask(__name__)


@sa.event.listens_for(sa.engine.Engine, "connect")
def connect(driver, record):
    if {check_keys!r}:
        driver.execute("PRAGMA foreign_keys=ON")


"""

PLAIN: t.Final = """\
Alembic(app, metadatas=sa.MetaData(), engines=sa.create_engine({url!r}))
"""

FLASK_SQLALCHEMY: t.Final = """\
from flask_sqlalchemy import SQLAlchemy
app.config["SQLALCHEMY_DATABASE_URI"] = {url!r}
SQLAlchemy(app)
Alembic(app)
"""

REVISION: t.Final = """\
from alembic import op
import sqlalchemy as sa

revision = {id!r}
down_revision = {down_revision!r}


def upgrade():
{upgrade}


def downgrade():
    raise NotImplementedError
"""


@dataclass(frozen=True)
class Project:
    """A folder with an app, where commands are typed."""

    folder: Path
    url: str
    plan: Plan

    def write(self, random: Random) -> None:
        """Write the app and the revisions."""
        (self.folder / "migrations").mkdir(parents=True)
        shutil.copy(hook.__file__, self.folder / "chaos_hook.py")
        check_keys = self.url.startswith("sqlite") and random.random() < 0.8
        kind = random.choice([PLAIN, FLASK_SQLALCHEMY])
        text = START.format(check_keys=check_keys) + kind.format(url=self.url)
        (self.folder / "app.py").write_text(text)

        for revision in self.plan.revisions:
            self.write_revision(revision)

    def write_revision(self, revision: Revision, broken_at: int | None = None) -> None:
        """Write a revision, with a statement that fails before one of its operations.

        :param revision: The revision.
        :param broken_at: How many operations come before; by default none fails.
        """
        codes = revision.codes

        if broken_at is not None:
            codes.insert(broken_at, BROKEN)

        lines = "\n".join(codes).splitlines()
        text = REVISION.format(
            id=revision.id,
            down_revision=revision.down_revision,
            upgrade="\n".join(f"    {line}" for line in lines),
        )
        (self.folder / "migrations" / f"{revision.id}.py").write_text(text)

    def prepare(self, random: Random) -> None:
        """Make the tables that are there before the first revision, and their rows."""
        engine = sa.create_engine(self.url, poolclass=sa.NullPool)

        if engine.dialect.name == "sqlite" and random.random() < 0.3:
            with engine.connect() as connection:
                connection.exec_driver_sql("PRAGMA journal_mode=WAL")

        metadata = _tables()

        with engine.begin() as connection:
            metadata.create_all(connection)

            for table, rows in self._rows().items():
                connection.execute(metadata.tables[table].insert(), rows)

    def _rows(self) -> dict[str, list[dict[str, t.Any]]]:
        return {
            "tally": [{"revision": id_, "runs": 0} for id_ in self.plan.ids],
            # Not from 0, which MariaDB takes for "the next number".
            "parent": [{"id": 1 + n, "name": f"n{n}"} for n in range(PARENTS)],
            "child": [
                {"id": 1 + n, "parent_id": 1 + n % PARENTS} for n in range(CHILDREN)
            ],
        }


def _tables() -> sa.MetaData:
    metadata = sa.MetaData()
    key = sa.ForeignKey("parent.id", name="fk_child_parent", ondelete="CASCADE")
    sa.Table(
        "tally",
        metadata,
        sa.Column("revision", sa.String(8)),
        sa.Column("runs", sa.Integer),
    )
    sa.Table("note", metadata, sa.Column("text", sa.String(40)))
    sa.Table(
        "parent",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        _name_column(),
    )
    sa.Table(
        "child",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("parent_id", sa.Integer, key, nullable=False),
    )
    return metadata


def _name_column() -> sa.Column[str]:
    return sa.Column("name", sa.String(40))
