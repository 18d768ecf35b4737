"""Notes which rows of a cursor somebody looks at."""

from __future__ import annotations

import typing as t
from dataclasses import replace

if t.TYPE_CHECKING:
    from .tape import Taped


class Fetches:
    """Stands in for a cursor that has executed a statement.

    :param cursor: The driver's cursor.
    """

    def __init__(self, cursor: t.Any) -> None:
        self._cursor = cursor
        self._rows: list[tuple[t.Any, ...]] = []
        self._was_asked = False
        self._is_whole = False

    def __getattr__(self, name: str) -> t.Any:
        return getattr(self._cursor, name)

    def __iter__(self) -> t.Iterator[t.Any]:
        return iter(self.fetchall())

    def fetchone(self) -> t.Any:
        """One row, or ``None``."""
        row = self._cursor.fetchone()
        self._note([] if row is None else [row], is_whole=row is None)
        return row

    def fetchmany(self, *size: int) -> t.Any:
        """Some rows."""
        rows = self._cursor.fetchmany(*size)
        self._note(rows, is_whole=not rows)
        return rows

    def fetchall(self) -> t.Any:
        """All rows that are left."""
        rows = self._cursor.fetchall()
        self._note(rows, is_whole=True)
        return rows

    def noted(self, taped: Taped) -> Taped:
        """A statement, with what was looked at.

        :param taped: The statement.
        :return: The same if nobody looked.
        """
        if not self._was_asked:
            return taped

        return replace(taped, rows=tuple(self._rows), is_whole=self._is_whole)

    def _note(self, rows: t.Iterable[t.Any], *, is_whole: bool) -> None:
        self._was_asked = True
        self._is_whole |= is_whole
        self._rows += [tuple(row) for row in rows]
