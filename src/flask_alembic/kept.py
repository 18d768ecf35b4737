"""What lasts of the statements on a connection, if it is rolled back or lost now."""

from __future__ import annotations

import typing as t
from contextlib import contextmanager

from sqlalchemy import event

from .listening import listening
from .own_statements import is_own
from .own_statements import SKIPPED
from .sql_words import COMMITS
from .sql_words import DDL
from .sql_words import READS

if t.TYPE_CHECKING:
    import sqlalchemy as sa


class Unsaved:
    """Whether something was written on a connection that is not committed.

    :param connection: The connection.
    """

    def __init__(self, connection: sa.Connection) -> None:
        self.is_there: bool = False
        self._commits_ddl = connection.dialect.name in ("mariadb", "mysql")
        event.listen(connection, "after_cursor_execute", self._after)
        event.listen(connection, "commit", self._end)
        event.listen(connection, "rollback", self._end)

    def _after(
        self, connection: t.Any, cursor: t.Any, statement: str, *args: t.Any
    ) -> None:
        if not READS.match(statement):
            is_saved = self._commits_ddl and COMMITS.match(statement)
            self.is_there = not is_saved

    def _end(self, connection: t.Any) -> None:
        self.is_there = False


class StatementLog:
    """The statements that ran on one connection in one transaction of ours, step by
    step.

    :param rolls_back_ddl: Whether the database can.
    """

    def __init__(self, *, rolls_back_ddl: bool) -> None:
        self._rolls_back_ddl = rolls_back_ddl
        self._statements: list[str] = []
        self._running = ""
        self._steps: list[str] = []
        self._start = 0
        self._kept = slice(0)
        self.complete: int = 0
        """How many steps had ended when something was committed meanwhile: they are
        committed, with what they wrote to the version table."""
        self.kept_of: str | None = None
        """The name of the step that the statements are of which last."""
        self.sent: str | None = None
        """The last statement, if it was not answered."""
        self.is_ddl: bool = True
        """Whether all of them are plain DDL, which writes no rows."""

    @property
    def kept(self) -> tuple[str, ...]:
        """The statements that last, if what is open is rolled back now, of a step that
        did not end before that.
        """
        return tuple(self._statements[self._kept])

    def begin_step(self, name: str) -> None:
        """Note which step comes.

        :param name: Its name.
        """
        self._steps.append(name)
        self._start = len(self._statements)

    @contextmanager
    def listening(self, connection: sa.Connection) -> t.Iterator[None]:
        """Note what runs on a connection for a while.

        :param connection: The connection.
        """
        listeners: dict[str, t.Callable[..., t.Any]] = {
            "before_cursor_execute": self._before,
            "after_cursor_execute": self._after,
            "commit": self._commit,
        }

        with listening(connection, listeners):
            yield

    def _before(
        self,
        connection: t.Any,
        cursor: t.Any,
        statement: str,
        parameters: t.Any,
        context: t.Any,
        executemany: bool,
    ) -> None:
        if is_own():
            return

        self.sent = " ".join(statement.split())
        self.is_ddl = self.is_ddl and DDL.match(statement) is not None

        if READS.match(statement):
            return

        self._running = statement
        # The commit before the statement stays, whether or not the statement fails.
        self._commit_implicitly(statement)

    def _after(
        self,
        connection: t.Any,
        cursor: t.Any,
        statement: str,
        parameters: t.Any,
        context: t.Any,
        executemany: bool,
    ) -> None:
        if is_own():
            return

        self.sent = None

        if _is_read(statement):
            return

        self._statements.append(" ".join(self._running.split()))
        self._commit_implicitly(self._running)

        if SKIPPED in statement:
            # It was done by an earlier run.
            self._commit(None)

    def _commit(self, connection: t.Any) -> None:
        self._kept = slice(self._start, len(self._statements))
        self.complete = max(len(self._steps) - 1, 0)
        self.kept_of = self._steps[-1] if self._steps else None

    def _commit_implicitly(self, statement: str) -> None:
        if not self._rolls_back_ddl and COMMITS.match(statement):
            self._commit(None)


def _is_read(statement: str) -> bool:
    return SKIPPED not in statement and READS.match(statement) is not None
