"""What lasts of the statements on a connection, if it is rolled back or lost now."""

from __future__ import annotations

import re
import typing as t
from contextlib import contextmanager

from sqlalchemy import event

if t.TYPE_CHECKING:
    import sqlalchemy as sa

_COMMENTS: t.Final = r"(?:\s|--[^\n]*\n|#[^\n]*\n|/\*.*?\*/)*"

# MariaDB and MySQL commit before and after these, and so all that ran before them.
# https://mariadb.com/kb/en/sql-statements-that-cause-an-implicit-commit/
_COMMITS: t.Final = re.compile(
    _COMMENTS
    + r"(?:alter|analyze|create|drop|grant|optimize|rename|revoke|truncate)\b",
    re.IGNORECASE | re.DOTALL,
)
_READS: t.Final = re.compile(
    _COMMENTS + r"(?:begin|desc|describe|explain|pragma|select|set|show)\b",
    re.IGNORECASE | re.DOTALL,
)


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
        if not _READS.match(statement):
            is_saved = self._commits_ddl and _COMMITS.match(statement)
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

        for name, listener in listeners.items():
            event.listen(connection, name, listener)

        try:
            yield
        finally:
            for name, listener in listeners.items():
                event.remove(connection, name, listener)

    def _before(
        self, connection: t.Any, cursor: t.Any, statement: str, *args: t.Any
    ) -> None:
        self.sent = " ".join(statement.split())
        # The commit before the statement stays, whether or not the statement fails.
        self._commit_implicitly(statement)

    def _after(
        self, connection: t.Any, cursor: t.Any, statement: str, *args: t.Any
    ) -> None:
        self.sent = None

        if not _READS.match(statement):
            self._statements.append(" ".join(statement.split()))
            self._commit_implicitly(statement)

    def _commit(self, connection: t.Any) -> None:
        self._kept = slice(self._start, len(self._statements))
        self.complete = max(len(self._steps) - 1, 0)
        self.kept_of = self._steps[-1] if self._steps else None

    def _commit_implicitly(self, statement: str) -> None:
        if not self._rolls_back_ddl and _COMMITS.match(statement):
            self._commit(None)
