"""Run steps on all databases: the process lock, transactions, what is told of it."""

from __future__ import annotations

import logging
import threading
import time
import typing as t
from contextlib import contextmanager
from contextlib import ExitStack
from contextlib import suppress
from dataclasses import dataclass
from dataclasses import field
from functools import cached_property

from . import alembic_internals
from . import sqlite
from .alembic_config import database_names
from .alembic_internals import LogicalTransaction
from .alembic_internals import Maintainer
from .async_operations import make_operations
from .databases import default_name
from .databases import identifier
from .failures import commit_failed
from .failures import Failure
from .failures import migration_failed
from .history import History
from .kept import StatementLog
from .reports import AppliedStep
from .reports import MigrationReport
from .rounds import in_step
from .sqlite_restored import revision_wins
from .steps import call_step
from .steps import step_comment
from .steps import step_direction
from .steps import step_key
from .steps import step_name
from .steps import step_removed
from .steps import tell_left_out
from .version_table import read_heads

if t.TYPE_CHECKING:
    import sqlalchemy as sa
    from alembic.runtime.migration import MigrationContext
    from alembic.runtime.migration import MigrationStep

Contexts = t.Mapping[str, "MigrationContext"]
Work = t.Callable[
    [tuple[str, ...], "MigrationContext"], "t.Iterable[MigrationStep] | None"
]

# Where Alembic tells of steps itself, and users look for it.
_log = logging.getLogger("alembic.runtime.migration")

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
) -> MigrationReport:
    """Ask for the steps of each database, and run them. A revision is the unit: it is
    committed on all databases before the next one begins.

    :param contexts: Name to context, not in a transaction of ours.
    :param work: Called with the heads and the context of each database; returns the
        steps to run there.
    :param kwargs: Passed to ``upgrade`` and ``downgrade`` of each revision.
    :param names: The names of all databases, also of those that are left alone.
    :return: What was done.
    :raises MigrationFailed: If a revision raises.
    """
    with _process_lock:
        return _Run(contexts, kwargs, names).execute(work)


