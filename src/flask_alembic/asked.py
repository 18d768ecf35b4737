"""What is to be run on one database: asked before other runs are kept off, and again
while they are. How it is run is not known here.
"""

from __future__ import annotations

import typing as t

from sqlalchemy.exc import OperationalError

from . import alembic_internals
from .async_operations import make_operations
from .journal import mark
from .sqlite import is_busy
from .step_settings import step_settings
from .version_table import read_heads

if t.TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext
    from alembic.runtime.migration import MigrationStep

    from .journal import Journal
    from .run_settings import RunSettings

    Work = t.Callable[
        [tuple[str, ...], MigrationContext], t.Iterable[MigrationStep] | None
    ]


class Asked:
    """The steps for one database.

    :param context: Its context, not in a transaction of ours.
    :param database: Its name.
    :param settings: How to run.
    :param journal: What is half done there, if that is noted.
    """

    def __init__(
        self,
        context: MigrationContext,
        database: str,
        settings: RunSettings,
        journal: Journal | None,
    ) -> None:
        self.heads: tuple[str, ...] = ()
        self.steps: list[MigrationStep] = []
        self._context = context
        self._database = database
        self._settings = settings
        self._journal = journal
        self._is_open = True

    @property
    def has_work(self) -> bool:
        """Whether there are or may be steps, or a revision is half done."""
        is_half_done = bool(self._journal and self._journal.found)
        return self._is_open or bool(self.steps) or is_half_done

    def ask_early(self, work: Work) -> None:
        """Ask while other runs are not kept off, so that a run that finds nothing to do
        waits for nobody. If SQLite can't be read because another one writes, the
        question stays open until that has ended.

        :param work: Called with the heads and the context.
        """
        try:
            self.ask(work)

            if self._journal is not None:
                self._journal.read()
        except OperationalError as error:
            if self._is_borrowed or not is_busy(error):
                raise

            self._is_open = True
            self.end_read()

    def ask(self, work: Work) -> None:
        """Ask for the steps. The work may do something to the database too, which
        lasts.

        :param work: Called with the heads and the context.
        """
        context = self._context
        self.heads = read_heads(context, self._database)

        with alembic_internals.proxies(make_operations(context)):
            self.steps = list(work(self.heads, context) or ())

        for step in self.steps:
            step_settings(step, self._settings, context)  # a value may be wrong

        self.end_read()
        self._is_open = False

    def was_overtaken(self) -> bool:
        """Whether there is something to ask: nothing was asked yet, or another run has
        changed the heads since.
        """
        if self._context.as_sql:
            return False

        if self._is_open:
            return True

        now = read_heads(self._context, self._database)
        self.end_read()
        return set(now) != set(self.heads)

    def check_half_done(self, *, took_effect: bool | None) -> None:
        """Check that a revision which is half done comes first. Other runs must be kept
        off: it may be at work.

        :param took_effect: Of a statement that an earlier run was ended in: whether it
            did, where the user says so.
        :raises HalfDoneError: If it does not.
        """
        journal = self._journal

        if journal is None:
            return

        journal.read()
        journal.forget_stale(self.heads)

        if took_effect is not None:
            mark(journal, done=took_effect)

        journal.check_first(self.steps, self.heads)
        self.end_read()

    def end_read(self) -> None:
        """Nothing on another connection is to wait for a transaction of ours."""
        if self._context.connection is not None and not self._is_borrowed:
            self._context.connection.commit()

    @property
    def _is_borrowed(self) -> bool:
        return alembic_internals.in_external_transaction(self._context)
