"""One database during one run: its transaction, and how a step is run there. The order
of steps and what happens to other databases is the runner's.
"""

from __future__ import annotations

import logging
import time
import typing as t
from contextlib import contextmanager
from contextlib import ExitStack
from contextlib import suppress

from . import alembic_internals
from . import sqlite
from .alembic_internals import LogicalTransaction
from .alembic_internals import Maintainer
from .applied_log import AppliedLog
from .async_operations import make_operations
from .databases import default_name
from .databases import identifier
from .history import History
from .kept import StatementLog
from .locks import find_lock
from .reports import AppliedStep
from .sqlite_restored import revision_wins
from .step_settings import step_settings
from .steps import call_step
from .steps import step_comment
from .steps import step_direction
from .steps import step_name
from .steps import step_removed
from .table_locks import is_lock_error
from .table_locks import table_locks
from .version_table import read_heads

if t.TYPE_CHECKING:
    import sqlalchemy as sa
    from alembic.runtime.migration import MigrationContext
    from alembic.runtime.migration import MigrationStep

    from .locks import Lock
    from .run_settings import RunSettings
    from .table_locks import TableLocks

    Work = t.Callable[
        [tuple[str, ...], MigrationContext], t.Iterable[MigrationStep] | None
    ]

# Where Alembic tells of steps itself, and users look for it.
_log = logging.getLogger("alembic.runtime.migration")


