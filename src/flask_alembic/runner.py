"""Run steps on all databases: the process lock, transactions, what is told of it."""

from __future__ import annotations

import inspect
import threading
import time
import typing as t
from contextlib import contextmanager
from dataclasses import dataclass
from dataclasses import field

from alembic.operations import Operations

from . import alembic_internals
from . import sqlite
from .alembic_internals import LogicalTransaction
from .databases import default_name
from .databases import identifier
from .failures import commit_failed
from .failures import migration_failed
from .kept import kept_of
from .kept import statements_of
from .reports import AppliedStep
from .reports import Direction
from .reports import MigrationReport
from .rounds import in_step

if t.TYPE_CHECKING:
    from alembic.runtime.migration import HeadMaintainer
    from alembic.runtime.migration import MigrationContext
    from alembic.runtime.migration import MigrationStep

Contexts = t.Mapping[str, "MigrationContext"]
Work = t.Callable[
    [tuple[str, ...], "MigrationContext"], "t.Iterable[MigrationStep] | None"
]

# Alembic's ``op`` is one for the whole process: while one thread migrates a database,
# another thread's operations would go to that database too. Re-entrant, because a
# revision may migrate another app.
_process_lock = threading.RLock()


def run(
    contexts: Contexts, work: Work, kwargs: t.Mapping[str, t.Any]
) -> MigrationReport:
    """Ask for the steps of each database, and run them. A revision is the unit: it is
    committed on all databases before the next one begins.

    :param contexts: Name to context, not in a transaction of ours.
    :param work: Called with the heads and the context of each database; returns the
        steps to run there.
    :param kwargs: Passed to ``upgrade`` and ``downgrade`` of each revision.
    :return: What was done.
    :raises MigrationFailed: If a revision raises.
    """
    with _process_lock:
        return _Run(contexts, kwargs).execute(work)


