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
from .async_operations import make_operations
from .databases import default_name
from .databases import identifier
from .history import History
from .invalid_indexes import dropping
from .journal import Journal
from .journal import open_journal
from .kept import StatementLog
from .reports import AppliedStep
from .steps import call_step
from .steps import step_comment
from .steps import step_direction
from .steps import step_name
from .steps import step_removed
from .version_table import read_heads

if t.TYPE_CHECKING:
    import sqlalchemy as sa
    from alembic.runtime.migration import MigrationContext
    from alembic.runtime.migration import MigrationStep

    from .run_settings import RunSettings

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
        self.maintainer: Maintainer = Maintainer(context, ())
        self.check: t.Callable[[], None] = _nothing
        """Lets deferred constraints fail, while every database can roll back."""
        self._transaction: LogicalTransaction | None = None
        self._before: tuple[str, ...] = ()
        self._journal: Journal | None = open_journal(
            context, name, is_on=settings.journal
        )

    @property
    def is_noted(self) -> bool:
        """Whether a run goes on where the one before failed."""
        return self._journal is not None and self._journal.is_working

    @property
    def can_run_again(self) -> bool:
        """Whether the revision that failed may run once more as it is."""
        return self.is_noted or not self.log.kept

    @property
    def rolls_back_ddl(self) -> bool:
        """Whether the database can."""
        return self.context.impl.transactional_ddl

    @property
    def is_borrowed(self) -> bool:
        """Whether somebody else will commit, or nothing is connected."""
        return alembic_internals.in_external_transaction(self.context)

    def ask(self, work: Work) -> None:
        """Ask the work for the steps. It may do something to the database too, which
        lasts.

        :param work: Called with the heads and the context.
        """
        context = self.context
        self.heads = read_heads(context, self.name)

        with alembic_internals.proxies(make_operations(context)):
            self.steps = list(work(self.heads, context) or ())

        self._read_journal()
        self._end_read()
        self.standing = self.heads
        unknown = History(context.script).unknown(self.heads) if context.script else ()
        known = [id_ for id_ in self.heads if id_ not in unknown]
        self.maintainer = Maintainer(context, known, unknown)

    def was_overtaken(self) -> bool:
        """Whether another run has changed the heads since the work was asked."""
        now = read_heads(self.context, self.name)
        self._end_read()
        return set(now) != set(self.heads)

    @contextmanager
    def migrating(self) -> t.Iterator[None]:
        """Prepare the database for all steps of the run."""
        connection = self.context.connection

        if connection is None or self.is_borrowed:
            yield
        elif self.context.dialect.name == "postgresql":
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
        self._before = tuple(self.maintainer.heads)

        if self._journal is None:
            self._transaction = alembic_internals.begin_transaction(self.context)
        elif self._journal.table.commits_ddl:
            # What is read in a transaction of theirs stays as it was.
            self._journal.read()
            self._end_read()
            self._transaction = alembic_internals.begin_transaction(self.context)
        else:
            self._transaction = alembic_internals.begin_transaction(self.context)
            self._journal.read()

    def apply(self, step: MigrationStep, kwargs: t.Mapping[str, t.Any]) -> AppliedStep:
        """Run a step, and write that to the version table.

        :param step: The step.
        :param kwargs: For the function of the revision.
        :return: What was done.
        """
        started = time.perf_counter()
        _log.info("Running %s", step)

        if not self.maintainer.heads:
            alembic_internals.ensure_version_table(self.context)

        continued = self._call(step, kwargs)
        self.maintainer.update_to_step(t.cast(t.Any, step))
        forgotten = self._journal.finish(step) if self._journal is not None else ()
        self._tell_callbacks(step, kwargs)
        return AppliedStep(
            database=self.name,
            revision=step_name(step),
            direction=step_direction(step),
            message=step.doc or "",
            seconds=time.perf_counter() - started,
            removed=step_removed(step),
            continued=continued,
            forgotten=forgotten,
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
        self.maintainer.heads = set(self._before)

    def _call(self, step: MigrationStep, kwargs: t.Mapping[str, t.Any]) -> int:
        """Run a step.

        :return: How many of its statements an earlier run had done.
        """
        connection, journal, skipped = self.context.connection, self._journal, []

        with ExitStack() as stack:
            if connection is not None and not self.context.as_sql:
                # In this order: the log has to see what the journal replaces.
                stack.enter_context(self.log.listening(connection))

                if journal is not None:
                    guard = stack.enter_context(journal.guarding(step, self.standing))
                    skipped = guard.skipped

                stack.enter_context(dropping(connection))

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

        return len(skipped)

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

    def _read_journal(self) -> None:
        if self._journal is not None:
            self._journal.read()
            self._journal.forget_stale(self.heads)
            self._journal.check_first(self.steps, self.heads)

    def _end_read(self) -> None:
        """Nothing on another connection is to wait for a transaction of ours."""
        if self.context.connection is not None and not self.is_borrowed:
            self.context.connection.commit()


def _nothing() -> None:
    """The check of a database that has nothing to check."""


def _check_deferred(connection: sa.Connection) -> None:
    connection.exec_driver_sql("SET CONSTRAINTS ALL IMMEDIATE")
