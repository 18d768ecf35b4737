"""One database during one run: its transaction, and how a step is run there. The order
of steps and what happens to other databases is the runner's.
"""

from __future__ import annotations

import logging
import time
import typing as t
from contextlib import contextmanager

from sqlalchemy.exc import OperationalError

from . import alembic_internals
from .applied_log import AppliedLog
from .async_operations import make_operations
from .databases import default_name
from .databases import identifier
from .deferred import checking
from .deferred import no_check
from .journal import Journal
from .journal import mark
from .journal import open_journal
from .locks import find_lock
from .reports import AppliedStep
from .sqlite import is_busy
from .step_run import tell_callbacks
from .step_run import watched
from .step_settings import step_settings
from .steps import call_step
from .steps import step_comment
from .steps import step_direction
from .steps import step_name
from .steps import step_removed
from .table_locks import is_lock_error
from .table_locks import table_locks
from .transactions import DatabaseTransaction
from .version_table import read_heads

if t.TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext
    from alembic.runtime.migration import MigrationStep

    from .kept import StatementLog
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
    :param took_effect: Of a statement that an earlier run was ended in: whether it did,
        where the user says so.
    """

    def __init__(
        self,
        name: str,
        context: MigrationContext,
        names: t.Collection[str],
        settings: RunSettings,
        took_effect: bool | None = None,
    ) -> None:
        self.name: str = name
        self.context: MigrationContext = context
        self.names: t.Collection[str] = names
        self.settings: RunSettings = settings
        self.heads: tuple[str, ...] = ()
        self.steps: list[MigrationStep] = []
        self.transaction: DatabaseTransaction = DatabaseTransaction(context)
        self.check: t.Callable[[], None] = no_check
        """Lets deferred constraints fail, while every database can roll back."""
        self._table_locks: TableLocks = table_locks(None)
        self._applied_log: AppliedLog = AppliedLog(context, name)
        self._took_effect = took_effect
        self._is_busy = False
        self._journal: Journal | None = open_journal(
            context, name, is_on=settings.journal
        )

    @property
    def has_work(self) -> bool:
        """Whether there are or may be steps, or a revision is half done."""
        is_half_done = bool(self._journal and self._journal.found)
        return bool(self.steps) or self._is_busy or is_half_done

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
        """Ask the work for the steps while other runs are not kept off. If SQLite can't
        be read because one of them writes, that is left until it has ended.

        :param work: Called with the heads and the context.
        """
        try:
            self.ask(work)
        except OperationalError as error:
            if self.is_borrowed or not is_busy(error):
                raise

            self._is_busy = True
            self._end_read()

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

        if self._journal is not None:
            self._journal.read()

        self._end_read()
        self.transaction.stand_at(self.heads)

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

        if self._is_busy:
            return True

        now = read_heads(self.context, self.name)
        self._end_read()
        return set(now) != set(self.heads)

    def check_half_done(self) -> None:
        """Check that a revision which is half done comes first. Other runs must be kept
        off: it may be at work.

        :raises HalfDoneError: If it does not.
        """
        if self._journal is not None:
            self._journal.read()
            self._journal.forget_stale(self.heads)

            if self._took_effect is not None:
                mark(self._journal, done=self._took_effect)

            self._journal.check_first(self.steps, self.heads)
            self._end_read()

    @contextmanager
    def migrating(self) -> t.Iterator[None]:
        """Prepare the database for all steps of the run."""
        connection = self.context.connection

        if self.steps and self.settings.history:
            self._applied_log.prepare()

        if connection is None or self.is_borrowed:
            yield
            return

        self._table_locks = table_locks(connection)

        with self._table_locks.running(), checking(connection) as self.check:
            yield

    def announce(self, step: MigrationStep) -> None:
        """Let a script say what comes.

        :param step: The step.
        """
        if self.context.as_sql:
            self.context.impl.static_output(step_comment(step))

    def begin(self) -> None:
        """Begin a transaction."""
        journal = self._journal

        if journal is not None and journal.table.commits_ddl:
            # What is read in a transaction of theirs stays as it was.
            journal.read()
            self._end_read()

        self.transaction.begin()

        if journal is not None and not journal.table.commits_ddl:
            journal.read()

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
        self._applied_log.write(step, seconds)
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
                self.context, step, self.log, self._journal, self.standing
            ) as skipped,
            self._table_locks.limited(limit),
        ):
            call_step(
                step,
                kwargs,
                engine_name=identifier(self.name),
                is_default=self.name == default_name(self.names),
                several=len(self.names) > 1,
            )

        return len(skipped)

    def _end_read(self) -> None:
        """Nothing on another connection is to wait for a transaction of ours."""
        if self.context.connection is not None and not self.is_borrowed:
            self.context.connection.commit()
