"""Run steps on all databases: one run at a time, in which order, what is committed
together, and what is told of it. What happens on one database is elsewhere.
"""

from __future__ import annotations

import typing as t
from contextlib import contextmanager
from contextlib import ExitStack
from dataclasses import dataclass
from dataclasses import field
from functools import cached_property

from .alembic_config import database_names
from .database_run import DatabaseRun
from .databases import identifier
from .interruption import note_run
from .locks import holding
from .locks import Locks
from .locks import one_thread
from .locks import Patience
from .protection import check_protected
from .reports import AppliedStep
from .reports import MigrationReport
from .rounds import in_step
from .steps import step_key
from .unit import Unit

if t.TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext
    from alembic.runtime.migration import MigrationStep

    from .run_settings import RunSettings
    from .tapes import Recorder

    Contexts = t.Mapping[str, MigrationContext]
    Work = t.Callable[
        [tuple[str, ...], MigrationContext], t.Iterable[MigrationStep] | None
    ]
    Round = dict[str, MigrationStep]


def run(
    contexts: Contexts,
    work: Work,
    kwargs: t.Mapping[str, t.Any],
    *,
    names: t.Collection[str],
    settings: RunSettings,
    took_effect: bool | None = None,
    lock_first: bool = False,
    recorder: Recorder | None = None,
) -> MigrationReport:
    """Ask for the steps of each database, and run them, one run at a time. A revision
    is the unit: it is committed on all databases before the next one begins.

    :param contexts: Name to context, not in a transaction of ours.
    :param work: Called with the heads and the context of each database; returns the
        steps to run there.
    :param kwargs: Passed to ``upgrade`` and ``downgrade`` of each revision.
    :param names: The names of all databases, also of those that are left alone.
    :param settings: How to run.
    :param took_effect: Of a statement that an earlier run was ended in: whether it did,
        where the user says so.
    :param lock_first: Whether other runs are kept off before the first question,
        because asking does something.
    :param recorder: What makes tapes of the steps, for other databases.
    :return: What was done.
    :raises RunLocked: If another run did not end in time.
    :raises MigrationFailed: If a revision raises.
    """
    patience = Patience(settings.lock_timeout)

    with one_thread(patience):
        databases = {
            name: DatabaseRun(name, context, names, settings, recorder=recorder)
            for name, context in contexts.items()
        }
        made = _Run(databases, kwargs, patience, took_effect, lock_first)
        return made.execute(work)


@dataclass
class _Run:
    databases: dict[str, DatabaseRun]
    kwargs: t.Mapping[str, t.Any]
    patience: Patience
    took_effect: bool | None
    lock_first: bool
    applied: list[AppliedStep] = field(default_factory=list)
    locks: Locks = field(default_factory=Locks)

    def execute(self, work: Work) -> MigrationReport:
        if not self.lock_first:
            for database in self.databases.values():
                database.ask_early(work)

        # What is half done is to be told of, too.
        if any(database.asked.has_work for database in self.databases.values()):
            try:
                self.run_locked(work)
            except BaseException as error:
                note_run(error, self.applied, self.standing)
                raise

        return self.report()

    def run_locked(self, work: Work) -> None:
        # Nobody is to wait for somebody who is being asked.
        self.check_confirmed()

        with self.locked():
            for database in self.databases.values():
                database.ask_again(work)

                # Who asked to mend something is not told to mend something else first.
                if database.steps or not self.lock_first:
                    database.asked.check_half_done(took_effect=self.took_effect)

            if any(database.steps for database in self.databases.values()):
                self.check_confirmed()
                self.run_all()

    @contextmanager
    def locked(self) -> t.Iterator[None]:
        """Keep other runs off all databases: what another run does to one of them may
        give it steps.
        """
        found = [database.find_lock() for database in self.databases.values()]

        with holding([lock for lock in found if lock], self.patience) as self.locks:
            yield

    def run_all(self) -> None:
        with ExitStack() as stack:
            for database in self.databases.values():
                stack.enter_context(database.migrating())

            for rounds in self.units():
                unit = Unit(
                    self.databases, rounds, self.kwargs, self.identifiers, self.applied
                )
                unit.run(self.locks.check)

    def check_confirmed(self) -> None:
        connected = [d for d in self.databases.values() if not d.context.as_sql]

        if connected:
            steps = {database.name: database.steps for database in connected}
            check_protected(steps, connected[0].settings, connected[0].names)

    def units(self) -> t.Iterator[list[Round]]:
        """What is committed together: a revision, or all where the user wants that."""
        rounds = self.rounds()

        if self.is_one_transaction:
            yield rounds
        else:
            yield from ([round_] for round_ in rounds)

    def rounds(self) -> list[Round]:
        databases = self.databases
        # Two databases may have steps of one name that differ: a stamp leads from
        # where each of them is.
        waiting = {name: iter(found.steps) for name, found in databases.items()}
        keys = {
            name: [step_key(step) for step in found.steps]
            for name, found in databases.items()
        }
        return [
            {name: next(waiting[name]) for name in names} for _, names in in_step(keys)
        ]

    @property
    def is_one_transaction(self) -> bool:
        """Whether all revisions of the run are one transaction. For Alembic that is so
        unless it is told otherwise, for us only if it is asked for.
        """
        contexts = [database.context for database in self.databases.values()]
        return any(c.opts.get("transaction_per_migration") is False for c in contexts)

    @property
    def standing(self) -> dict[str, tuple[str, ...]]:
        """For each database the ids that it stands at."""
        return {name: found.standing for name, found in self.databases.items()}

    @cached_property
    def identifiers(self) -> set[str]:
        """All databases, as they stand in the names of functions."""
        databases = self.databases.values()
        configs = [d.context.config for d in databases if d.context.config]
        named = {name for config in configs for name in database_names(config)}
        return {identifier(n) for database in databases for n in database.names} | named

    def report(self) -> MigrationReport:
        skipped = {
            n: found.transaction.maintainer.skipped
            for n, found in self.databases.items()
        }
        return MigrationReport(
            tuple(self.applied),
            self.standing,
            {name: ids for name, ids in skipped.items() if ids},
            self.patience.waited,
        )