@dataclass
class _Run:
    contexts: Contexts
    kwargs: t.Mapping[str, t.Any]
    names: t.Collection[str]
    applied: list[AppliedStep] = field(default_factory=list)
    standing: dict[str, tuple[str, ...]] = field(default_factory=dict)
    maintainers: dict[str, Maintainer] = field(default_factory=dict)
    checks: dict[str, t.Callable[[], None]] = field(default_factory=dict)
    round: _Round = field(init=False)

    def execute(self, work: Work) -> MigrationReport:
        steps = {name: self.ask(name, work) for name in self.contexts}
        rounds = in_step(
            {n: [step_key(s) for s in found] for n, found in steps.items()}
        )
        # Two databases may have steps of one name that differ: a stamp leads from
        # where each of them is.
        waiting = {name: iter(found) for name, found in steps.items()}

        with ExitStack() as stack:
            if rounds:
                self.checks = {
                    name: stack.enter_context(_migrating(context))
                    for name, context in self.contexts.items()
                }

            for _, names in rounds:
                self.run_round({name: next(waiting[name]) for name in names})

        skipped = {n: found.skipped for n, found in self.maintainers.items()}
        return MigrationReport(
            tuple(self.applied),
            dict(self.standing),
            {name: ids for name, ids in skipped.items() if ids},
        )

    def ask(self, name: str, work: Work) -> list[MigrationStep]:
        """Ask the work for the steps of one database. It may do something there too,
        which lasts.
        """
        context = self.contexts[name]
        heads = read_heads(context, name)

        with alembic_internals.proxies(make_operations(context)):
            steps = list(work(heads, context) or ())

        connection = context.connection

        if connection is not None and not alembic_internals.in_external_transaction(
            context
        ):
            connection.commit()

        self.standing[name] = heads
        unknown = History(context.script).unknown(heads) if context.script else ()
        known = [id_ for id_ in heads if id_ not in unknown]
        self.maintainers[name] = Maintainer(context, known, unknown)
        return steps

    def run_round(self, steps: dict[str, MigrationStep]) -> None:
        """Run one revision on the databases that need it, and commit it on all."""
        self.round = _Round(steps)
        tell_left_out(next(iter(steps.values())), self.identifiers)

        for name, step in steps.items():
            context = self.contexts[name]

            if context.as_sql:
                context.impl.static_output(step_comment(step))

            try:
                self.round.begun[name] = alembic_internals.begin_transaction(context)
                self.round.done[name] = self.apply(name, step)
                self.checks[name]()
            # SystemExit too: a revision that calls sys.exit() has failed.
            except (Exception, SystemExit) as error:
                self.roll_back()
                raise migration_failed(self.failure(name, error)) from error
            except BaseException:
                self.roll_back()
                raise

            if not context.impl.transactional_ddl:
                # Its DDL took effect, so its version has to as well: a rerun would do
                # it again otherwise.
                self.commit(name)

        for name in list(self.round.begun):
            self.commit(name)

    @cached_property
    def identifiers(self) -> set[str]:
        """All databases, as they stand in the names of functions."""
        configs = [c.config for c in self.contexts.values() if c.config]
        named = {name for config in configs for name in database_names(config)}
        return {identifier(name) for name in self.names} | named

    def apply(self, name: str, step: MigrationStep) -> AppliedStep:
        context, maintainer = self.contexts[name], self.maintainers[name]
        started = time.perf_counter()
        _log.info("Running %s", step)

        if not maintainer.heads:
            alembic_internals.ensure_version_table(context)

        with self.logging_statements(context), revision_wins(context):
            with alembic_internals.proxies(make_operations(context)):
                call_step(
                    step,
                    self.kwargs,
                    engine_name=identifier(name),
                    is_default=name == default_name(self.names),
                    several=len(self.names) > 1,
                )

        maintainer.update_to_step(t.cast(t.Any, step))

        for callback in context.on_version_apply_callbacks:
            callback(
                ctx=context,
                step=t.cast(t.Any, step).info,
                heads=set(maintainer.heads),
                run_args=dict(self.kwargs),
            )

        return AppliedStep(
            database=name,
            revision=step_name(step),
            direction=step_direction(step),
            message=step.doc or "",
            seconds=time.perf_counter() - started,
            removed=step_removed(step),
        )

    @contextmanager
    def logging_statements(self, context: MigrationContext) -> t.Iterator[None]:
        """An error tells which statements could not be rolled back."""
        self.round.log = StatementLog(rolls_back_ddl=context.impl.transactional_ddl)

        if context.connection is None or context.as_sql:
            yield
        else:
            with self.round.log.listening(context.connection):
                yield

    def commit(self, name: str) -> None:
        try:
            if transaction := self.round.begun.pop(name):
                transaction.commit()
        except Exception as error:
            self.roll_back()
            raise commit_failed(self.failure(name, error)) from error

        self.applied.append(self.round.done[name])
        self.round.have_it.append(name)
        self.standing[name] = self.maintainers[name].rows

    def roll_back(self) -> None:
        for name in reversed(list(self.round.begun)):
            if transaction := self.round.begun.pop(name):
                # If the connection is gone the server has rolled back, and what is
                # worth telling is why we got here.
                with suppress(Exception):
                    transaction.rollback()

    def failure(self, name: str, error: BaseException) -> Failure:
        return Failure(
            error,
            self.round.steps[name],
            name,
            self.contexts,
            tuple(self.applied),
            dict(self.standing),
            tuple(self.round.have_it),
            self.round.log.kept,
        )


@dataclass
class _Round:
    """One revision on its way over the databases."""

    steps: dict[str, MigrationStep]
    begun: dict[str, LogicalTransaction | None] = field(default_factory=dict)
    done: dict[str, AppliedStep] = field(default_factory=dict)
    have_it: list[str] = field(default_factory=list)
    log: StatementLog = field(default_factory=lambda: StatementLog(rolls_back_ddl=True))


@contextmanager
def _migrating(context: MigrationContext) -> t.Iterator[t.Callable[[], None]]:
    """Prepare a database, and give what lets deferred constraints fail before the first
    commit, while every database can roll back.
    """
    connection = context.connection

    if connection is None or alembic_internals.in_external_transaction(context):
        yield lambda: None
    elif context.dialect.name == "postgresql":
        yield lambda: _check_deferred(connection)
    else:
        with sqlite.migrating(connection) as check:
            yield check


def _check_deferred(connection: sa.Connection) -> None:
    connection.exec_driver_sql("SET CONSTRAINTS ALL IMMEDIATE")
