"""The table of applied revisions, beside the version table: where it is, and its rows.
When a row is written is not known here.
"""

from __future__ import annotations

import typing as t
from contextlib import contextmanager
from contextlib import nullcontext
from dataclasses import dataclass
from dataclasses import fields
from datetime import UTC
from functools import lru_cache

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from . import alembic_internals
from .history_reports import HistoryEntry
from .own_tables import history_name
from .own_tables import is_model
from .own_tables import table_options
from .sqlite import end_failed_commit

if t.TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext

LENGTH: t.Final = 255
"""How many characters a text in the table has at most."""

_SECRETIVE: t.Final = ("mariadb", "mysql")

# Where the version table is, which may be in any schema of the search path, or would
# be; and whether ours is there.
_POSTGRESQL: t.Final = sa.text(
    """
    SELECT n.nspname, EXISTS (
        SELECT FROM pg_class AS own
        WHERE own.relnamespace = n.oid AND own.relname = :own
    )
    FROM pg_namespace AS n
    WHERE n.oid = coalesce(
        (
            SELECT relnamespace FROM pg_class
            WHERE oid = to_regclass(quote_ident(CAST(:version AS text)))
        ),
        (SELECT oid FROM pg_namespace WHERE nspname = current_schema())
    )
    """
)


@dataclass(frozen=True)
class AppliedTable:
    """The table of one database."""

    table: sa.Table
    is_there: bool


def find(context: MigrationContext) -> AppliedTable:
    """Find the table, or the place for it.

    :param context: The context of a database, which is connected.
    :return: The table, whether or not it is there.
    """
    connection = t.cast(sa.Connection, context.connection)
    name, schema = history_name(context), context.version_table_schema
    translated = connection.get_execution_options().get("schema_translate_map") or {}
    schema = translated.get(schema, schema)

    if schema is None and context.dialect.name == "postgresql":
        found = connection.execute(
            _POSTGRESQL, {"own": name, "version": context.version_table}
        ).one_or_none()
        schema, is_there = found or (None, False)
    else:
        is_there = has_table(connection, name, schema)

    table = _table(name, schema, context.dialect.name)
    return AppliedTable(table, is_there and not is_model(context, name))


def usual_table(context: MigrationContext) -> sa.Table | None:
    """The table where it is on a database that we made: beside the version table.

    :param context: The context of a database.
    :return: The table; ``None`` if the models have one of that name.
    """
    name = history_name(context)

    if is_model(context, name):
        return None

    return _table(name, context.version_table_schema, context.dialect.name)


def has_table(connection: sa.Connection, name: str, schema: str | None) -> bool:
    """Whether there is a table that can be seen.

    :param connection: A connection.
    :param name: The table's name.
    :param schema: Its schema, or ``None`` for the default one.
    :return: ``True`` if there is.
    """
    try:
        return sa.inspect(connection).has_table(name, schema=schema)
    except DBAPIError as error:
        # MariaDB and MySQL tell nobody of a table who has no right to it.
        if error.connection_invalidated or connection.dialect.name not in _SECRETIVE:
            raise

        return False


def read_entries(context: MigrationContext, database: str) -> list[HistoryEntry]:
    """What is noted of a database.

    :param context: Its context.
    :param database: Its name.
    :return: The entries, newest first; none if there is no such table.
    """
    found = find(context)

    if not found.is_there:
        return []

    columns = found.table.c
    query = sa.select(found.table).order_by(columns.id.desc())
    connection = t.cast(sa.Connection, context.connection)
    return [_entry(database, row) for row in connection.execute(query).mappings()]


@dataclass(frozen=True)
class Noted:
    """What the newest row of a revision says."""

    id: int
    revision: str
    direction: str
    parents: tuple[str, ...]
    checksum: str | None
    file_hash: str | None

    @property
    def is_applied(self) -> bool:
        """Whether it was applied or stamped, and not undone since."""
        return self.direction != "downgrade"


def read_newest(context: MigrationContext) -> dict[str, Noted]:
    """The newest row of each revision. Where the table is missing, or can't be read,
    there is none.

    :param context: The context of a database.
    :return: Id to what is noted.
    """
    try:
        with undone(context):
            return {noted.revision: noted for noted in _read_noted(context)}
    except DBAPIError as error:
        if error.connection_invalidated:
            raise

        return {}


def _read_noted(context: MigrationContext) -> list[Noted]:
    found = find(context)

    if not found.is_there:
        return []

    columns = [found.table.c[field.name] for field in fields(Noted)]
    query = sa.select(*columns).order_by(found.table.c.id)
    connection = t.cast(sa.Connection, context.connection)
    rows = connection.execute(query).mappings()
    return [Noted(**{**row, "parents": split(row["parents"])}) for row in rows]


@contextmanager
def undone(context: MigrationContext) -> t.Iterator[None]:
    """Try a statement. If it fails, the connection can be used all the same; PostgreSQL
    answers nothing after an error, until that is rolled back.

    :param context: The context of a database, not in a transaction of ours.
    """
    connection = t.cast(sa.Connection, context.connection)
    is_external = alembic_internals.in_external_transaction(context)
    is_nested = is_external and context.dialect.name == "postgresql"

    try:
        with connection.begin_nested() if is_nested else nullcontext():
            yield
    except DBAPIError:
        if not is_external:
            connection.rollback()
            end_failed_commit(connection)

        raise


def _entry(database: str, row: sa.RowMapping) -> HistoryEntry:
    return HistoryEntry(
        database=database,
        revision=row["revision"],
        direction=row["direction"],
        applied_at=row["applied_at"].replace(tzinfo=UTC),
        seconds=row["seconds"],
        run_by=row["run_by"],
        host=row["host"],
        pid=row["pid"],
        version=row["version"],
        parents=split(row["parents"]),
        checksum=row["checksum"],
    )


def split(parents: str | None) -> tuple[str, ...]:
    """The ids in a text.

    :param parents: The ids, joined by a comma.
    :return: The ids.
    """
    return tuple(id_.strip() for id_ in (parents or "").split(",") if id_.strip())


# The same one is looked for several times, and by many databases.
@lru_cache(maxsize=64)
def _table(name: str, schema: str | None, dialect: str) -> sa.Table:
    return sa.Table(
        name,
        sa.MetaData(),
        # Not a sequence of its own, which would need rights of its own.
        sa.Column("id", sa.Integer, sa.Identity(), primary_key=True),
        sa.Column("revision", sa.String(LENGTH), nullable=False),
        sa.Column("direction", sa.String(16), nullable=False),
        sa.Column("applied_at", sa.DateTime, nullable=False),
        sa.Column("seconds", sa.Float, nullable=False),
        sa.Column("run_by", sa.String(LENGTH)),
        sa.Column("host", sa.String(LENGTH), nullable=False),
        sa.Column("pid", sa.Integer, nullable=False),
        sa.Column("version", sa.String(64), nullable=False),
        sa.Column("parents", sa.Text, nullable=False),
        sa.Column("checksum", sa.String(80)),
        sa.Column("file_hash", sa.String(64)),
        schema=schema,
        **table_options(dialect),
    )
