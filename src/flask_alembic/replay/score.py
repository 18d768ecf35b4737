"""What is executed for one revision: its tape, and what is written down of it, as texts
in which the names of our tables and the time are left open. They are made once for all
databases of a kind. Nothing is executed here.
"""

from __future__ import annotations

import os
import typing as t
from dataclasses import dataclass
from dataclasses import field
from datetime import datetime
from datetime import UTC

import sqlalchemy as sa
from sqlalchemy.schema import CreateTable

from .. import alembic_internals
from ..applied_log import what_file
from ..applied_log import who
from ..steps import step_direction
from ..steps import step_key
from ..steps import step_name
from ..steps import step_script
from ..version_rows import Ledger

if t.TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext
    from alembic.runtime.migration import MigrationStep

    from ..database_run import DatabaseRun
    from ..tapes import Tape

Change = tuple[str | None, str | None]

# What is left open. No text of a database holds such a character.
_VERSION: t.Final = "\0v"
_HISTORY: t.Final = "\0h"
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
    """The names of our tables on one database, as they stand in statements."""

    version: str
    history: str | None
    create_version: str
    """What makes the version table where it is missing."""

    def fill(self, text: str, seconds: str) -> str:
        """A statement that can be executed.

        :param text: A text of a score.
        :param seconds: How long the revision took, as SQL.
        :return: The statement.
        """
        now = datetime.now(UTC).replace(tzinfo=None)
        return (
            text.replace(_VERSION, self.version)
            .replace(_HISTORY, self.history or "")
            .replace(_NOW, now.isoformat(" ", "microseconds"))
            .replace(_SECONDS, seconds)
        )


class Scores:
    """The scores of one process. Threads share them."""

    def __init__(self) -> None:
        self._known: dict[t.Any, Score] = {}
        self._created: dict[tuple[str, str], str] = {}

    def tables(self, context: MigrationContext, history: sa.Table | None) -> Tables:
        """The names of our tables.

        :param context: The context of a database.
        :param history: The table of applied revisions, if there is one.
        :return: The names.
        """
        version = alembic_internals.version_column(context).table
        dialect = context.dialect
        format_table = dialect.identifier_preparer.format_table
        key = name, _ = format_table(version), dialect.name

        if key not in self._created:
            create = CreateTable(version, if_not_exists=True)
            self._created[key] = str(create.compile(dialect=dialect))

        noted = None if history is None else format_table(history)
        return Tables(name, noted, self._created[key])

    def find(
        self,
        database: DatabaseRun,
        step: MigrationStep,
        tape: Tape,
        heads: frozenset[str],
    ) -> Score:
        """The score of a step.

        :param database: The database to play it on.
        :param step: The step.
        :param tape: What it executes.
        :param heads: The ids in the version table.
        :return: The score.
        """
        # What is noted of this process is not true in one that it forked.
        dialect = database.context.dialect.name
        key = os.getpid(), dialect, step_key(step), heads, id(tape)
        score = self._known.get(key)

        if score is None:
            score = self._known[key] = _make_score(database, step, tape, heads)

        return score


def _make_score(
    database: DatabaseRun, step: MigrationStep, tape: Tape, heads: frozenset[str]
) -> Score:
    context = database.context
    ledger = Ledger(context, heads)
    ledger.update_to_step(t.cast(t.Any, step))
    changes = ledger.changes
    write = _Writer(context)
    return Score(
        tape,
        database.settings_of(step).ddl_lock_timeout,
        frozenset(ledger.heads),
        not heads,
        tuple(map(write.change, changes)),
        write.note(step),
        write.check(changes),
    )


class _Writer:
    def __init__(self, context: MigrationContext) -> None:
        dialect = context.dialect
        column = alembic_internals.version_column(context)
        self._column = dialect.identifier_preparer.format_column(column)
        string: t.Any = sa.String()
        self._text = string.literal_processor(dialect)
        # What SQLAlchemy doubles for the driver, which gets no values here.
        self._is_doubled = dialect.paramstyle in ("format", "pyformat")

    def change(self, change: Change) -> str:
        gone, new = (None if id_ is None else self._literal(id_) for id_ in change)
        table, column = _VERSION, self._column

        if gone is None:
            return f"INSERT INTO {table} ({column}) VALUES ({new})"

        if new is None:
            return f"DELETE FROM {table} WHERE {column} = {gone}"

        return f"UPDATE {table} SET {column} = {new} WHERE {column} = {gone}"

    def check(self, changes: t.Iterable[Change]) -> str:
        rows = f"SELECT count(*) FROM {_VERSION} WHERE {self._column} ="
        tests = [
            f"({rows} {self._literal(id_)}) = {count}"
            for change in changes
            for id_, count in zip(change, (0, 1), strict=True)
            if id_ is not None
        ]
        return f"SELECT 1 / CAST({' AND '.join(tests) or 'true'} AS integer)"

    def note(self, step: MigrationStep) -> str:
        facts = {
            "revision": step_name(step),
            "direction": step_direction(step),
            **what_file(step_script(step)),
            **who(),
            "applied_at": _NOW,
        }
        values = ", ".join(map(self._literal, facts.values()))
        columns = ", ".join(facts)
        return (
            f"INSERT INTO {_HISTORY} ({columns}, seconds) VALUES ({values}, {_SECONDS})"
        )

    def _literal(self, value: t.Any) -> str:
        if value is None:
            return "NULL"

        if isinstance(value, int):
            return str(value)

        found: str = self._text(value)
        return found.replace("%%", "%") if self._is_doubled else found
