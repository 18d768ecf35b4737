"""Plays on PostgreSQL."""

from __future__ import annotations

import typing as t
from contextlib import contextmanager
from contextlib import suppress

from .player import Player
from .score import Writer

if t.TYPE_CHECKING:
    from .score import Score


class PostgreSQLPlayer(Player):
    """Sends a revision as one text, which begins a transaction and commits it."""

    def _has_tables(self) -> tuple[bool, bool, bool]:
        tables = self._tables
        literal = Writer(self._database.context.dialect, tables).literal
        names = (tables.version, tables.history or "", tables.journal)
        tests = (f"to_regclass({literal(name)}) IS NOT NULL" for name in names)
        self._execute(f"SELECT {', '.join(tests)}")
        version, history, journal = self._cursor.fetchone()
        return version, history, journal

    @contextmanager
    def playing(self) -> t.Iterator[None]:
        """Let the driver begin no transaction."""
        self._driver.autocommit = True

        try:
            with super().playing():
                yield
        finally:
            with suppress(Exception):
                self._driver.autocommit = False

    def play(self, score: Score) -> bool:
        """Execute a score."""
        start = ["BEGIN", *self._start(score)]

        if score.tape.is_plain:
            self._send(*start, *self._texts(score), *self._end(score))
            return True

        self._send(*start)

        for taped, (setting, _) in zip(
            score.tape.statements, self._timed(score), strict=True
        ):
            if setting:
                self._execute(setting)

            self._play_taped(taped)

        self._send(*self._end(score))
        return True

    def _texts(self, score: Score) -> list[str]:
        """The statements of a revision, as texts. They depend on the server alone."""
        usual = self._database.table_locks.usual

        if usual not in score.texts:
            pairs = self._timed(score)
            score.texts[usual] = [text for pair in pairs for text in pair if text]

        return score.texts[usual]

    def _timed(self, score: Score) -> list[tuple[str | None, str]]:
        texts = [taped.statement for taped in score.tape.statements]
        locks = self._database.table_locks
        return list(locks.timed(texts, score.lock_timeout))

    def _end(self, score: Score) -> t.Iterator[str]:
        texts = [*self._notes(score), *score.changes, score.check]
        # The seconds since BEGIN.
        seconds = "extract(epoch FROM clock_timestamp() - transaction_timestamp())"
        yield self._tables.fill(_joined(texts), seconds)
        yield "COMMIT"

    def _send(self, *statements: str) -> None:
        self._execute(_joined(statements))


def _joined(statements: t.Iterable[str]) -> str:
    # A comment may stand at the end of one.
    return "\n;\n".join(statements)
