"""One database during one run: its transaction, and how a step is run there. The order
of steps and what happens to other databases is the runner's.
"""

from __future__ import annotations

import logging
import time
import typing as t
from contextlib import contextmanager

from . import alembic_internals
from .applied_log import AppliedLog
from .asked import Asked
from .databases import default_name
from .databases import identifier
from .deferred import checking
from .deferred import no_check
from .journal import Journal
from .journal import open_journal
from .listening import listened_to
from .lock_errors import is_lock_error
from .locks import find_lock
from .reports import AppliedStep
from .step_run import tell_callbacks
from .step_run import watched
from .step_settings import step_settings
from .steps import call_step
from .steps import step_comment
from .steps import step_direction
from .steps import step_name
from .steps import step_removed
from .table_locks import table_locks
from .transactions import DatabaseTransaction

if t.TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext
    from alembic.runtime.migration import MigrationStep

    from .kept import StatementLog
    from .locks import Lock
    from .run_settings import RunSettings
    from .table_locks import TableLocks
    from .tapes import Recorder

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
    :param recorder: What makes tapes of the steps, for other databases.
    """

    def __init__(
        self,
        name: str,
        context: MigrationContext,
        names: t.Collection[str],
        settings: RunSettings,
        *,
        recorder: Recorder | None = None,
    ) -> None:
        self.name: str = name
        self.context: MigrationContext = context
        self.names: t.Collection[str] = names
        self.settings: RunSettings = settings
        self.transaction: DatabaseTransaction = DatabaseTransaction(context)
        self.check: t.Callable[[], None] = no_check
        """Lets deferred constraints fail, while every database can roll back."""
        self.table_locks: TableLocks = table_locks(None)
        self.applied_log: AppliedLog = AppliedLog(context, name)
        self._recorder = recorder
        self._is_run_again = False
        self._journal: Journal | None = open_journal(
            context, name, is_on=settings.journal
        )
        self.asked: Asked = Asked(context, name, settings, self._journal)

    @property
    def steps(self) -> list[MigrationStep]:
        """What is to be run."""
        return self.asked.steps

    @property
    def is_half_done(self) -> bool:
        """Whether a revision is, as it is noted."""
        return self._journal is not None and bool(self._journal.found)

    def read_journal(self) -> None:
        """Read what is half done, while other runs are kept off."""
        if self._journal is not None:
            self._journal.read()

    @property
    def is_noted(self) -> bool:
        """Whether a run goes on where the one before failed."""
        return self._journal is not None and self._journal.is_working

    @property
    def rolls_back_ddl(self) -> bool:
        """Whether the database can."""
        return self.context.impl.transactional_ddl

    @property
    def log(self) -> StatementLog:
        """The statements of the transaction."""
        return self.transaction.log

    @property
    def standing(self) -> tuple[str, ...]:
        """The ids in the version table, as they were committed last."""
        return self.transaction.standing

    @property
    def is_borrowed(self) -> bool:
        """Whether somebody else will commit, or nothing is connected."""
        return alembic_internals.in_external_transaction(self.context)

    @property
    def can_run_again(self) -> bool:
        """Whether what ran since the transaction began is undone by a rollback, or
        skipped by the next try, and that is ours to do.
        """
        is_whole = not self.log.kept or self.is_noted
        return not self.is_borrowed and not self.log.complete and is_whole

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
        return step_settings(step, self.settings, self.context)

    def ask_early(self, work: Work) -> None:
        """Ask for the steps while other runs are not kept off.

        :param work: Called with the heads and the context.
        """
        self.asked.ask_early(work)
        self.transaction.stand_at(self.asked.heads)

    def ask_again(self, work: Work) -> None:
        """Ask for the steps while other runs are kept off, if that gives others: asking
        may do something.

        :param work: Called with the heads and the context.
        """
        if self.asked.was_overtaken():
            self.asked.ask(work)
            self.transaction.stand_at(self.asked.heads)

    def find_lock(self) -> Lock | None:
        """The lock that keeps other runs off the database.

        :return: The lock, or ``None`` if it has none.
        """
        lock = find_lock(self.context, self.name, self.settings.lock)
        self.asked.end_read()
        return lock

    @contextmanager
    def migrating(self) -> t.Iterator[None]:
        """Prepare the database for all steps of the run."""
        connection = self.context.connection

        if connection is None or self.is_borrowed:
            yield
            return

        self.table_locks = table_locks(connection)

        with (
            listened_to(connection),
            self.table_locks.running(),
            checking(connection, self._may_defer) as self.check,
        ):
            yield

    def _may_defer(self) -> bool:
        # Of a single database, the commit itself tells.
        return len(self.names) > 1 or not self.log.is_ddl

    def announce(self, step: MigrationStep) -> None:
        """Let a script say what comes.

        :param step: The step.
        """
        if self.context.as_sql:
            self.context.impl.static_output(step_comment(step))

    def begin(self) -> None:
        """Begin a transaction."""
        if self._journal is not None and self._is_run_again:
            self._journal.read()

        # Here, where all is tried again if a database is busy.
        if self.settings.history:
            self.applied_log.prepare()

        self.transaction.begin()

    def roll_back(self) -> None:
        """Roll it back. What was committed all the same is skipped by the next try."""
        self.transaction.roll_back()
        self._is_run_again = True

    def apply(self, step: MigrationStep, kwargs: t.Mapping[str, t.Any]) -> AppliedStep:
        """Run a step, and write that to the version table.

        :param step: The step.
        :param kwargs: For the function of the revision.
        :return: What was done.
        """
        started = time.perf_counter()
        _log.info("Running %s", step)
        maintainer = self.transaction.maintainer
        self.transaction.begin_step(step_name(step))

        if not maintainer.heads:
            alembic_internals.ensure_version_table(self.context)

        continued = self._call(step, kwargs)
        maintainer.update_to_step(t.cast(t.Any, step))
        forgotten = self._journal.finish(step) if self._journal is not None else ()
        tell_callbacks(self.context, step, maintainer.heads, kwargs)
        seconds = time.perf_counter() - started
        self.applied_log.write(step, seconds)
        return AppliedStep(
            database=self.name,
            revision=step_name(step),
            direction=step_direction(step),
            message=step.doc or "",
            seconds=seconds,
            removed=step_removed(step),
            continued=continued,
            forgotten=forgotten,
        )

    def _call(self, step: MigrationStep, kwargs: t.Mapping[str, t.Any]) -> int:
        """Run a step.

        :return: How many of its statements an earlier run had done.
        """
        limit = self.settings_of(step).ddl_lock_timeout

        with (
            watched(
                self.context,
                step,
                self.log,
                self._journal,
                self.standing,
                self._recorder,
            ) as skipped,
            self.table_locks.limited(limit),
        ):
            call_step(
                step,
                kwargs,
                engine_name=identifier(self.name),
                is_default=self.name == default_name(self.names),
                several=len(self.names) > 1,
            )

        return len(skipped)
