"""Watches the statements of one revision while they run: notes them before and after,
and skips those that an earlier run has done.

Where a transaction covers a statement, it covers the note too. Where none does, the
note is made before the statement, and marked after it: at once, or together with the
next note where the schema can tell. A run that ended in between leaves the mark out;
then the schema is asked.
"""

from __future__ import annotations

import typing as t
from contextlib import contextmanager
from contextlib import suppress

from sqlalchemy.exc import SQLAlchemyError

from ..listening import listening
from ..own_statements import is_own
from ..own_statements import plain_text
from ..sql_words import is_commit
from ..sql_words import is_data
from ..sql_words import is_passing
from ..sql_words import is_rollback
from ..sql_words import Temporary
from . import errors
from .earlier import Earlier
from .skipped import skip
from .table import make_entry

if t.TYPE_CHECKING:
    import sqlalchemy as sa

    from .errors import Place
    from .table import Entry
    from .table import JournalTable

    Answer = tuple[str, t.Any]

    # Position and text of a statement, and what its cursor says of rows and the new id.
    Ran = tuple[int, str, int | None, int | None]

# How a statement and its note belong together.
Mode = t.Literal[
    "beside",  # the note is made after it, in the transaction that is open
    "wrapped",  # so too, in a transaction that is ours
    "marked",  # the note is made before it, and marked after it
    "at commit",  # the note is made when the transaction is committed
]


class Book(t.Protocol):
    """The journal, as the guard needs it."""

    table: JournalTable

    def is_ready(self) -> bool: ...


class Guard:
    """The statements of one revision.

    :param book: The journal of the database.
    :param place: The revision.
    :param entries: What is noted of it, by position.
    """

    def __init__(
        self, book: Book, place: Place, entries: t.Mapping[int, Entry]
    ) -> None:
        self.skipped: list[str] = []
        """The statements that were done before."""
        self._book = book
        self._place = place
        self._earlier = Earlier(book.table, place, entries)
        self._position = 0
        self._running: tuple[int, str, Mode] | None = None
        self._open: list[Ran] = []
        self._unmarked: Entry | None = None
        self._savepoints: list[int] = []
        self._temporary = Temporary()

    @property
    def _connection(self) -> sa.Connection:
        return self._book.table.connection

    @contextmanager
    def listening(self) -> t.Iterator[None]:
        """Watch the connection for a while."""
        listeners: dict[str, t.Callable[..., t.Any]] = {
            "before_cursor_execute": self._before,
            "after_cursor_execute": self._after,
            "commit": self._commit,
            "rollback": self._rollback,
            "savepoint": self._savepoint,
            "rollback_savepoint": self._rollback_savepoint,
            "release_savepoint": self._release_savepoint,
        }

        with listening(
            self._connection, listeners, answering=["before_cursor_execute"]
        ):
            try:
                yield
                self._settle()
                self._earlier.check_schema(self.skipped)
                self._earlier.check_end(self._position)
            except BaseException:
                with suppress(SQLAlchemyError):
                    self._settle()
                    self._mark()

                raise

    def _before(
        self,
        connection: sa.Connection,
        cursor: t.Any,
        statement: str,
        parameters: t.Any,
        context: t.Any,
        executemany: bool,
    ) -> Answer:
        if is_own():
            return statement, parameters

        self._settle()
        text = plain_text(statement, context)

        if is_passing(text) or self._temporary.takes(text):
            self._pass(text)
            return statement, parameters

        self._position += 1
        entry = self._earlier.find(self._position, text)

        if entry is not None:
            self.skipped.append(text)
            instead = skip(cursor, text, context, entry, self._book.table.name)

            if instead is None:
                raise errors.unanswered(self._place, entry)

            return instead, [()] if executemany else ()

        self._earlier.check_schema(self.skipped)
        self._begin(text)
        return statement, parameters

    def _after(
        self,
        connection: sa.Connection,
        cursor: t.Any,
        statement: str,
        parameters: t.Any,
        context: t.Any,
        executemany: bool,
    ) -> None:
        if self._running is None or is_own():
            return

        (position, text, mode), self._running = self._running, None
        ran = position, text, _count(cursor, "rowcount"), _count(cursor, "lastrowid")

        if mode == "at commit":
            # Most are never noted: nothing commits before the end.
            self._open.append(ran)
            return

        entry = _done(ran)

        if mode == "marked":
            self._unmarked = entry

            if not self._earlier.can_be_found_out(entry):
                self._mark()
        else:
            self._book.table.add(self._place.of, [entry])

            if mode == "wrapped":
                self._book.table.execute("COMMIT")

    def _begin(self, statement: str) -> None:
        mode = self._mode(statement)

        if mode != "at commit" and not self._book.is_ready():
            return

        if mode != "marked":
            # With this statement it could be rolled back.
            self._mark()

        self._running = self._position, statement, mode

        if mode == "wrapped":
            self._book.table.execute("BEGIN")
        elif mode == "marked":
            self._add(make_entry(self._position, statement))

    def _mode(self, statement: str) -> Mode:
        if self._book.table.is_autocommit:
            return "wrapped" if is_data(statement) else "marked"

        if self._book.table.commits_ddl:
            return "beside" if is_data(statement) else "marked"

        return "at commit"

    def _add(self, entry: Entry) -> None:
        """Note a statement, and with it that the one before is done."""
        before, self._unmarked = self._unmarked, None
        self._book.table.add(self._place.of, [e for e in (before, entry) if e])

    def _mark(self) -> None:
        """Note that the last statement is done."""
        entry, self._unmarked = self._unmarked, None

        if entry is not None and not self._connection.invalidated:
            self._book.table.finish(self._place.of, entry)
            self._book.table.commit_now()

    def _settle(self) -> None:
        """Take back the note of a statement that failed. If its connection is lost,
        nobody knows whether it did, and the note stays.
        """
        running, self._running = self._running, None

        if running is None or self._connection.invalidated or self._connection.closed:
            return

        position, _, mode = running

        with suppress(SQLAlchemyError):
            if mode == "wrapped":
                self._book.table.execute("ROLLBACK")
            elif mode == "marked":
                self._book.table.remove(self._place.of, position)
                self._book.table.commit_now()

    def _pass(self, statement: str) -> None:
        if is_commit(statement):
            self._commit(self._connection)
        elif is_rollback(statement):
            self._rollback(self._connection)

    def _commit(self, connection: sa.Connection) -> None:
        self._settle()

        if self._open and self._book.is_ready():
            self._book.table.add(self._place.of, map(_done, self._open))

        self._open.clear()

    def _rollback(self, connection: sa.Connection) -> None:
        self._open.clear()

    def _savepoint(self, connection: sa.Connection, name: str | None) -> None:
        self._savepoints.append(len(self._open))

    def _release_savepoint(
        self, connection: sa.Connection, name: str, context: None
    ) -> None:
        self._savepoints.pop()

    def _rollback_savepoint(
        self, connection: sa.Connection, name: str, context: None
    ) -> None:
        del self._open[self._savepoints.pop() :]


def _done(ran: Ran) -> Entry:
    position, statement, rowcount, lastrowid = ran
    return make_entry(position, statement, "done", rowcount, lastrowid)


def _count(cursor: t.Any, name: str) -> int | None:
    value = getattr(cursor, name, None)
    return value if isinstance(value, int) and value >= 0 else None
