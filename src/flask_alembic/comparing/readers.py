"""Which reader a database has."""

from __future__ import annotations

import typing as t

import sqlalchemy as sa

from .facts import Reader
from .mysql import MySQLReader
from .postgresql import PostgreSQLReader
from .sqlite import SQLiteReader

if t.TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext

_READERS: t.Final[dict[str, t.Callable[[sa.Connection], Reader | None]]] = {
    "postgresql": PostgreSQLReader.find,
    "sqlite": SQLiteReader.find,
    "mysql": MySQLReader.find,
    "mariadb": MySQLReader.find,
}


def find_reader(context: MigrationContext) -> Reader | None:
    """The reader for a database.

    :param context: The context of the database.
    :return: ``None`` if there is none, and SQLAlchemy has to read table by table.
    """
    find = _READERS.get(context.dialect.name)
    return find(t.cast(sa.Connection, context.connection)) if find else None
