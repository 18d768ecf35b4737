"""The lock on MySQL and MariaDB: a named one of the session that migrates. The server
frees it when it is done with the session, not when the client is: a statement of a
process that was killed goes on, and takes effect.
"""

from __future__ import annotations

import re
import time
import typing as t
from contextlib import ExitStack
from contextlib import suppress

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import SQLAlchemyError

from .. import alembic_internals
from ..listening import listening
from ..lock_reports import LockHolder
from ..run_errors import LockLost
from .kinds import digest
from .kinds import FRESH
from .kinds import version_table

if t.TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext

    from .kinds import Key

_WHERE: t.Final = "SELECT DATABASE(), @@hostname, @@port, @@datadir"
_SESSION: t.Final = (
    "SELECT user, host FROM information_schema.processlist WHERE id = {}"
)
_ATTRIBUTES: t.Final = (
    "SELECT attr_name, attr_value FROM performance_schema.session_connect_attrs"
    " WHERE processlist_id = {}"
)


# What may free a lock: RELEASE_ALL_LOCKS(), and what is not seen of a routine.
_DOUBTFUL: t.Final = re.compile(r"release_|\bcall\b|\bexecute\b", re.IGNORECASE)


class _Watch:
    """Sees whether a lock can be lost that a session holds, without asking the server:
    it goes with the session, or by a statement.

    :param connection: The session.
    """

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self._stack = ExitStack()
        self._session: t.Any = None
        self._confirmed = 0.0

    def begin(self) -> None:
        """Watch it from now on."""
        listeners = {"before_cursor_execute": self._before}
        self._stack.enter_context(listening(self._connection, listeners))

    def end(self) -> None:
        """Watch it no more."""
        self._stack.close()

    @property
    def is_certain(self) -> bool:
        """Whether the lock is ours, as the server said a moment ago: the session is the
        same, and nothing ran on it that may have freed the lock.
        """
        is_fresh = time.monotonic() - self._confirmed < FRESH
        is_there = is_fresh and not self._connection.invalidated
        return is_there and self._driver is self._session

    def confirm(self) -> None:
        """Note that the server says so."""
        self._session = self._driver
        self._confirmed = time.monotonic()

    @property
    def _driver(self) -> t.Any:
        return self._connection.connection.dbapi_connection

    def _before(
        self, connection: t.Any, cursor: t.Any, statement: str, *args: t.Any
    ) -> None:
        if _DOUBTFUL.search(statement):
            self._session = None


class MySQLLock:
    """``GET_LOCK``, whose names are the server's: they tell databases apart.

    :param context: The context of a database.
    :param database: Its name.
    """

    def __init__(self, context: MigrationContext, database: str) -> None:
        self.database: str = database
        self._context = context
        self._connection = t.cast(sa.Connection, context.connection)
        (schema, *server), *_ = self._rows(_WHERE)
        hashed = digest([str(schema), *version_table(context)]).hex()
        # MySQL takes 64 characters.
        self._name = f"flask_alembic:{hashed[:40]}"
        self._watch = _Watch(self._connection)
        self.key: Key = ("mysql", self._name, *map(str, server))
        self.table: Key = ()

    def try_acquire(self) -> bool:
        """Take it."""
        is_ours = bool(self._scalar(f"SELECT GET_LOCK('{self._name}', 0)"))

        if is_ours:
            self._watch.begin()

        return is_ours

    def holder(self) -> LockHolder | None:
        """The session, and what it said of itself when it connected."""
        session = self._scalar(f"SELECT IS_USED_LOCK('{self._name}')")

        if session is None:
            return None

        user, place = next(iter(self._rows(_SESSION.format(session))), (None, None))
        attributes: dict[str, t.Any] = {}

        # Most servers of MariaDB don't collect them, and not everybody may read them.
        with suppress(DBAPIError):
            attributes = {k: v for k, v in self._rows(_ATTRIBUTES.format(session))}

        pid = str(attributes.get("_pid", ""))
        return LockHolder(
            pid=int(pid) if pid.isdecimal() else None,
            host=place and str(place).partition(":")[0],
            application=attributes.get("program_name"),
            session=session,
            user=user,
        )

    def how_to_end(self, holder: LockHolder) -> str | None:
        """End its session."""
        return f"KILL {holder.session}"

    def check(self) -> None:
        """Ask the server, where it may say no."""
        if self._watch.is_certain:
            return

        try:
            is_ours = self._scalar(
                f"SELECT IS_USED_LOCK('{self._name}') = CONNECTION_ID()"
            )
        except DBAPIError as error:
            raise self._lost() from error

        if is_ours != 1:
            raise self._lost()

        self._watch.confirm()

    def release(self) -> None:
        """Free it, or end a connection that does not answer: in the app's pool it would
        keep the lock for ever.
        """
        self._watch.end()

        try:
            if not self._connection.invalidated:
                self._scalar(f"SELECT RELEASE_LOCK('{self._name}')")
        except SQLAlchemyError:
            with suppress(SQLAlchemyError):
                self._connection.invalidate()

    def _lost(self) -> LockLost:
        return LockLost(
            f"The lock on the database '{self.database}' is lost: its session was"
            " ended, or a revision freed it.",
            database=self.database,
            hint="Another run may have begun. Look where the database is, by 'flask db"
            " current', and run the same command again.",
        )

    def _scalar(self, statement: str) -> t.Any:
        (row,) = self._rows(statement)
        return row[0]

    def _rows(self, statement: str) -> list[t.Any]:
        """Ask, and leave no transaction behind: Alembic must not find one."""
        is_ours = not alembic_internals.in_external_transaction(self._context)

        try:
            return [tuple(r) for r in self._connection.exec_driver_sql(statement)]
        finally:
            if is_ours and not self._connection.invalidated:
                self._connection.rollback()
