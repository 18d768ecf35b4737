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
from .players import Player
from .score import Score
from .score import Scores

if t.TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext
    from alembic.runtime.migration import MigrationStep

    from ..database_run import DatabaseRun
    from ..locks import Patience
    from ..tapes import Kind
    from ..tapes import Tape
    from ..tapes import Tapes

    Work = t.Callable[
        [tuple[str, ...], MigrationContext], t.Iterable[MigrationStep] | None
    ]
    Playable = list[tuple[MigrationStep, Tape]]


# How long a lock is believed to be ours, in seconds. Each revision looks at the version
# table too, and fails if another run was there.
_OFTEN: t.Final = 0.1


class CantReplay(Exception):
    """A database has to be run in the usual way."""


@dataclass(frozen=True)
class Replayed:
    """What is left after a replay."""

    waiting: MigrationStep | None = None
    """The step that comes next, and that there is no tape of; ``None`` if all is done.
    """

    is_recorded: bool = False
    """Whether that step is known, and can't be replayed."""

    kind: Kind = ()
    """The kind of database."""


class Replay:
    """A run on one database.

    :param database: The database.
    :param tapes: The tapes that there are.
    :param scores: The scores that there are.
    """

    def __init__(
        self,
        database: DatabaseRun,
        tapes: Tapes,
        scores: Scores,
    ) -> None:
        self._database = database
        self._tapes = tapes
        self._scores = scores
        self._player: type[Player] = Player
        self._done: list[AppliedStep] = []
        self._open: list[AppliedStep] = []

    @property
    def is_neutral(self) -> bool:
        """Whether the session is as it was before."""
        return all(tape.is_neutral for _, tape in self._playable)

    @property
    def done(self) -> tuple[AppliedStep, ...]:
        """What is committed."""
        return tuple(self._done)

    def run(self, work: Work, patience: Patience) -> Replayed:
        """Play what can be played.

        :param work: Called with the heads and the context; returns the steps to run.
        :param patience: How long to wait for other runs.
        :return: What is left to be done.
        :raises CantReplay: If this database is no place for it.
        :raises RunLocked: If another run did not end in time.
        :raises Exception: What the driver raises. What is not committed is rolled back.
        """
        database = self._database
        self._player = self._find_player()
        database.ask_early(work)

        if not database.asked.has_work:
            return self._replayed([])

        if not self._playable and not database.is_half_done:
            return self._replayed(database.steps)

        lock = database.find_lock()

        with holding([lock] if lock else [], patience) as locks:
            database.ask_again(work)
            vars(self).pop("_playable", None)
            return self._run_locked(locks.check)

    def _run_locked(self, check_lock: t.Callable[[], None]) -> Replayed:
        database = self._database
        database.asked.check_half_done(took_effect=None)

        if database.is_half_done:
            raise CantReplay

        if database.settings.history:
            database.applied_log.prepare()

        playable = self._playable

        if playable:
            with database.migrating():
                self._play(playable, check_lock)

        return self._replayed(database.steps[len(playable) :])

    @cached_property
    def _playable(self) -> Playable:
        """The first steps, up to one that can't be played."""
        found: Playable = []

        for step in self._database.steps:
            tape = self._tapes.find(self._kind, step)

            if tape is None or tape.obstacle:
                break

            found.append((step, tape))

        return found

    @cached_property
    def _kind(self) -> Kind:
        return kind_of(self._database.context)

    def _find_player(self) -> type[Player]:
        player = find_player(self._database.context)

        if player is None:
            raise CantReplay

        return player

    def _play(self, playable: Playable, check_lock: t.Callable[[], None]) -> None:
        database = self._database
        tables = self._scores.tables(database.context, database.applied_log.table)
        player = self._player(database, tables)
        heads = frozenset(database.transaction.maintainer.heads)
        checked = time.monotonic()

        with player.playing():
            for step, tape in playable:
                if time.monotonic() - checked > _OFTEN:
                    check_lock()
                    checked = time.monotonic()

                score = self._scores.find(database, step, tape, heads)
                self._play_one(player, step, score)
                heads = score.heads

            player.finish()
            self._commit()

        database.transaction.stand_at(tuple(sorted(heads)))

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

    def _replayed(self, left: t.Sequence[MigrationStep]) -> Replayed:
        waiting = left[0] if left else None
        tape = self._tapes.find(self._kind, waiting) if waiting else None
        return Replayed(waiting, is_recorded=tape is not None, kind=self._kind)
