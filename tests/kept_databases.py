"""PostgreSQL's databases, emptied after a test and kept for the next one: it takes far
longer to make and to drop one.
"""

from __future__ import annotations

import functools
import secrets
import time
import typing as t
from dataclasses import dataclass

import sqlalchemy as sa

_LONGEST: t.Final = 5.0
"""Seconds that a session may take to end. DROP DATABASE waits as long."""

_MOST_TESTS: t.Final = 100
"""Then it is dropped: what tests delete from the system's tables stays there, dead."""

_USERS: t.Final = """
SELECT pid || ': ' || query FROM pg_stat_activity
WHERE datname = :name AND backend_type = 'client backend'
UNION ALL SELECT 'prepared: ' || gid FROM pg_prepared_xacts WHERE database = :name
"""

# What is in a schema depends on it. What is a part of another thing, as the sequence of
# an identity is, goes with that. Dropping takes more along than it names, so that each
# is looked for anew. The schema "public" stays, for it was there before.
_EMPTY: t.Final = """
DO $$
DECLARE item record;
BEGIN
    LOOP
        SELECT 'SCHEMA' AS type, quote_ident(nspname) AS identity INTO item
        FROM pg_namespace WHERE oid >= 16384 AND nspname !~ '^pg_'
        UNION ALL SELECT 'EXTENSION', quote_ident(extname)
        FROM pg_extension WHERE oid >= 16384
        UNION ALL SELECT replace(i.type, 'composite ', ''), i.identity
        FROM pg_depend AS d, pg_identify_object(classid, objid, 0) AS i
        WHERE refclassid = 'pg_namespace'::regclass
        AND refobjid = 'public'::regnamespace AND deptype = 'n' AND NOT EXISTS (
            SELECT FROM pg_depend AS part WHERE part.classid = d.classid
            AND part.objid = d.objid AND part.deptype = 'i'
        ) LIMIT 1;
        EXIT WHEN NOT FOUND;
        EXECUTE format('DROP %s %s CASCADE', item.type, item.identity);
    END LOOP;
END $$
"""

# A new object is a new row in one of the system's tables. Schemas of temporary tables
# stay, once made, and are empty.
_CONTENT: t.Final = """
SELECT relname, query_to_xml(
    format('SELECT count(*) FROM pg_catalog.%I', relname), false, true, '')::text
FROM pg_class WHERE relnamespace = 'pg_catalog'::regnamespace
AND relkind = 'r' AND NOT relisshared AND relname <> 'pg_namespace'
UNION ALL
SELECT nspname, concat_ws(' ', oid, nspowner, nspacl, obj_description(oid))
FROM pg_namespace WHERE nspname !~ '^pg_'
UNION ALL
SELECT 'database', concat_ws(' ', datdba, datconnlimit, datacl, dattablespace)
FROM pg_database WHERE datname = current_database()
UNION ALL
SELECT 'settings', concat_ws(' ', setrole, setconfig) FROM pg_db_role_setting
WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


@dataclass
class _Kept:
    """A database.

    :param content: What there is in it when it is empty.
    :param tests: How many tests have had it.
    """

    name: str
    engine: sa.Engine
    content: set[tuple[str, ...]]
    tests: int = 0

    def empty(self) -> bool:
        """Drop what a test made: whether all of it is gone."""
        with self.engine.connect() as connection:
            try:
                connection.execute(sa.text(_EMPTY))
            except sa.exc.DBAPIError:
                return False

            return content(connection) == self.content


def content(connection: sa.Connection) -> set[tuple[str, ...]]:
    """What there is in a database. It has not to be understood, only to be compared."""
    return {tuple(row) for row in connection.execute(sa.text(_CONTENT))}


class KeptDatabases:
    """The databases on one server that tests have one after the other.

    :param url: Where the server is.
    """

    def __init__(self, url: sa.URL) -> None:
        self._url = url
        self._engine = _engine(url)
        self._free: list[_Kept] = []
        self._lent: dict[str, _Kept] = {}

    def lend(self) -> str:
        """An empty database: its name."""
        kept = self._free.pop() if self._free else self._make()
        self._lent[kept.name] = kept
        return kept.name

    def take_back(self, name: str) -> None:
        """Empty a database, or drop it if that can't be done.

        :raises AssertionError: If a connection to it was left open.
        """
        kept = self._lent.pop(name)
        self._wait_until_alone(name)
        kept.tests += 1

        if kept.tests < _MOST_TESTS and kept.empty():
            self._free.append(kept)
        else:
            self._execute(f"DROP DATABASE {name}")

    def drop_all(self) -> None:
        """Leave nothing behind."""
        free, self._free = self._free, []

        for kept in free:
            self._execute(f"DROP DATABASE {kept.name}")

    def _make(self) -> _Kept:
        name = f"flask_alembic_test_{secrets.token_hex(6)}"
        self._execute(f"CREATE DATABASE {name}")
        # No test crashes this server: a commit has not to wait for the disk.
        self._execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
        engine = _engine(self._url.set(database=name))

        with engine.connect() as connection:
            return _Kept(name, engine, content(connection))

    def _wait_until_alone(self, name: str) -> None:
        """Sessions end a moment after they were told to."""
        end = time.monotonic() + _LONGEST

        while users := self._users(name):
            assert time.monotonic() < end, f"{name} is still in use: {users}"
            time.sleep(0.01)

    def _users(self, name: str) -> list[str]:
        with self._engine.connect() as connection:
            return list(connection.scalars(sa.text(_USERS), {"name": name}))

    def _execute(self, statement: str) -> None:
        with self._engine.connect() as connection:
            connection.exec_driver_sql(statement)


@functools.cache
def kept_on(url: sa.URL) -> KeptDatabases:
    """The databases that are kept on a server."""
    found = KeptDatabases(url)
    _all_kept.append(found)
    return found


def drop_kept() -> None:
    """Drop all that are kept, when the tests are over."""
    for kept in _all_kept:
        kept.drop_all()


_all_kept: t.Final[list[KeptDatabases]] = []


def _engine(url: sa.URL) -> sa.Engine:
    return sa.create_engine(url, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")
