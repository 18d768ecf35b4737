"""Which kind of database a snapshot is of."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    import sqlalchemy as sa

    from .kinds import Schema
    from .text import Snapshot
    from .text import Statement

_DIALECTS: t.Final = frozenset({"mariadb", "mysql", "postgresql", "sqlite"})


class _Kind(t.NamedTuple):
    schema: t.Callable[[sa.Connection], Schema]
    load: t.Callable[[sa.Connection, t.Sequence[Statement]], None]
    drop: t.Callable[[sa.Connection, t.Iterable[str]], None]


def _kind(connection: sa.Connection) -> _Kind:
    """What there is for a kind of database. That of the others is not loaded."""
    dialect = connection.dialect.name

    if dialect == "postgresql":
        from .postgresql import schema as postgresql

        return _Kind(postgresql.PostgreSQLSchema, postgresql.load, postgresql.drop)

    if dialect == "sqlite":
        from . import sqlite

        return _Kind(sqlite.SQLiteSchema, sqlite.load, sqlite.drop)

    from .mysql import schema as mysql

    return _Kind(mysql.MySQLSchema, mysql.load, mysql.drop)


def loads_in_parts(connection: sa.Connection, snapshot: Snapshot) -> bool:
    """Whether a part of a snapshot would be kept if loading it failed: because DDL is
    committed, or because it is too much for one transaction.

    :param connection: A connection.
    :param snapshot: The snapshot.
    :return: ``True`` if it would.
    """
    if connection.dialect.name == "postgresql":
        from .postgresql.schema import PART

        return len(snapshot.statements) > PART

    return connection.dialect.name != "sqlite"


def can_snapshot(connection: sa.Connection) -> bool:
    """Whether there are snapshots of a kind of database.

    :param connection: A connection to one.
    :return: ``True`` if there are.
    """
    return connection.dialect.name in _DIALECTS


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
    return _kind(connection).schema(connection)


def load(connection: sa.Connection, snapshot: Snapshot, version_table: str) -> None:
    """Load a snapshot.

    :param connection: A connection to a database that is empty but for the version
        table, and tables beside it.
    :param snapshot: The snapshot.
    :param version_table: The name of the version table, which is made anew if it is in
        the snapshot.
    """
    made = [s.title for s in snapshot.statements if s.is_table(version_table)]
    kind = _kind(connection)
    kind.drop(connection, made)
    kind.load(connection, snapshot.statements)


def drop_loaded(connection: sa.Connection, snapshot: Snapshot) -> None:
    """Drop what was loaded of a snapshot, where a rollback does not.

    :param connection: A connection to a database that held nothing else.
    :param snapshot: The snapshot.
    """
    titles = [statement.title for statement in snapshot.statements]
    _kind(connection).drop(connection, titles)
