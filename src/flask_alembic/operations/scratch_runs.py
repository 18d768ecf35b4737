"""Run the revisions on throw-away databases, and look at what they made."""

from __future__ import annotations

import typing as t
from contextlib import contextmanager
from contextlib import ExitStack
from dataclasses import dataclass

import sqlalchemy as sa
from alembic.runtime.migration import MigrationContext
from alembic.runtime.migration import MigrationStep

from .. import alembic_internals
from ..errors import ConfigurationError
from ..scratch import scratch_connection
from ..snapshots.choice import kind_of
from ..snapshots.content import Content
from ..snapshots.content import content_of
from ..snapshots.text import Rows
from ..version_table import read_heads
from .facade import Facade
from .facade import name_of
from .upgrade import upgrade_work

if t.TYPE_CHECKING:
    from ..databases import Database

Scratches = t.Mapping[str, "Scratch"]
Target = str | t.Sequence[str]


@dataclass(frozen=True)
class Scratch:
    """A database, and where its throw-away database is, if the user says that."""

    database: Database
    url: str | None

    def connection(self) -> t.ContextManager[sa.Connection]:
        """Connect to an empty throw-away database."""
        return scratch_connection(self.database, self.url)


@dataclass(frozen=True)
class Replayed:
    """What the revisions make of an empty database."""

    kind: str
    heads: tuple[str, ...]
    content: Content
    version_table: str


def scratches(
    databases: t.Mapping[str, Database], urls: str | t.Mapping[str, str] | None
) -> Scratches:
    """Which throw-away database stands for which database.

    :param databases: The databases.
    :param urls: What the user says of it.
    :return: Name to both.
    :raises ConfigurationError: If one would stand for several.
    """
    if isinstance(urls, str) and len(databases) > 1:
        raise ConfigurationError(
            "There is one throw-away database for several databases.",
            hint="Name one for each: ALEMBIC['scratch_url'] = {name: URL}. Or choose a"
            " database: --database.",
            key="scratch_url",
        )

    named = dict.fromkeys(databases, urls) if isinstance(urls, str) else urls or {}
    return {
        name: Scratch(database, named.get(name)) for name, database in databases.items()
    }


def replay(
    alembic: Facade,
    selected: Scratches,
    targets: t.Mapping[str, Target],
    rows: t.Callable[[str, str], Rows],
) -> dict[str, Replayed]:
    """Run the revisions on throw-away databases, and see what they made.

    :param alembic: The extension.
    :param selected: The databases.
    :param targets: For each database where to go.
    :param rows: Gets a database and its kind, and tells the tables whose rows are
        wanted.
    :return: Name to what was made.
    """
    if not selected:
        return {}

    works = {name: upgrade_work(alembic, to) for name, to in targets.items()}

    def work(heads: tuple[str, ...], context: MigrationContext) -> list[MigrationStep]:
        return works[name_of(alembic, context)](heads, context)

    with ExitStack() as stack:
        connections = {
            name: stack.enter_context(scratch.connection())
            for name, scratch in selected.items()
        }

        with alembic.using(databases=list(selected)):
            with alembic.use_connection(connections):
                alembic.run_migrations(work)
                standing = {
                    name: (tuple(sorted(read_heads(found, name))), found.version_table)
                    for name, found in alembic.migration_contexts.items()
                }

        return {
            name: _replayed(name, connections[name], *standing[name], rows)
            for name in selected
        }


def _replayed(
    name: str,
    connection: sa.Connection,
    heads: tuple[str, ...],
    version_table: str,
    rows: t.Callable[[str, str], Rows],
) -> Replayed:
    commit_each(connection)
    kind = kind_of(connection.engine)
    content = content_of(connection, rows(name, kind), version_table)
    return Replayed(kind, heads, content, version_table)


@contextmanager
def versioned(alembic: Facade, scratch: Scratch) -> t.Iterator[sa.Connection]:
    """Have a throw-away database with an empty version table, as a run begins with.

    :param alembic: The extension.
    :param scratch: The database.
    :return: A connection to it.
    """
    name = scratch.database.name

    with scratch.connection() as connection:
        with alembic.using(databases=[name]):
            with alembic.use_connection({name: connection}):
                context = alembic.migration_contexts[name]
                alembic_internals.ensure_version_table(context)

        commit_each(connection)
        _leave_unchecked(connection)
        yield connection


def _leave_unchecked(connection: sa.Connection) -> None:
    """Let SQLite not check foreign keys, as in a run: rows come table by table."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA foreign_keys = OFF")


def commit_each(connection: sa.Connection) -> None:
    """Hold no locks longer than needed: PostgreSQL has room for so many only.

    :param connection: A connection to a throw-away database.
    """
    connection.execution_options(isolation_level="AUTOCOMMIT")