@dataclass
class _Run:
    contexts: Contexts
    kwargs: t.Mapping[str, t.Any]
    applied: list[AppliedStep] = field(default_factory=list)
    standing: dict[str, tuple[str, ...]] = field(default_factory=dict)
    maintainers: dict[str, HeadMaintainer] = field(default_factory=dict)
    statements: list[str] = field(default_factory=list)

    def execute(self, work: Work) -> MigrationReport:
        steps = {name: self.ask(name, work) for name in self.contexts}
        queues = {name: [_Key(step) for step in s] for name, s in steps.items()}
        rounds = in_step(queues)

        try:
            self.lock_for_writing(True)

            for key, names in rounds:
                self.run_round(key.step, names)
        finally:
            self.lock_for_writing(False)

        return MigrationReport(tuple(self.applied), dict(self.standing))

    def ask(self, name: str, work: Work) -> list[MigrationStep]:
        """Ask the work for the steps of one database. It may do something there too,
        which lasts.
        """
        context = self.contexts[name]
        heads = tuple(context.get_current_heads())

        with alembic_internals.op_proxy(Operations(context)):
            steps = list(work(heads, context) or ())

        connection = context.connection

        if connection is not None and not alembic_internals.in_external_transaction(
            context
        ):
            connection.commit()

        self.standing[name] = heads
        self.maintainers[name] = alembic_internals.head_maintainer(context, heads)
        return steps

    def lock_for_writing(self, on: bool) -> None:
        for context in self.contexts.values():
            if context.connection is not None and not context.connection.closed:
                sqlite.take_write_lock(context.connection, on)

    def run_round(self, step: MigrationStep, names: list[str]) -> None:
        """Run one revision on the databases that need it, and commit it on all."""
        begun: dict[str, LogicalTransaction | None] = {}
        done: list[AppliedStep] = []

        for name in names:
            context = self.contexts[name]

            try:
                begun[name] = alembic_internals.begin_transaction(context)
                done.append(self.apply(name, step))

                if not context.impl.transactional_ddl:
                    # Its DDL took effect, so its version has to as well: a rerun
                    # would do it again otherwise.
                    self.commit(name, begun, done)
            except BaseException as error:
                _roll_back(begun)

                if not isinstance(error, Exception):
                    raise

                raise migration_failed(
                    error,
                    step,
                    name,
                    self.contexts,
                    self.applied,
                    self.standing,
                    kept_of(self.statements),
                ) from error

        self.commit_all(step, begun, done)

    def apply(self, name: str, step: MigrationStep) -> AppliedStep:
        context, maintainer = self.contexts[name], self.maintainers[name]
        started = time.perf_counter()

        if not maintainer.heads:
            alembic_internals.ensure_version_table(context)

        with self.noting_statements(context):
            with alembic_internals.op_proxy(Operations(context)):
                self.call(name, step)

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
            direction=_direction(step),
            message=step.doc or "",
            seconds=time.perf_counter() - started,
        )

    @contextmanager
    def noting_statements(self, context: MigrationContext) -> t.Iterator[None]:
        """Where DDL can't be rolled back, an error tells what stays."""
        self.statements = []

        if context.impl.transactional_ddl or context.connection is None:
            yield
            return

        with statements_of(context.connection) as self.statements:
            yield

    def call(self, name: str, step: MigrationStep) -> None:
        """Call ``upgrade`` or ``downgrade`` as it wants to be called.

        A revision for several databases takes ``engine_name``, and has a function for
        each database that it knows. One for a single database was written before the
        others came, and is for the default one.
        """
        function = step.migration_fn
        parameters = inspect.signature(function).parameters
        any_name = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
        engine_name = identifier(name)

        if "engine_name" in parameters or (any_name and len(self.contexts) > 1):
            if _knows(function, engine_name):
                function(**{**self.kwargs, "engine_name": engine_name})
        elif name == default_name(self.contexts):
            function(**self.kwargs)

    def commit_all(
        self,
        step: MigrationStep,
        begun: dict[str, LogicalTransaction | None],
        done: list[AppliedStep],
    ) -> None:
        names = list(begun)

        try:
            if len(names) > 1:
                self.check_deferred(names)
        except Exception as error:
            _roll_back(begun)
            raise migration_failed(
                error, step, names[0], self.contexts, self.applied, self.standing
            ) from error

        for name in names:
            try:
                self.commit(name, begun, done)
            except Exception as error:
                _roll_back(begun)
                raise commit_failed(
                    error, step, name, names, self.contexts, self.applied, self.standing
                ) from error

    def commit(
        self,
        name: str,
        begun: dict[str, LogicalTransaction | None],
        done: list[AppliedStep],
    ) -> None:
        if transaction := begun.pop(name, None):
            transaction.commit()

        for applied in [applied for applied in done if applied.database == name]:
            done.remove(applied)
            self.applied.append(applied)
            self.standing[name] = tuple(sorted(self.maintainers[name].heads))

    def check_deferred(self, names: list[str]) -> None:
        """Let deferred constraints fail now, while every database can roll back."""
        for name in names:
            context = self.contexts[name]

            if context.dialect.name == "postgresql" and context.connection is not None:
                context.connection.exec_driver_sql("SET CONSTRAINTS ALL IMMEDIATE")


class _Key:
    """A step, equal to the same step of another database."""

    def __init__(self, step: MigrationStep) -> None:
        self.step = step
        self.identity = (type(step), step_name(step), step.is_upgrade)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and self.identity == other.identity

    def __hash__(self) -> int:
        return hash(self.identity)


def step_name(step: MigrationStep) -> str:
    """What a step is called: the id of its revision, or where a stamp leads.

    :param step: A step.
    :return: The id; for a stamp the ids, joined by a comma, or ``base``.
    """
    if (script := getattr(step, "revision", None)) is not None:
        return str(script.revision)

    return ", ".join(step.to_revisions_no_deps) or "base"


def _direction(step: MigrationStep) -> Direction:
    if not hasattr(step, "revision"):
        return "stamp"

    return "upgrade" if step.is_upgrade else "downgrade"


def _knows(function: t.Callable[..., t.Any], engine_name: str) -> bool:
    """Whether a revision for several databases was written when this one was there."""
    names = getattr(function, "__globals__", {})
    prefix = f"{function.__name__}_"
    others = [name for name in names if name.startswith(prefix)]
    return not others or f"{prefix}{engine_name}" in names


def _roll_back(begun: dict[str, LogicalTransaction | None]) -> None:
    for name in reversed(list(begun)):
        if transaction := begun.pop(name):
            try:
                transaction.rollback()
            except Exception:  # noqa: S110, BLE001
                # The connection is gone, and so the server has rolled back. What is
                # worth telling is why we got here.
                pass
