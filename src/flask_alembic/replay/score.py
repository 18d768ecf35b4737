"""What is executed for one revision: its tape, and what is written down of it, as texts
in which the names of our tables and the time are left open. They are made once for all
databases of a kind. Nothing is executed here.
"""

from __future__ import annotations

import os
import typing as t
from dataclasses import dataclass
from dataclasses import field

import sqlalchemy as sa
from sqlalchemy.schema import CreateTable

from .. import alembic_internals
from ..applied_log import what_ran
from ..applied_log import who
from ..applied_table import usual_table
from ..own_tables import journal_name
from ..own_tables import utc_now
from ..steps import step_direction
from ..steps import step_key
from ..steps import step_name
from ..steps import step_script
from ..version_rows import Ledger

if t.TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext
    from alembic.runtime.migration import MigrationStep

    from ..database_run import DatabaseRun
    from ..tapes import Kind
    from ..tapes import Tape

Change = tuple[str | None, str | None]

# What is left open. No text of a database holds such a character.
_NOW: t.Final = "\0n"
_SECONDS: t.Final = "\0s"


@dataclass(frozen=True)
class Score:
    """One revision, from where a database stands."""

    tape: Tape
    lock_timeout: float
    """How long a statement waits for a table, in seconds; 0 for as long as it takes."""

    heads: frozenset[str]
    """Where it leads: ids in the version table."""

    is_first: bool
    """Whether the version table may be missing."""

    changes: tuple[str, ...]
    """What changes the version table, a row each."""

    note: str
    """What notes that it was applied."""

    check: str
    """What fails if the version table is not as it should be."""

    texts: dict[int | None, list[str]] = field(default_factory=dict, compare=False)
    """The statements with what sets their timeouts, by the usual timeout."""


@dataclass(frozen=True)
class Tables:
    """Our tables on databases of a kind, as they stand in statements."""

    version: str
    column: str
    """The column of the version table."""
    history: str | None
    """``None`` where nothing is noted."""
    journal: str
    create_version: str
    """What makes the version table where it is missing."""
    create_history: str
    """What makes the history."""

    def fill(self, text: str, seconds: str) -> str:
        """A statement that can be executed.

        :param text: A text of a score.
        :param seconds: How long the revision took, as SQL.
        :return: The statement.
        """
        now = utc_now()
        filled = text.replace(_NOW, now.isoformat(" ", "microseconds"))
        return filled.replace(_SECONDS, seconds)


def _make_tables(context: MigrationContext, *, has_history: bool) -> Tables:
    column = alembic_internals.version_column(context)
    dialect, version = context.dialect, column.table
    preparer = dialect.identifier_preparer
    history = usual_table(context) if has_history else None
    journal = sa.Table(journal_name(context), sa.MetaData(), schema=version.schema)

    def create(table: sa.Table) -> str:
        made = CreateTable(table, if_not_exists=table is version)
        return str(made.compile(dialect=dialect))

    return Tables(
        preparer.format_table(version),
        preparer.format_column(column),
        None if history is None else preparer.format_table(history),
        preparer.format_table(journal),
        create(version),
        "" if history is None else create(history),
    )


class Scores:
    """The scores of one process. Threads share them."""

    def __init__(self) -> None:
        self._known: dict[t.Any, Score] = {}
        self._tables: dict[tuple[Kind, bool], Tables] = {}

    def tables(self, database: DatabaseRun, kind: Kind) -> Tables:
        """The names of our tables.

        :param database: A database.
        :param kind: Its kind.
        :return: The names, as they are on all databases of the kind.
        """
        key = kind, database.settings.history

        if key not in self._tables:
            self._tables[key] = _make_tables(
                database.context, has_history=database.settings.history
            )

        return self._tables[key]

    def find(
        self,
        database: DatabaseRun,
        step: MigrationStep,
        tape: Tape,
        heads: frozenset[str],
        tables: Tables,
    ) -> Score:
        """The score of a step.

        :param database: The database to play it on.
        :param step: The step.
        :param tape: What it executes.
        :param heads: The ids in the version table.
        :param tables: Our tables there.
        :return: The score.
        """
        # What is noted of this process is not true in one that it forked.
        dialect = database.context.dialect.name
        # Settings may change from call to call, and the revisions stay the same.
        timeout = database.settings.ddl_lock_timeout
        key = os.getpid(), dialect, step_key(step), heads, tables, id(tape), timeout
        score = self._known.get(key)

        if score is None:
            score = self._known[key] = _make_score(database, step, tape, heads, tables)

        return score


def _make_score(
    database: DatabaseRun,
    step: MigrationStep,
    tape: Tape,
    heads: frozenset[str],
    tables: Tables,
) -> Score:
    context = database.context
    ledger = Ledger(context, heads)
    ledger.update_to_step(t.cast(t.Any, step))
    changes = ledger.changes
    write = Writer(context.dialect, tables)
    return Score(
        tape,
        database.settings_of(step).ddl_lock_timeout,
        frozenset(ledger.heads),
        not heads,
        tuple(map(write.change, changes)),
        write.note(step) if tables.history else "",
        write.check(changes),
    )


class Writer:
    """Writes statements with values in them.

    :param dialect: That of the database.
    :param tables: Our tables there.
    """

    def __init__(self, dialect: sa.Dialect, tables: Tables) -> None:
        string: t.Any = sa.String()
        self._text = string.literal_processor(dialect)
        # What SQLAlchemy doubles for the driver, which gets no values here.
        self._is_doubled = dialect.paramstyle in ("format", "pyformat")
        self._tables = tables

    def change(self, change: Change) -> str:
        """What changes the version table."""
        gone, new = (None if id_ is None else self.literal(id_) for id_ in change)
        table, column = self._tables.version, self._tables.column

        if gone is None:
            return f"INSERT INTO {table} ({column}) VALUES ({new})"

        if new is None:
            return f"DELETE FROM {table} WHERE {column} = {gone}"

        return f"UPDATE {table} SET {column} = {new} WHERE {column} = {gone}"

    def check(self, changes: t.Iterable[Change]) -> str:
        """What fails if that had no effect."""
        table, column = self._tables.version, self._tables.column
        rows = f"SELECT count(*) FROM {table} WHERE {column} ="
        tests = [
            f"({rows} {self.literal(id_)}) = {count}"
            for change in changes
            for id_, count in zip(change, (0, 1), strict=True)
            if id_ is not None
        ]
        return f"SELECT 1 / CAST({' AND '.join(tests) or 'true'} AS integer)"

    def note(self, step: MigrationStep) -> str:
        """What notes that a revision was applied."""
        facts = {
            "revision": step_name(step),
            "direction": step_direction(step),
            **what_ran(step_script(step)),
            **who(),
            "applied_at": _NOW,
        }
        values = ", ".join(map(self.literal, facts.values()))
        columns = ", ".join(facts)
        return (
            f"INSERT INTO {self._tables.history} ({columns}, seconds)"
            f" VALUES ({values}, {_SECONDS})"
        )

    def literal(self, value: t.Any) -> str:
        """A value as SQL."""
        if value is None:
            return "NULL"

        if isinstance(value, int):
            return str(value)

        found: str = self._text(value)
        return found.replace("%%", "%") if self._is_doubled else found
