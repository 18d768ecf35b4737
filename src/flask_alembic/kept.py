"""What a failed revision leaves behind on a database that can't roll back DDL."""

from __future__ import annotations

import re
import typing as t
from contextlib import contextmanager

from sqlalchemy import event

if t.TYPE_CHECKING:
    import sqlalchemy as sa

# MariaDB and MySQL commit before and after these, and so all that ran before them.
# https://mariadb.com/kb/en/sql-statements-that-cause-an-implicit-commit/
_COMMITS: t.Final = re.compile(
    r"\s*(?:alter|analyze|create|drop|grant|optimize|rename|revoke|truncate)\b",
    re.IGNORECASE,
)
_READS: t.Final = re.compile(
    r"\s*(?:desc|describe|explain|select|show)\b", re.IGNORECASE
)


@contextmanager
def statements_of(connection: sa.Connection) -> t.Iterator[list[str]]:
    """Note the statements that succeed on a connection for a while.

    :param connection: The connection.
    :return: A list that they are added to, without their parameters.
    """
    statements: list[str] = []

    def note(conn: t.Any, cursor: t.Any, statement: str, *args: t.Any) -> None:
        if not _READS.match(statement):
            statements.append(" ".join(statement.split()))

    event.listen(connection, "after_cursor_execute", note)

    try:
        yield statements
    finally:
        event.remove(connection, "after_cursor_execute", note)


def kept_of(statements: t.Sequence[str]) -> tuple[str, ...]:
    """Which statements last, if what is open is rolled back now.

    :param statements: What ran in a transaction, in order.
    :return: All up to the last one that commits by itself.
    """
    last = max(
        (i for i, sql in enumerate(statements, start=1) if _COMMITS.match(sql)),
        default=0,
    )
    return tuple(statements[:last])
