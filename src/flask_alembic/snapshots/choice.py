"""Which kind of database a snapshot is of."""

from __future__ import annotations

import typing as t

from .kinds import Schema
from .mysql.schema import drop as drop_mysql
from .mysql.schema import load as load_mysql
from .mysql.schema import MySQLSchema
from .postgresql.schema import drop as drop_postgresql
from .postgresql.schema import load as load_postgresql
from .postgresql.schema import PART
from .postgresql.schema import PostgreSQLSchema
from .sqlite import drop as drop_sqlite
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
_DROPS: t.Final[dict[str, t.Callable[..., None]]] = {
    "mariadb": drop_mysql,
    "mysql": drop_mysql,
    "postgresql": drop_postgresql,
    "sqlite": drop_sqlite,
}


def loads_in_parts(connection: sa.Connection, snapshot: Snapshot) -> bool:
    """Whether a part of a snapshot would be kept if loading it failed: because DDL is
    committed, or because it is too much for one transaction.

    :param connection: A connection.
    :param snapshot: The snapshot.
    :return: ``True`` if it would.
    """
    if connection.dialect.name == "postgresql":
        return len(snapshot.statements) > PART

    return connection.dialect.name != "sqlite"


def can_snapshot(connection: sa.Connection) -> bool:
    """Whether there are snapshots of a kind of database.

    :param connection: A connection to one.
    :return: ``True`` if there are.
    """
    return connection.dialect.name in _SCHEMAS


def kind_of(engine: sa.Engine) -> str:
    """What kind of database an engine is for. Whether it is MariaDB or MySQL is known
    only when it was connected to, so both are called the same.

    :param engine: The engine.
    :return: The kind, as files are called by it.
    """
    return "mysql" if engine.dialect.name == "mariadb" else engine.dialect.name


def schema_of(connection: sa.Connection) -> Schema:
    """What is in a database.

    :param connection: A connection to a database that there are snapshots of.
    :return: Its schema.
    """
    return _SCHEMAS[connection.dialect.name](connection)


def load(connection: sa.Connection, snapshot: Snapshot, version_table: str) -> None:
    """Load a snapshot.

    :param connection: A connection to a database that is empty but for the version
        table, and tables beside it.
    :param snapshot: The snapshot.
    :param version_table: The name of the version table, which is made anew if it is in
        the snapshot.
    """
    made = [s.title for s in snapshot.statements if s.is_table(version_table)]
    _DROPS[connection.dialect.name](connection, made)
    _LOADS[connection.dialect.name](connection, snapshot.statements)


def drop_loaded(connection: sa.Connection, snapshot: Snapshot) -> None:
    """Drop what was loaded of a snapshot, where a rollback does not.

    :param connection: A connection to a database that held nothing else.
    :param snapshot: The snapshot.
    """
    titles = [statement.title for statement in snapshot.statements]
    _DROPS[connection.dialect.name](connection, titles)
