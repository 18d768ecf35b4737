"""Which kind of database a snapshot is of."""

from __future__ import annotations

import typing as t

from .kinds import Schema
from .mysql import drop
from .mysql import load as load_mysql
from .mysql import MySQLSchema
from .postgresql.schema import load as load_postgresql
from .postgresql.schema import PostgreSQLSchema
from .sqlite import load as load_sqlite
from .sqlite import SQLiteSchema

if t.TYPE_CHECKING:
    import sqlalchemy as sa

    from .text import Snapshot

_SCHEMAS: t.Final[dict[str, t.Callable[[sa.Connection], Schema]]] = {
    "mariadb": MySQLSchema,
    "mysql": MySQLSchema,
    "postgresql": PostgreSQLSchema,
    "sqlite": SQLiteSchema,
}
_LOADS: t.Final[dict[str, t.Callable[..., None]]] = {
    "mariadb": load_mysql,
    "mysql": load_mysql,
    "postgresql": load_postgresql,
    "sqlite": load_sqlite,
}


def can_snapshot(connection: sa.Connection) -> bool:
    """Whether there are snapshots of a kind of database.

    :param connection: A connection to one.
    :return: ``True`` if there are.
    """
    return connection.dialect.name in _SCHEMAS


def kind_of(engine: sa.Engine) -> str:
    """What kind of database an engine is for. MariaDB is spoken to as MySQL is, and
    tells what it is when it is connected to.

    :param engine: The engine, which has connected.
    :return: The kind, as files are called by it.
    """
    is_mariadb = getattr(engine.dialect, "is_mariadb", False)
    return "mariadb" if is_mariadb else engine.dialect.name


def schema_of(connection: sa.Connection) -> Schema:
    """What is in a database.

    :param connection: A connection to a database that there are snapshots of.
    :return: Its schema.
    """
    return _SCHEMAS[connection.dialect.name](connection)


def load(connection: sa.Connection, snapshot: Snapshot) -> None:
    """Load a snapshot.

    :param connection: A connection to an empty database.
    :param snapshot: The snapshot.
    """
    _LOADS[connection.dialect.name](connection, snapshot.statements)


def drop_loaded(connection: sa.Connection, snapshot: Snapshot) -> None:
    """Drop what was loaded of a snapshot, where a rollback does not.

    :param connection: A connection to a database that held nothing else.
    :param snapshot: The snapshot.
    """
    drop(connection, [statement.title for statement in snapshot.statements])
