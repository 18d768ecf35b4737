"""Run steps on all databases: one run at a time, in which order, what is committed
together, and what is told of it. What happens on one database is elsewhere.
"""

from __future__ import annotations

import threading
import typing as t
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
from .reports import AppliedStep
from .reports import MigrationReport
from .rounds import in_step
from .run_errors import HalfDoneError
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

# Alembic's ``op`` is one for the whole process: while one thread migrates a database,
# another thread's operations would go to that database too. Re-entrant, because a
# revision may migrate another app.
_process_lock = threading.RLock()


def run(
    contexts: Contexts,
    work: Work,
    kwargs: t.Mapping[str, t.Any],
    *,
    names: t.Collection[str],
    settings: RunSettings,
) -> MigrationReport:
    """Ask for the steps of each database, and run them. A revision is the unit: it is
    committed on all databases before the next one begins.

    :param contexts: Name to context, not in a transaction of ours.
    :param work: Called with the heads and the context of each database; returns the
        steps to run there.
    :param kwargs: Passed to ``upgrade`` and ``downgrade`` of each revision.
    :param names: The names of all databases, also of those that are left alone.
    :param settings: How to run.
    :return: What was done.
    :raises MigrationFailed: If a revision raises.
    """
    with _process_lock:
        databases = {
            name: DatabaseRun(name, context, names, settings)
            for name, context in contexts.items()
        }
        return _Run(databases, kwargs).execute(work)


@dataclass
class _Run:
    databases: dict[str, DatabaseRun]
    kwargs: t.Mapping[str, t.Any]
    applied: list[AppliedStep] = field(default_factory=list)

    def execute(self, work: Work) -> MigrationReport:
        for database in self.databases.values():
            database.ask(work)

        if any(database.steps for database in self.databases.values()):
            self.run_all()

        return self.report()

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
            tell_left_out(next(iter(round_.values())), self.run_.identifiers)

            for name in round_:
                self.run_step(name)

        for name in list(self.begun):
            self.commit(name)

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
        except HalfDoneError:
            self.roll_back()
            raise
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
            databases[name].is_noted,
        )
