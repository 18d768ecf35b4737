"""Indexes of PostgreSQL that ``CREATE INDEX CONCURRENTLY`` left behind when it failed:
they are there, and of no use, and in the way of a second try.
"""

from __future__ import annotations

import logging
import typing as t
from contextlib import contextmanager

import sqlalchemy as sa

from .ddl.effects import index_of
from .listening import listening
from .own_statements import is_own
from .own_statements import own
from .own_statements import plain_text
from .sql_words import quoted

if t.TYPE_CHECKING:
    from .ddl.words import Effect

_log = logging.getLogger("flask_alembic")

# https://www.postgresql.org/docs/current/sql-createindex.html#SQL-CREATEINDEX-CONCURRENTLY
_FIND: t.Final = sa.text(
    "SELECT n.nspname FROM pg_catalog.pg_index i"
    " JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid"
    " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    " WHERE i.indrelid = to_regclass(:table) AND c.relname = :name"
    " AND NOT i.indisvalid"
)


@contextmanager
def dropping(connection: sa.Connection) -> t.Iterator[None]:
    """For a while, drop what is left of a failed index before it is made again.

    :param connection: A connection of any database.
    """
    if connection.dialect.name != "postgresql":
        yield
        return

    with listening(connection, {"before_cursor_execute": _drop_invalid}):
        yield


def schema_of_invalid(connection: sa.Connection, index: Effect) -> str | None:
    """Where an index lies that is not valid.

    :param connection: A connection to PostgreSQL.
    :param index: An index of a table.
    :return: Its schema, or ``None`` if there is no such index, or a valid one.
    """
    values = {"table": quoted(index.schema, index.table), "name": index.name}

    with own():
        found: str | None = connection.execute(_FIND, values).scalar()

    return found


def _drop_invalid(
    connection: sa.Connection,
    cursor: t.Any,
    statement: str,
    parameters: t.Any,
    context: t.Any,
    executemany: bool,
) -> None:
    if is_own() or "concurrently" not in statement.lower():
        return

    made = index_of(plain_text(statement, context), folds_names=True)

    if made is None or not made[1]:
        return

    index = made[0]
    schema = schema_of_invalid(connection, index)

    if schema is not None:
        _log.warning(
            "The index %s of %s is left of a try that failed, and not valid. It is"
            " dropped.",
            index.name,
            index.table,
        )
        name = quoted(schema, index.name).replace(":", "\\:")

        with own():
            connection.execute(sa.text(f"DROP INDEX CONCURRENTLY {name}"))
