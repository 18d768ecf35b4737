"""Lets statements of revisions give up soon that wait for a table, on PostgreSQL, MySQL
and MariaDB: while one waits, everybody else who needs the table waits behind it. Who
tries again is the runner.
"""

from __future__ import annotations

import math
import typing as t
from contextlib import contextmanager
from contextlib import suppress

from .listening import listening
from .lock_needs import Need
from .lock_needs import need_of
from .own_statements import is_own

if t.TYPE_CHECKING:
    import sqlalchemy as sa

Timed = tuple[str | None, str]

_MYSQL: t.Final = ("mariadb", "mysql")
# The largest values that the servers take.
_MOST_MILLISECONDS: t.Final = 2**31 - 1
_MOST_SECONDS: t.Final = 31536000

_UNKNOWN: t.Final = -1


class TableLocks:
    """The lock timeout of one connection. This one is for databases that have none."""

    usual: int | None = None
    """The timeout without us, in milliseconds; ``None`` if it is left as it is."""

    @contextmanager
    def running(self) -> t.Iterator[None]:
        """Leave the connection as it was, after a run."""
        yield

    @contextmanager
    def limited(self, seconds: float) -> t.Iterator[None]:
        """Let statements give up that wait for a table.

        :param seconds: How long they wait; 0 for as long as it takes.
        """
        yield

    def timed(self, statements: t.Iterable[str], seconds: float) -> t.Iterator[Timed]:
        """The statements of one transaction that is begun and committed as text.

        :param statements: The statements.
        :param seconds: How long they wait for a table, as above.
        :return: Each with what sets its timeout, if that is not set already.
        """
        yield from ((None, statement) for statement in statements)


def table_locks(connection: sa.Connection | None) -> TableLocks:
    """What limits the time that statements wait on a connection.

    :param connection: The connection; ``None`` if there is none of ours.
    :return: An object for one run.
    """
    name = "" if connection is None else connection.dialect.name

    if connection is not None and name == "postgresql":
        return _PostgreSQL(connection)

    if connection is not None and name in _MYSQL:
        return _MySQL(connection)

    return TableLocks()


class _MySQL(TableLocks):
    """The timeout is for the lock on the table alone, so that it can hold for all. That
    for rows is another.
    """

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self._is_ours = False
        self._usual = 0
        self._set: tuple[int, t.Any] | None = None

    @contextmanager
    def running(self) -> t.Iterator[None]:
        question = "SELECT @@GLOBAL.lock_wait_timeout, @@SESSION.lock_wait_timeout"
        usual, self._usual = _ask(self._connection, question)

        # The app has set it on the connection otherwise.
        self._is_ours = usual == self._usual

        try:
            with listening(self._connection, {"before_cursor_execute": self._before}):
                yield
        finally:
            if self._is_ours:
                _restore(self._connection, self._statement(self._usual))

    @contextmanager
    def limited(self, seconds: float) -> t.Iterator[None]:
        if self._is_ours:
            # They are whole seconds there.
            wanted = min(math.ceil(seconds), _MOST_SECONDS) or self._usual
            session = self._connection.connection.dbapi_connection

            if self._set != (wanted, session):
                self._connection.exec_driver_sql(self._statement(wanted))
                self._set = wanted, session

        yield

    def _before(
        self, connection: t.Any, cursor: t.Any, statement: str, *args: t.Any
    ) -> None:
        if "lock_wait_timeout" in statement.lower():
            self._set = None

    def _statement(self, seconds: int) -> str:
        return f"SET SESSION lock_wait_timeout = {seconds}"


