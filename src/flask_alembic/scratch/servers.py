"""Making a throw-away database on a server, and dropping it. One that was left by a
process that was killed is dropped by the next.
"""

from __future__ import annotations

import secrets
import typing as t
from contextlib import contextmanager
from contextlib import suppress

import sqlalchemy as sa

from ..snapshots.kinds import ask
from ..snapshots.kinds import execute

PREFIX: t.Final = "flask_alembic_scratch_"

# The session that made one is called by its name, as long as it is there.
_LEFT_POSTGRESQL: t.Final = f"""
    SELECT d.datname FROM pg_database AS d
    WHERE d.datname ~ '^{PREFIX}[0-9a-f]+(_[0-9a-f]+)?$' AND NOT EXISTS (
        SELECT FROM pg_stat_activity AS a WHERE a.datname = d.datname
        OR a.application_name = substring(d.datname, '^{PREFIX}[0-9a-f]+')
    )
"""

# It has a lock of that name, which ends with it.
_LEFT_MYSQL: t.Final = f"""
    SELECT schema_name FROM information_schema.schemata
    WHERE schema_name REGEXP '^{PREFIX}[0-9a-f]+$' AND IS_FREE_LOCK(schema_name) = 1
"""


@contextmanager
def made_database(connection: sa.Connection) -> t.Iterator[str]:
    """Make a database, and drop it at the end.

    :param connection: A connection to the server, which commits each statement from
        now on, and is not to be used by others.
    :return: The name of the database.
    """
    connection.execution_options(isolation_level="AUTOCOMMIT")
    name = f"{PREFIX}{secrets.token_hex(6)}"
    make = _MADE[connection.dialect.name]

    with make(connection, name):
        yield name


@contextmanager
def _postgresql(connection: sa.Connection, name: str) -> t.Iterator[None]:
    execute(connection, f"SET application_name = '{name}'")

    for row in ask(connection, _LEFT_POSTGRESQL):
        _drop_left(connection, row[0])

    execute(connection, f"CREATE DATABASE {name}")

    try:
        yield
    finally:
        execute(connection, f"DROP DATABASE IF EXISTS {name}")


@contextmanager
def _mysql(connection: sa.Connection, name: str) -> t.Iterator[None]:
    ask(connection, f"SELECT GET_LOCK('{name}', 0)")

    for row in ask(connection, _LEFT_MYSQL):
        _drop_left(connection, row[0])

    charset, collation = ask(
        connection, "SELECT @@character_set_database, @@collation_database"
    )[0]
    # Tables that say nothing else get these, here as there.
    execute(
        connection,
        f"CREATE DATABASE {name} CHARACTER SET {charset} COLLATE {collation}",
    )

    try:
        yield
    finally:
        execute(connection, f"DROP DATABASE IF EXISTS {name}")


def _drop_left(connection: sa.Connection, name: str) -> None:
    # It may be another user's, or somebody else drops it.
    with suppress(sa.exc.DBAPIError):
        execute(connection, f"DROP DATABASE {name}")


_MADE: t.Final = {"postgresql": _postgresql, "mysql": _mysql, "mariadb": _mysql}
