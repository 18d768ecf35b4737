"""Emptying a throw-away database that the user has named."""

from __future__ import annotations

import typing as t

from ..snapshots.kinds import ask
from ..snapshots.kinds import execute
from ..snapshots.mysql.session import quoted
from ..snapshots.mysql.session import session
from ..snapshots.postgresql.catalog import FIRST_OID
from ..snapshots.postgresql.catalog import users

if t.TYPE_CHECKING:
    import sqlalchemy as sa

# The schema "public" stays: it has rights that a new one would not have.
_IN_PUBLIC: t.Final = "{}.oid >= " + str(FIRST_OID) + " AND n.nspname = 'public'"
_POSTGRESQL: t.Final = (
    f"SELECT format('DROP EXTENSION IF EXISTS %I CASCADE', extname)"
    f" FROM pg_extension WHERE oid >= {FIRST_OID}",
    f"SELECT format('DROP SCHEMA %I CASCADE', n.nspname) FROM pg_namespace AS n"
    f" WHERE n.nspname NOT LIKE 'pg\\_%' AND {users('pg_namespace', 'n')}",
    "SELECT format('DROP %s IF EXISTS public.%I CASCADE', CASE c.relkind"
    " WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE'"
    " WHEN 'c' THEN 'TYPE' ELSE 'TABLE' END, c.relname)"
    " FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace"
    f" WHERE c.relkind NOT IN ('i', 'I') AND {_IN_PUBLIC.format('c')}"
    # Those of columns go with the table.
    " ORDER BY c.relkind = 'S'",
    "SELECT format('DROP ROUTINE IF EXISTS %s CASCADE', p.oid::regprocedure)"
    " FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace"
    f" WHERE {_IN_PUBLIC.format('p')} AND {users('pg_proc', 'p')}",
    "SELECT format('DROP TYPE IF EXISTS public.%I CASCADE', y.typname)"
    " FROM pg_type AS y JOIN pg_namespace AS n ON n.oid = y.typnamespace"
    f" WHERE y.typtype IN ('d', 'e', 'r') AND {_IN_PUBLIC.format('y')}",
    "SELECT format('DROP COLLATION public.%I', c.collname)"
    " FROM pg_collation AS c JOIN pg_namespace AS n ON n.oid = c.collnamespace"
    f" WHERE {_IN_PUBLIC.format('c')}",
)
_MYSQL: t.Final = """
    SELECT CASE table_type WHEN 'VIEW' THEN 'VIEW' WHEN 'SEQUENCE' THEN 'SEQUENCE'
        ELSE 'TABLE' END, table_name
    FROM information_schema.tables WHERE table_schema = DATABASE()
    UNION ALL SELECT routine_type, routine_name
    FROM information_schema.routines WHERE routine_schema = DATABASE()
    UNION ALL SELECT 'EVENT', event_name
    FROM information_schema.events WHERE event_schema = DATABASE()
"""


def empty(connection: sa.Connection) -> None:
    """Drop all that is in a database on a server.

    :param connection: A connection to it.
    """
    if connection.dialect.name == "postgresql":
        _empty_postgresql(connection)
    else:
        _empty_mysql(connection)


def _empty_postgresql(connection: sa.Connection) -> None:
    for query in _POSTGRESQL:
        for row in ask(connection, query):
            execute(connection, row[0])


def _empty_mysql(connection: sa.Connection) -> None:
    with session(connection, {"foreign_key_checks": "0"}):
        for kind, name in ask(connection, _MYSQL):
            execute(connection, f"DROP {kind} IF EXISTS {quoted(name)}")
