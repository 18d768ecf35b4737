"""What is run instead of a statement that was done before, and what it answers."""

from __future__ import annotations

import typing as t

from ..own_statements import SKIPPED
from ..sql_words import is_data
from ..sql_words import returns_rows

if t.TYPE_CHECKING:
    from .table import Entry


class _Answer:
    """A cursor that answers as the statement did, when it was run.

    :param cursor: The cursor of a statement that does nothing.
    :param entry: What is noted of the statement.
    """

    def __init__(self, cursor: t.Any, entry: Entry) -> None:
        self._cursor = cursor
        self.rowcount = -1 if entry.rowcount is None else entry.rowcount
        self.lastrowid = entry.lastrowid

    def __getattr__(self, name: str) -> t.Any:
        return getattr(self._cursor, name)


def skip(
    cursor: t.Any, statement: str, context: t.Any, entry: Entry, table: str
) -> str | None:
    """Let a statement be skipped.

    :param cursor: The cursor that it was to run on.
    :param statement: The statement.
    :param context: The execution context that SQLAlchemy's events get.
    :param entry: What is noted of it.
    :param table: A table, which is only named.
    :return: The text to run instead; ``None`` if nothing can stand in for it, as it
        returned rows.
    """
    context.cursor = _Answer(cursor, entry)

    # SQLAlchemy asks for the key of a new row by itself. Whoever asks for it gets none.
    if getattr(context.compiled, "implicit_returning", None) and not _is_many(context):
        nulls = ", ".join("NULL" for _ in context.compiled.effective_returning)
        return f"SELECT {nulls} {SKIPPED} FROM (SELECT 1) AS nothing WHERE 1 = 0"

    if is_data(statement) and returns_rows(statement):
        return None

    dialect = context.dialect.name

    if dialect in ("mariadb", "mysql"):
        # LAST_INSERT_ID() in the next statement is to be the same, too.
        id_ = entry.lastrowid
        return f"DO {f'LAST_INSERT_ID({id_})' if id_ else '0'} {SKIPPED}"

    if dialect == "postgresql":
        return f"DO $$BEGIN {SKIPPED} END$$"

    return f"DELETE {SKIPPED} FROM {table} WHERE 0"


def _is_many(context: t.Any) -> bool:
    return getattr(context.execute_style, "name", "") == "INSERTMANYVALUES"
