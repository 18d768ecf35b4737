"""What is committed together, on its way over the databases: one revision, or all of a
run. Run, commit, roll back, try again where a table is locked.
"""

from __future__ import annotations

import logging
import time
import typing as t
from collections import Counter
from dataclasses import dataclass
from dataclasses import field

from .failures import Failure
from .interruption import note_commit
from .interruption import note_step
from .retries import pause
from .retries import Tries
from .run_errors import HalfDoneError
from .step_failures import not_committed
from .step_failures import revision_failed
from .step_failures import table_locked
from .steps import step_name
from .steps import tell_left_out

if t.TYPE_CHECKING:
    from alembic.runtime.migration import MigrationStep

    from .database_run import DatabaseRun
    from .reports import AppliedStep

    Round = dict[str, MigrationStep]

_log = logging.getLogger("flask_alembic")


@dataclass
class Unit:
    """Rounds of steps that are one transaction on each database."""

    databases: t.Mapping[str, DatabaseRun]
    """All databases of the run."""

    rounds: t.Sequence[Round]
    """For each revision the steps, by database."""

    kwargs: t.Mapping[str, t.Any]
    """For the functions of the revisions."""

    identifiers: t.Collection[str]
    """All databases, as they stand in the names of functions."""

    applied: list[AppliedStep]
    """What the run has committed, to be added to."""

    _begun: list[str] = field(default_factory=list)
    _done: dict[str, list[AppliedStep]] = field(default_factory=dict)
    _last: Round = field(default_factory=dict)
    _number: int = 0
    _saved: dict[tuple[int, str], None] = field(default_factory=dict)
    _tries: Tries = field(default_factory=Tries)

    def run(self, check_locks: t.Callable[[], None]) -> None:
        """Run all, and commit it.

        :param check_locks: Fails if other runs are not kept off any more.
        :raises MigrationFailed: If a revision raises. All is rolled back that can be.
        """
        while (failure := self._run_rounds(check_locks)) is not None:
            self._wait(failure)

        for name in list(self._begun):
            self._commit(name)

    def _run_rounds(self, check_locks: t.Callable[[], None]) -> Failure | None:
        """Run what is not committed yet.

        :return: What kept a database from a table, where all can run again.
        """
        left = Counter(name for round_ in self.rounds for name in round_)

        for number, round_ in enumerate(self.rounds):
            self._number = number
            self._check(check_locks)

            if self._tries.count == 1:
                tell_left_out(next(iter(round_.values())), self.identifiers)

            for name, step in round_.items():
                left[name] -= 1

                if (number, name) not in self._saved:
                    if failure := self._run_step(name, step, is_last=not left[name]):
                        return failure

        return None

    def _check(self, check_locks: t.Callable[[], None]) -> None:
        try:
            check_locks()
        except BaseException:
            self._roll_back()
            raise

    def _run_step(
        self, name: str, step: MigrationStep, *, is_last: bool
    ) -> Failure | None:
        database = self.databases[name]
        self._last[name] = step

        try:
            database.announce(step)

            if name not in self._begun:
                self._begun.append(name)
                database.begin()

            self._done.setdefault(name, []).append(database.apply(step, self.kwargs))

            # Earlier, it would end the deferring for the steps that follow.
            if is_last:
                database.check()
        except HalfDoneError:
            self._roll_back()
            raise
        # SystemExit too: a revision that calls sys.exit() has failed.
        except (Exception, SystemExit) as error:
            return self._locked(name, error)
        except BaseException as error:
            self._roll_back()
            note_step(
                error, self._failure(name, error), database.transaction.unanswered
            )
            raise

        if not database.rolls_back_ddl:
            # Its DDL took effect, so its version has to as well: a rerun would do it
            # again otherwise.
            self._commit(name)

        return None

    def _locked(self, name: str, error: BaseException) -> Failure:
        """What to tell if a step can be run again later.

        :raises MigrationFailed: If it can't.
        """
        can_run_again = all(self.databases[n].can_run_again for n in self._begun)
        is_locked = self.databases[name].is_locked(error)
        self._roll_back()
        failure = self._failure(name, error)

        if not is_locked:
            raise revision_failed(failure) from error

        settings = self.databases[name].settings_of(failure.step)

        if not can_run_again or self._tries.count > settings.ddl_lock_retries:
            raise table_locked(failure, self._tries, settings) from error

        return failure

    def _wait(self, failure: Failure) -> None:
        """Pause, without a transaction on any database."""
        settings = self.databases[failure.database].settings_of(failure.step)
        seconds = pause(self._tries.count, first=0.5, longest=15.0)
        self._tries.count += 1
        _log.info(
            "Revision %s waits for %sthe database '%s'; trying again in %.1f s"
            " (attempt %d of %d)",
            step_name(failure.step),
            "" if failure.context.dialect.name == "sqlite" else "a table of ",
            failure.database,
            seconds,
            self._tries.count,
            settings.ddl_lock_retries + 1,
        )
        time.sleep(seconds)

    def _commit(self, name: str) -> None:
        try:
            self.databases[name].transaction.commit()
        except Exception as error:
            self._roll_back()
            raise not_committed(self._failure(name, error)) from error
        except BaseException as error:
            self._roll_back()
            note_commit(error, self._failure(name, error))
            raise

        self._begun.remove(name)
        self.applied += self._done.pop(name)
        self._saved[self._number, name] = None

    def _roll_back(self) -> None:
        for name in reversed(self._begun):
            database = self.databases[name]
            database.roll_back()
            self.applied += self._done.pop(name, [])[: database.log.complete]

        self._begun.clear()

    def _failure(self, name: str, error: BaseException) -> Failure:
        log = self.databases[name].log
        return Failure(
            error,
            self._last[name],
            name,
            {n: database.context for n, database in self.databases.items()},
            tuple(self.applied),
            {n: database.standing for n, database in self.databases.items()},
            tuple(n for number, n in self._saved if number == self._number),
            log.kept,
            log.kept_of if log.kept else None,
            is_whole_run=len(self.rounds) > 1,
            is_noted=self.databases[name].is_noted,
        )
