"""Plays on SQLite."""

from __future__ import annotations

import time
import typing as t

from ..own_tables import history_name
from ..own_tables import journal_name
from .player import Diverged
from .player import Player

if t.TYPE_CHECKING:
    from ..database_run import DatabaseRun
    from .score import Score
    from .score import Tables

# How long revisions may share a transaction on SQLite, in seconds. What they do is
# quick, and a commit waits for the disk.
_LONGEST: t.Final = 0.1

_TABLES: t.Final = (
    "SELECT lower(name) FROM sqlite_master WHERE lower(name) IN (?, ?, ?)"
)


class SQLitePlayer(Player):
    """Lets revisions share a transaction for a short time. Only one can write to the
    database at a time, so nobody can wait for us while we wait for them.
    """

    def __init__(self, database: DatabaseRun, tables: Tables) -> None:
        super().__init__(database, tables)
        self._begun: float | None = None

    def _has_tables(self) -> tuple[bool, bool, bool]:
        context = self._database.context
        names = context.version_table, history_name(context), journal_name(context)
        self._cursor.execute(_TABLES, [name.lower() for name in names])
        found = {row[0] for row in self._cursor.fetchall()}
        version, history, journal = (name.lower() in found for name in names)
        return version, history, journal

    def play(self, score: Score) -> bool:
        """Execute a score."""
        started = time.monotonic()

        if self._begun is None:
            self._execute("BEGIN IMMEDIATE")
            self._begun = started

        for statement in self._start(score):
            self._execute(statement)

        for taped in score.tape.statements:
            self._play_taped(taped)

        ended = time.monotonic()

        for note in self._notes(score):
            self._execute(self._tables.fill(note, repr(ended - started)))

        for change in score.changes:
            self._execute(change)

            if self._cursor.rowcount != 1:
                raise Diverged("The version table was changed by somebody else.")

        self._database.check()

        if ended - self._begun > _LONGEST:
            self.finish()

        return self._begun is None

    def finish(self) -> None:
        """Commit."""
        if self._begun is not None:
            self._execute("COMMIT")
            self._begun = None
