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
from .failures import commit_failed
from .failures import Failure
from .failures import migration_failed
from .locks import holding
from .locks import Locks
from .locks import one_thread
from .locks import Patience
from .reports import AppliedStep
from .reports import MigrationReport
from .rounds import in_step
from .steps import step_key
from .steps import tell_left_out

if t.TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext
    from alembic.runtime.migration import MigrationStep

    from .run_settings import RunSettings

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
) -> MigrationReport:
    """Ask for the steps of each database, and run them, one run at a time. A revision
    is the unit: it is committed on all databases before the next one begins.

    :param contexts: Name to context, not in a transaction of ours.
    :param work: Called with the heads and the context of each database; returns the
        steps to run there.
    :param kwargs: Passed to ``upgrade`` and ``downgrade`` of each revision.
    :param names: The names of all databases, also of those that are left alone.
    :param settings: How to run.
    :return: What was done.
    :raises RunLocked: If another run did not end in time.
    :raises MigrationFailed: If a revision raises.
    """
    patience = Patience(settings.lock_timeout)

    with one_thread(patience):
        databases = {
            name: DatabaseRun(name, context, names, settings)
            for name, context in contexts.items()
        }
        return _Run(databases, kwargs, patience).execute(work)


@dataclass
class _Run:
    databases: dict[str, DatabaseRun]
    kwargs: t.Mapping[str, t.Any]
    patience: Patience
    applied: list[AppliedStep] = field(default_factory=list)
    locks: Locks = field(default_factory=Locks)

    def execute(self, work: Work) -> MigrationReport:
        for database in self.databases.values():
            database.ask(work)

        if self.has_steps:
            with self.locked():
                self.ask_again(work)

                if self.has_steps:
                    self.run_all()

        return self.report()

    @property
    def has_steps(self) -> bool:
        """Whether there is anything to do."""
        return any(database.steps for database in self.databases.values())

    @contextmanager
    def locked(self) -> t.Iterator[None]:
        """Keep other runs off all databases: what another run does to one of them may
        give it steps.
        """
        found = [database.find_lock() for database in self.databases.values()]

        with holding([lock for lock in found if lock], self.patience) as self.locks:
            yield

    def ask_again(self, work: Work) -> None:
        """Ask where another run was faster, and only there: asking may do something."""
        for database in self.databases.values():
            if database.was_overtaken():
                database.ask(work)

    def run_all(self) -> None:
        with ExitStack() as stack:
            for database in self.databases.values():
                stack.enter_context(database.migrating())

            for rounds in self.units():
                _Unit(self, rounds).run()

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

    @cached_property
    def identifiers(self) -> set[str]:
        """All databases, as they stand in the names of functions."""
        databases = self.databases.values()
        configs = [d.context.config for d in databases if d.context.config]
        named = {name for config in configs for name in database_names(config)}
        return {identifier(n) for database in databases for n in database.names} | named

    def report(self) -> MigrationReport:
        skipped = {n: found.maintainer.skipped for n, found in self.databases.items()}
        return MigrationReport(
            tuple(self.applied),
            {name: found.standing for name, found in self.databases.items()},
            {name: ids for name, ids in skipped.items() if ids},
            self.patience.waited,
        )


@dataclass
class _Unit:
    """What is committed together, on its way over the databases."""

    run_: _Run
    rounds: list[Round]
    begun: list[str] = field(default_factory=list)
    done: dict[str, list[AppliedStep]] = field(default_factory=dict)
    have_it: list[str] = field(default_factory=list)
    round: Round = field(default_factory=dict)

    def run(self) -> None:
        for round_ in self.rounds:
            self.round = round_
            self.check_locks()
            tell_left_out(next(iter(round_.values())), self.run_.identifiers)

            for name in round_:
                self.run_step(name)

        for name in list(self.begun):
            self.commit(name)

    def check_locks(self) -> None:
        try:
            self.run_.locks.check()
        except BaseException:
            self.roll_back()
            raise

    def run_step(self, name: str) -> None:
        database = self.run_.databases[name]

        try:
            database.announce(self.round[name])

            if name not in self.begun:
                self.begun.append(name)
                database.begin()

            step = database.apply(self.round[name], self.run_.kwargs)
            self.done.setdefault(name, []).append(step)
            database.check()
        # SystemExit too: a revision that calls sys.exit() has failed.
        except (Exception, SystemExit) as error:
            self.roll_back()
            raise migration_failed(self.failure(name, error)) from error
        except BaseException:
            self.roll_back()
            raise

        if not database.rolls_back_ddl:
            # Its DDL took effect, so its version has to as well: a rerun would do it
            # again otherwise.
            self.commit(name)

    def commit(self, name: str) -> None:
        self.begun.remove(name)

        try:
            self.run_.databases[name].commit()
        except Exception as error:
            self.run_.databases[name].roll_back()
            self.roll_back()
            raise commit_failed(self.failure(name, error)) from error

        self.run_.applied += self.done.pop(name)
        self.have_it.append(name)

    def roll_back(self) -> None:
        for name in reversed(self.begun):
            self.run_.databases[name].roll_back()

        self.begun.clear()

    def failure(self, name: str, error: BaseException) -> Failure:
        databases = self.run_.databases
        return Failure(
            error,
            self.round[name],
            name,
            {n: database.context for n, database in databases.items()},
            tuple(self.run_.applied),
            {n: database.standing for n, database in databases.items()},
            tuple(self.have_it),
            databases[name].log.kept,
        )
