"""The lock on PostgreSQL: an advisory lock of a transaction on a connection of its own,
which does nothing else. The server frees it at once when the process is gone, and a
pooler that lends connections for a transaction keeps it where it is.
"""

from __future__ import annotations

import logging
import typing as t
from contextlib import suppress

import sqlalchemy as sa

from .. import alembic_internals
from ..errors import ConnectionFailed
from ..lock_reports import LockHolder
from ..run_errors import LockLost
from .kinds import digest
from .kinds import our_name
from .kinds import read_name
from .kinds import version_table
from .session import idle
from .session import RawSession

if t.TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext

    from .kinds import Key

# The time when the server started tells servers apart.
_WHERE: t.Final = (
    "SELECT current_database(), current_schema(), pg_postmaster_start_time()::text,"
    " current_setting('application_name')"
)
_HOLDER: t.Final = """
SELECT l.pid, a.usename::text, a.application_name,
       coalesce(a.client_hostname, host(a.client_addr)), a.xact_start
FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
  AND l.classid::bigint = {high} AND l.objid::bigint = {low}
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
_TRANSACTION_TIMEOUT_SINCE: t.Final = (17,)

_log = logging.getLogger("flask_alembic")


def postgresql_lock(context: MigrationContext, database: str) -> PostgreSQLLock | None:
    """The lock of a database.

    :param context: The context of a database.
    :param database: Its name.
    :return: The lock; ``None`` where the engine has one connection for all, of which
        another one may be the same.
    """
    # Whoever began the transaction that surrounds us commits after our run.
    if alembic_internals.in_external_transaction(context):
        return PostgreSQLLock(context, database)

    if isinstance(t.cast(sa.Connection, context.connection).engine.pool, sa.StaticPool):
        _log.warning(
            "There is no lock on the database '%s', so nothing keeps two runs apart:"
            " its engine has one connection for all.",
            database,
        )
        return None

    return SeparateLock(context, database)


class PostgreSQLLock:
    """A lock of the transaction that the connection is in. It lasts as long as that.

    :param context: The context of a database.
    :param database: Its name.
    """

    def __init__(self, context: MigrationContext, database: str) -> None:
        self.database: str = database
        self._connection = t.cast(sa.Connection, context.connection)
        row = self._connection.exec_driver_sql(_WHERE).one()
        name, schema, server, self._application = map(str, row)
        own_schema, table = version_table(context)
        hashed = digest([name, own_schema or schema, table])
        self._number = int.from_bytes(hashed[:8], signed=True)
        self.key: Key = ("postgresql", f"{self._number:+020}", server)
        self.table: Key = ()

    def try_acquire(self) -> bool:
        """Take it."""
        statement = f"SELECT pg_try_advisory_xact_lock({self._number})"
        return bool(self._connection.exec_driver_sql(statement).scalar())

    def holder(self) -> LockHolder | None:
        """The session, which tells its process."""
        number = self._number % (1 << 64)
        statement = _HOLDER.format(high=number >> 32, low=number % (1 << 32))
        row = next(iter(self._rows(statement)), None)

        if row is None:
            return None

        session, user, name, address, since = row
        application, pid, host = read_name(name or "")
        return LockHolder(pid, host or address, application, since, session, user)

    def how_to_end(self, holder: LockHolder) -> str | None:
        """End its session."""
        return f"SELECT pg_terminate_backend({holder.session})"

    def check(self) -> None:
        """It is lost with the transaction that we work in."""

    def release(self) -> None:
        """It ends with the transaction."""

    def _rows(self, statement: str) -> t.Sequence[t.Any]:
        return self._connection.exec_driver_sql(statement).all()


class SeparateLock(PostgreSQLLock):
    """A lock on a connection outside of the app's pool.

    Its transaction sees no data, so that ``CREATE INDEX CONCURRENTLY``, which waits for
    all that might see older rows, does not wait for it: statements are sent as they
    are, without parameters and not prepared, at READ COMMITTED.

    :param context: The context of a database.
    :param database: Its name.
    """

    def __init__(self, context: MigrationContext, database: str) -> None:
        super().__init__(context, database)
        self._version = context.dialect.server_version_info or ()
        self._session: RawSession | None = None

    def try_acquire(self) -> bool:
        """Take it. If somebody else has it, no transaction stays behind."""
        if self._session is None:
            self._session = idle.take(self._connection, self.database)

        self._session.send("BEGIN ISOLATION LEVEL READ COMMITTED")
        is_ours = self._session.send(
            f"SELECT 1 WHERE pg_try_advisory_xact_lock({self._number})"
        )

        if is_ours:
            self._settle(self._session)
        else:
            self._session.send("ROLLBACK")

        return is_ours

    def check(self) -> None:
        """See whether the session still answers."""
        try:
            if self._session is not None:
                self._session.check()
        except ConnectionFailed as error:
            raise LockLost(
                f"The lock on the database '{self.database}' is lost: {error}",
                database=self.database,
                hint="Another run may have begun. Look where the database is, by 'flask"
                " db current', and run the same command again.",
            ) from error

    def release(self) -> None:
        """Close the session."""
        session, self._session = self._session, None

        if session is not None:
            # Closing it frees the lock too, but does not wait for that.
            with suppress(ConnectionFailed):
                session.send("ROLLBACK")

            idle.give_back(session)

    def _settle(self, session: RawSession) -> None:
        """Let no timeout end the session, and tell others who we are."""
        session.send("SET LOCAL idle_in_transaction_session_timeout = 0")

        if self._version >= _TRANSACTION_TIMEOUT_SINCE:
            session.send("SET LOCAL transaction_timeout = 0")

        session.send(f"SET LOCAL application_name = '{our_name(self._application)}'")

    def _rows(self, statement: str) -> t.Sequence[t.Any]:
        return [] if self._session is None else self._session.rows(statement)
