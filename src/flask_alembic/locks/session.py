"""A session outside of the app's pool, used as the driver has it: what is sent is no
more than what is written.
"""

from __future__ import annotations

import select
import threading
import time
import typing as t
from contextlib import contextmanager
from contextlib import suppress

from ..beside import beside_failed
from ..beside import open_beside
from .kinds import FRESH

if t.TYPE_CHECKING:
    import sqlalchemy as sa


class _Idle:
    """Sessions of some engines that are kept for the next lock, where a process locks
    many schemas of a database, one after the other.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sessions: dict[sa.Engine, list[RawSession]] = {}

    @contextmanager
    def keeping(self, engine: sa.Engine) -> t.Iterator[None]:
        """Keep the sessions of an engine for a while.

        :param engine: The engine, which nobody else uses.
        """
        with self._lock:
            kept = self._sessions[engine] = []

        try:
            yield
        finally:
            with self._lock:
                del self._sessions[engine]

            for session in kept:
                session.close()

    def take(self, connection: sa.Connection, database: str) -> RawSession:
        """A session that is kept, or a new one.

        :param connection: A connection to the same database.
        :param database: The name of the database.
        :return: The session.
        """
        with self._lock:
            if kept := self._sessions.get(connection.engine):
                return kept.pop()

        return RawSession(connection, database)

    def give_back(self, session: RawSession) -> None:
        """Keep a session that is outside of a transaction, or close it.

        :param session: The session.
        """
        with self._lock:
            kept = self._sessions.get(session.engine)

            if kept is not None and not session.is_broken:
                kept.append(session)
                return

        session.close()


class RawSession:
    """A session on PostgreSQL, whose driver begins no transaction by itself.

    :param connection: A connection to the same database.
    :param database: The name of the database.
    :raises ConnectionFailed: If there can't be another one.
    """

    def __init__(self, connection: sa.Connection, database: str) -> None:
        self._database = database
        self.engine: sa.Engine = connection.engine
        self._opened = open_beside(connection, database)
        self._driver: t.Any = self._opened.driver
        self.is_broken: bool = False
        self._answered = 0.0

        try:
            with self._told():
                self._prepare()
        except BaseException:
            self.close()
            raise

    def send(self, statement: str) -> bool:
        """Send a statement by the simple protocol: no portal of it stays open.

        :param statement: SQL that is one statement.
        :return: Whether it had a row.
        :raises ConnectionFailed: If the database does not answer.
        """
        with self._told():
            if self.engine.dialect.driver == "asyncpg":
                # A cursor of SQLAlchemy's prepares each statement.
                status: str = self._driver.run_async(lambda c: c.execute(statement))
                return status == "SELECT 1"

            cursor = self._driver.cursor()

            try:
                cursor.execute(statement)
                return bool(cursor.description and cursor.fetchall())
            finally:
                cursor.close()

    def check(self) -> None:
        """See whether it is still there. A server that ends a session says so without
        being asked: while nothing is to be read, an answer of just now holds.

        :raises ConnectionFailed: If it isn't.
        """
        is_fresh = time.monotonic() - self._answered < FRESH

        if not (is_fresh and self._is_silent()):
            self.send("SELECT 1")
            self._answered = time.monotonic()

    def rows(self, statement: str) -> list[t.Any]:
        """Ask something, outside of a transaction.

        :param statement: SQL that is one statement.
        :return: The rows.
        """
        with self._told():
            cursor = self._driver.cursor()

            try:
                cursor.execute(statement)
                return list(cursor.fetchall())
            finally:
                cursor.close()

    def close(self) -> None:
        """End the session, whatever state it is in."""
        with suppress(Exception):
            self._opened.close(is_broken=self.is_broken)

    def _is_silent(self) -> bool:
        """Whether the server has sent nothing, as far as the driver can tell."""
        if not hasattr(select, "poll"):
            return False  # on Windows

        with self._told():
            try:
                socket = self._driver.fileno()
            except (AttributeError, NotImplementedError):
                return False  # a driver that shows none

            poll = select.poll()
            poll.register(socket, select.POLLIN)
            return not poll.poll(0)

    def _prepare(self) -> None:
        # What a hook of the engine's has set is to last.
        self._driver.commit()
        self._driver.autocommit = True

        if self.engine.dialect.driver == "psycopg":
            # It prepares what it has sent a few times.
            driver: t.Any = self.engine.dialect.get_driver_connection(self._driver)
            driver.prepare_threshold = None

    @contextmanager
    def _told(self) -> t.Iterator[None]:
        try:
            yield
        except Exception as error:
            self.is_broken = True
            raise beside_failed(error, self.engine, self._database) from None


idle: t.Final = _Idle()
