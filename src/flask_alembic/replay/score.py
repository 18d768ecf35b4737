"""What is executed for one revision on one database: its tape, and what is written down
of it. As texts; nothing is executed here.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.schema import CreateTable

from .. import alembic_internals

if t.TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext

    from ..tapes import Tape

Change = tuple[str | None, str | None]
Literal = t.Callable[[t.Any], str]


@dataclass(frozen=True)
class Score:
    """One revision on one database."""

    tape: Tape
    changes: t.Sequence[Change]
    """What happens to the version table: pairs of an id that goes and one that comes.
    """
    history: t.Mapping[str, t.Any]
    """The columns of the row that tells what was applied; none if it is not noted."""
    is_first: bool
    """Whether the version table may be missing."""
    lock_timeout: float
    """How long a statement waits for a table, in seconds; 0 for as long as it takes."""


class Writer:
    """Writes statements for our own tables, with values in them.

    :param context: The context of the database.
    :param history: The table of applied revisions, if there is one.
    """

    def __init__(self, context: MigrationContext, history: sa.Table | None) -> None:
        self._dialect = context.dialect
        self._column = alembic_internals.version_column(context)
        self._history = history
        preparer = self._dialect.identifier_preparer
        self.version_table: str = preparer.format_table(self._version_table)
        self.version_column: str = preparer.format_column(self._column)
        text = sa.String().literal_processor(self._dialect)
        self._text = t.cast(Literal, text)
        # What SQLAlchemy doubles for the driver, which gets no values here.
        self._is_doubled = self._dialect.paramstyle in ("format", "pyformat")

    def create_version_table(self) -> str:
        """What makes the version table where it is missing."""
        create = CreateTable(self._version_table, if_not_exists=True)
        return str(create.compile(dialect=self._dialect))

    def change(self, change: Change) -> str:
        """What changes the version table.

        :param change: What goes, and what comes.
        :return: A statement.
        """
        gone, new = (None if id_ is None else self.literal(id_) for id_ in change)
        table, column = self.version_table, self.version_column

        if gone is None:
            return f"INSERT INTO {table} ({column}) VALUES ({new})"

        if new is None:
            return f"DELETE FROM {table} WHERE {column} = {gone}"

        return f"UPDATE {table} SET {column} = {new} WHERE {column} = {gone}"

    def note(self, history: t.Mapping[str, t.Any], seconds: str) -> str:
        """What notes that a revision was applied.

        :param history: Column to value.
        :param seconds: How long it took, as SQL.
        :return: A statement.
        """
        table = self._dialect.identifier_preparer.format_table(self._history)
        values = ", ".join(map(self.literal, history.values()))
        columns = ", ".join(history)
        return f"INSERT INTO {table} ({columns}, seconds) VALUES ({values}, {seconds})"

    def literal(self, value: t.Any) -> str:
        """A value as SQL.

        :param value: A text, a number, a time or nothing.
        :return: SQL.
        """
        if value is None:
            return "NULL"

        if isinstance(value, int):
            return str(value)

        if isinstance(value, datetime):
            value = value.isoformat(" ", "microseconds")

        found = self._text(value)
        return found.replace("%%", "%") if self._is_doubled else found

    @property
    def _version_table(self) -> sa.Table:
        return t.cast(sa.Table, self._column.table)
