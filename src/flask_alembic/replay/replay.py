"""A run on one database that plays the tapes of others, as far as there are any. Who
runs the rest is not known here.
"""

from __future__ import annotations

import time
import typing as t
from dataclasses import dataclass
from functools import cached_property

from ..locks import holding
from ..reports import AppliedStep
from ..steps import step_direction
from ..steps import step_name
from ..tapes import kind_of
from .players import find_player
from .score import Score
from .score import Scores
from .score import Tables

if t.TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext
    from alembic.runtime.migration import MigrationStep

    from ..database_run import DatabaseRun
    from ..locks import Patience
    from ..tapes import Kind
    from ..tapes import Tapes
    from .player import Look
    from .player import Player

    Work = t.Callable[[tuple[str, ...], MigrationContext], t.Iterable[MigrationStep]]


# How long a lock is believed to be ours, in seconds. Each revision looks at the version
# table too, and fails if another run was there.
_OFTEN: t.Final = 0.1


class CantReplay(Exception):
    """A database has to be run in the usual way."""


@dataclass(frozen=True)
class Path:
    """What is to be played on a database, from where it stands."""

    scores: tuple[tuple[MigrationStep, Score], ...] = ()
    waiting: MigrationStep | None = None
    """The step after that, if there is one."""


class Replay:
    """A run on one database.

    :param database: The database.
    :param tapes: The tapes that there are.
    :param scores: The scores that there are.
    :param work: Called with the heads and the context; returns the steps to run.
    """

    def __init__(
        self, database: DatabaseRun, tapes: Tapes, scores: Scores, work: Work
    ) -> None:
        self._database = database
        self._context: MigrationContext = database.context
        self._tapes = tapes
        self._scores = scores
        self._work = work
        self._done: list[AppliedStep] = []
        self._open: list[AppliedStep] = []
        self.is_neutral: bool = True
        """Whether the session is as it was before."""

    @property
    def done(self) -> tuple[AppliedStep, ...]:
        """What is committed."""
        return tuple(self._done)

    @cached_property
    def kind(self) -> Kind:
        """The kind of database."""
        return kind_of(self._context)

    def run(self, patience: Patience) -> MigrationStep | None:
        """Play what can be played.

        :param patience: How long to wait for other runs.
        :return: The step that comes next, and that there is no tape of that is true
            here; ``None`` if nothing is left to be done.
        :raises CantReplay: If this database is no place for it.
        :raises RunLocked: If another run did not end in time.
        :raises Exception: What the driver raises. What is not committed is rolled back.
        """
        player = self._find_player()

        with player.playing():
            look = player.look()
            path = self._find_path(look)

            if not path.scores and not look.has_journal:
                return path.waiting

            lock = self._database.find_lock()

            with holding([lock] if lock else [], patience) as locks:
                before, look = look, player.look()

                if look.heads != before.heads:
                    path = self._find_path(look)

                self._run_locked(player, look, path, locks.check)
                return path.waiting

    def _run_locked(
        self,
        player: Player,
        look: Look,
        path: Path,
        check_lock: t.Callable[[], None],
    ) -> None:
        if look.has_journal:
            self._check_half_done()

        if path.scores:
            self._make_history(player, look)

            with self._database.migrating():
                player.begin(look)
                self._play(player, path, check_lock)

    def _find_path(self, look: Look) -> Path:
        found = list(self._work(look.heads, self._context))
        self._database.asked.end_read()
        heads = frozenset(look.heads)
        scores: list[tuple[MigrationStep, Score]] = []

        for step in found:
            tape = self._tapes.find(self.kind, step)

            if tape is None or tape.obstacle:
                return Path(tuple(scores), step)

            score = self._scores.find(self._database, step, tape, heads, self._tables)
            scores.append((step, score))
            heads = score.heads

        return Path(tuple(scores))

    def _check_half_done(self) -> None:
        self._database.read_journal()

        if self._database.is_half_done:
            raise CantReplay

    def _make_history(self, player: Player, look: Look) -> None:
        """Make the history where another tool has made the version table. With that, it
        is made by the first revision.
        """
        is_wanted = self._tables.history is not None

        if is_wanted and look.has_version and not look.has_history:
            self._database.applied_log.prepare()

            if not player.look().has_history:
                raise CantReplay

    @cached_property
    def _tables(self) -> Tables:
        return self._scores.tables(self._database, self.kind)

    def _find_player(self) -> Player:
        player = find_player(self._context)

        if player is None:
            raise CantReplay

        return player(self._database, self._tables)

    def _play(
        self, player: Player, path: Path, check_lock: t.Callable[[], None]
    ) -> None:
        checked = time.monotonic()

        for step, score in path.scores:
            self.is_neutral &= score.tape.is_neutral

            if time.monotonic() - checked > _OFTEN:
                check_lock()
                checked = time.monotonic()

            self._play_one(player, step, score)

        player.finish()
        self._commit()

    def _play_one(self, player: Player, step: MigrationStep, score: Score) -> None:
        started = time.perf_counter()
        is_committed = player.play(score)
        self._open.append(
            AppliedStep(
                database=self._database.name,
                revision=step_name(step),
                direction=step_direction(step),
                message=step.doc or "",
                seconds=time.perf_counter() - started,
            )
        )

        if is_committed:
            self._commit()

    def _commit(self) -> None:
        self._done += self._open
        self._open.clear()