class DatabaseRun:
    """A database, from the question what to run there to the last commit.

    :param name: Its name.
    :param context: Its context, not in a transaction of ours.
    :param names: The names of all databases, also of those that are left alone.
    :param settings: How to run.
    """

    def __init__(
        self,
        name: str,
        context: MigrationContext,
        names: t.Collection[str],
        settings: RunSettings,
    ) -> None:
        self.name: str = name
        self.context: MigrationContext = context
        self.names: t.Collection[str] = names
        self.settings: RunSettings = settings
        self.heads: tuple[str, ...] = ()
        self.standing: tuple[str, ...] = ()
        """The ids in the version table, as they were committed last."""
        self.steps: list[MigrationStep] = []
        self.log: StatementLog = self._new_log()
        self.applied_log: AppliedLog = AppliedLog(context, name)
        self.maintainer: Maintainer = Maintainer(context, ())
        self.check: t.Callable[[], None] = _nothing
        """Lets deferred constraints fail, while every database can roll back."""
        self._table_locks: TableLocks = table_locks(None)
        self._transaction: LogicalTransaction | None = None
        self._stood: list[set[str]] = []

    @property
    def rolls_back_ddl(self) -> bool:
        """Whether the database can."""
        return self.context.impl.transactional_ddl

    @property
    def unanswered(self) -> str | None:
        """The statement that the server may still be at work on after an interruption,
        and that a rollback does not undo.
        """
        connection = self.context.connection

        if connection is None or self.context.as_sql or self.rolls_back_ddl:
            return None

        # SQLAlchemy gives a connection up when it is interrupted within a statement.
        return self.log.sent if connection.invalidated else None

    @property
    def is_borrowed(self) -> bool:
        """Whether somebody else will commit, or nothing is connected."""
        return alembic_internals.in_external_transaction(self.context)

    @property
    def can_run_again(self) -> bool:
        """Whether nothing that ran since the transaction began outlasts a rollback, and
        that is ours to do.
        """
        return not self.is_borrowed and not self.log.complete and not self.log.kept

    def is_locked(self, error: BaseException) -> bool:
        """Whether a step failed because of a lock that others will let go.

        :param error: What it raised.
        :return: ``True`` if so. In somebody else's transaction that is theirs to see.
        """
        return not self.is_borrowed and is_lock_error(error, self.context.dialect.name)

    def settings_of(self, step: MigrationStep) -> RunSettings:
        """How to run a step.

        :param step: The step.
        :return: The settings of the run, with those of the revision on top.
        :raises RevisionFileError: If one of those can't be used.
        """
        location = self.context.script.dir if self.context.script else ""
        return step_settings(step, self.settings, location)

    def ask(self, work: Work) -> None:
        """Ask the work for the steps. It may do something to the database too, which
        lasts.

        :param work: Called with the heads and the context.
        """
        context = self.context
        self.heads = read_heads(context, self.name)

        with alembic_internals.proxies(make_operations(context)):
            self.steps = list(work(self.heads, context) or ())

        for step in self.steps:
            self.settings_of(step)  # a value may be wrong

        self._end_read()
        self.standing = self.heads
        unknown = History(context.script).unknown(self.heads) if context.script else ()
        known = [id_ for id_ in self.heads if id_ not in unknown]
        self.maintainer = Maintainer(context, known, unknown)

    def find_lock(self) -> Lock | None:
        """The lock that keeps other runs off the database.

        :return: The lock, or ``None`` if it has none.
        """
        lock = find_lock(self.context, self.name, self.settings.lock)
        self._end_read()
        return lock

    def was_overtaken(self) -> bool:
        """Whether another run has changed the heads since the work was asked."""
        if self.context.as_sql:
            return False

        now = read_heads(self.context, self.name)
        self._end_read()
        return set(now) != set(self.heads)

    @contextmanager
    def migrating(self) -> t.Iterator[None]:
        """Prepare the database for all steps of the run."""
        connection = self.context.connection

        if self.steps and self.settings.history:
            self.applied_log.prepare()

        if connection is None or self.is_borrowed:
            yield
            return

        self._table_locks = table_locks(connection)

        with self._table_locks.running(), self._checking(connection):
            yield

    @contextmanager
    def _checking(self, connection: sa.Connection) -> t.Iterator[None]:
        if self.context.dialect.name == "postgresql":
            self.check = lambda: _check_deferred(connection)
            yield
        else:
            with sqlite.migrating(connection) as self.check:
                yield

    def announce(self, step: MigrationStep) -> None:
        """Let a script say what comes.

        :param step: The step.
        """
        if self.context.as_sql:
            self.context.impl.static_output(step_comment(step))

    def begin(self) -> None:
        """Begin a transaction."""
        self.log = self._new_log()
        self._stood = []
        self._transaction = alembic_internals.begin_transaction(self.context)

    def apply(self, step: MigrationStep, kwargs: t.Mapping[str, t.Any]) -> AppliedStep:
        """Run a step, and write that to the version table.

        :param step: The step.
        :param kwargs: For the function of the revision.
        :return: What was done.
        """
        started = time.perf_counter()
        _log.info("Running %s", step)
        self._stood.append(set(self.maintainer.heads))
        self.log.begin_step(step_name(step))

        if not self.maintainer.heads:
            alembic_internals.ensure_version_table(self.context)

        self._call(step, kwargs)
        self.maintainer.update_to_step(t.cast(t.Any, step))
        self._tell_callbacks(step, kwargs)
        seconds = time.perf_counter() - started
        self.applied_log.write(step, seconds)
        return AppliedStep(
            database=self.name,
            revision=step_name(step),
            direction=step_direction(step),
            message=step.doc or "",
            seconds=seconds,
            removed=step_removed(step),
        )

    def commit(self) -> None:
        """Commit, if that is ours to do."""
        if self._transaction is not None:
            self._transaction.commit()

        self._transaction = None
        self.standing = self.maintainer.rows

    def roll_back(self) -> None:
        """Roll back, if that is ours to do."""
        if self._transaction is not None:
            # If the connection is gone the server has rolled back, and what is worth
            # telling is why we got here.
            with suppress(Exception):
                self._transaction.rollback()

        self._transaction = None

        if self._stood:
            self.maintainer.heads = self._stood[self.log.complete]

        # An autocommit_block() has committed the steps before its own too.
        if self.log.complete:
            self.standing = self.maintainer.rows

    def _call(self, step: MigrationStep, kwargs: t.Mapping[str, t.Any]) -> None:
        with ExitStack() as stack:
            if self.context.connection is not None and not self.context.as_sql:
                stack.enter_context(self.log.listening(self.context.connection))

            limit = self.settings_of(step).ddl_lock_timeout
            stack.enter_context(self._table_locks.limited(limit))
            stack.enter_context(revision_wins(self.context))
            stack.enter_context(
                alembic_internals.proxies(make_operations(self.context))
            )
            call_step(
                step,
                kwargs,
                engine_name=identifier(self.name),
                is_default=self.name == default_name(self.names),
                several=len(self.names) > 1,
            )

    def _tell_callbacks(
        self, step: MigrationStep, kwargs: t.Mapping[str, t.Any]
    ) -> None:
        for callback in self.context.on_version_apply_callbacks:
            callback(
                ctx=self.context,
                step=t.cast(t.Any, step).info,
                heads=set(self.maintainer.heads),
                run_args=dict(kwargs),
            )

    def _new_log(self) -> StatementLog:
        return StatementLog(rolls_back_ddl=self.context.impl.transactional_ddl)

    def _end_read(self) -> None:
        """Nothing on another connection is to wait for a transaction of ours."""
        if self.context.connection is not None and not self.is_borrowed:
            self.context.connection.commit()


def _nothing() -> None:
    """The check of a database that has nothing to check."""


def _check_deferred(connection: sa.Connection) -> None:
    connection.exec_driver_sql("SET CONSTRAINTS ALL IMMEDIATE")