class _PostgreSQL(TableLocks):
    """Each statement has the timeout that it needs. What is set in a transaction ends
    with it; in ``autocommit_block()`` there is none, and it is set for the session.
    """

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self._is_ours = False
        self._limit: int | None = None
        self._usual = 0
        self._session = 0
        self._local: int | None = None
        self._has_locks = False

    @contextmanager
    def running(self) -> t.Iterator[None]:
        found = _ask(
            self._connection,
            "SELECT setting, source FROM pg_catalog.pg_settings"
            " WHERE name = 'lock_timeout'",
        )

        # The app has set it on the connection; or it is another database that speaks as
        # PostgreSQL does.
        if found is None or found.source in ("client", "session"):
            yield
            return

        self._usual = self._session = self.usual = int(found.setting)
        self._is_ours = True

        with self._listening():
            try:
                yield
            finally:
                if self._session != self._usual:
                    _restore(self._connection, "RESET lock_timeout")

    @contextmanager
    def limited(self, seconds: float) -> t.Iterator[None]:
        milliseconds = min(math.ceil(seconds * 1000), _MOST_MILLISECONDS)
        self._limit = (milliseconds or self._usual) if self._is_ours else None

        try:
            yield
        finally:
            self._limit = None

    def timed(self, statements: t.Iterable[str], seconds: float) -> t.Iterator[Timed]:
        with self.limited(seconds):
            for statement in statements:
                wanted = self._wanted(statement, is_session=False)

                self._local = self._local if wanted is None else wanted
                setting = None if wanted is None else _setting("LOCAL ", wanted)
                yield setting, statement

        self._end(None)

    @contextmanager
    def _listening(self) -> t.Iterator[None]:
        listeners: dict[str, t.Callable[..., t.Any]] = {
            "before_cursor_execute": self._before,
            "commit": self._end,
            "rollback": self._end,
        }

        with listening(self._connection, listeners):
            yield

    def _before(
        self, connection: t.Any, cursor: t.Any, statement: str, *args: t.Any
    ) -> None:
        # One of ours comes between a statement of the revision and its timeout.
        if is_own():
            return

        is_session = self._is_autocommit
        wanted = self._wanted(statement, is_session=is_session)

        if wanted is not None:
            # If it is refused the statement itself is too, and that is told better.
            with suppress(Exception):
                self._set(wanted, is_session=is_session)

    def _wanted(self, statement: str, *, is_session: bool) -> int | None:
        """The timeout to set before a statement, if it is another one than now."""
        if self._limit is None:
            return None

        need = need_of(statement)

        if need in (Need.OWN, Need.END):
            self._limit = None if need is Need.OWN else self._limit
            self._forget()
            return None

        wanted = self._timeout(need, self._limit)
        self._has_locks |= need is Need.LIMIT and not is_session
        now = self._session if is_session or self._local is None else self._local
        return None if wanted == now else wanted

    def _timeout(self, need: Need, limit: int) -> int:
        if self._has_locks or need is Need.LIMIT:
            return limit

        return 0 if need is Need.PATIENCE else self._usual

    def _set(self, wanted: int, *, is_session: bool) -> None:
        scope = "" if is_session else "LOCAL "
        _execute(self._connection, _setting(scope, wanted))

        if is_session:
            self._session = wanted
        else:
            self._local = wanted

    @property
    def _is_autocommit(self) -> bool:
        driver = self._connection.connection.dbapi_connection
        return bool(getattr(driver, "autocommit", False))

    def _end(self, connection: t.Any) -> None:
        self._local = None
        self._has_locks = False

    def _forget(self) -> None:
        self._local = _UNKNOWN


def _setting(scope: str, milliseconds: int) -> str:
    return f"SET {scope}lock_timeout = {milliseconds}"


def _execute(connection: sa.Connection, statement: str) -> None:
    """Execute on a cursor of our own: SQLAlchemy is about to use its one."""
    cursor = connection.connection.cursor()

    try:
        cursor.execute(statement)
    finally:
        cursor.close()


def _ask(connection: sa.Connection, question: str) -> t.Any:
    row = connection.exec_driver_sql(question).one_or_none()
    connection.commit()
    return row


def _restore(connection: sa.Connection, statement: str) -> None:
    if connection.closed or connection.invalidated:
        return

    # If the connection is gone, so is what was set on it.
    with suppress(Exception):
        connection.exec_driver_sql(statement)
        connection.commit()
