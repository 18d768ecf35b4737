"""The transaction of one database during a run: what it has done when it is committed
or rolled back, and where the database stands then.
"""

from __future__ import annotations

import typing as t
from contextlib import suppress

from . import alembic_internals
from .alembic_internals import LogicalTransaction
from .history import History
from .kept import StatementLog
from .version_rows import Maintainer

if t.TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext


class DatabaseTransaction:
    """A transaction, begun and ended for each unit of a run.

    :param context: The context of the database.
    """

    def __init__(self, context: MigrationContext) -> None:
        self.context: MigrationContext = context
        self.standing: tuple[str, ...] = ()
        """The ids in the version table, as they were committed last."""
        self.maintainer: Maintainer = Maintainer(context, ())
        self.log: StatementLog = self._new_log()
        self._transaction: LogicalTransaction | None = None
        self._stood: list[set[str]] = []

    def stand_at(self, heads: tuple[str, ...]) -> None:
        """Begin anew.

        :param heads: The ids in the version table.
        """
        script = self.context.script
        self.standing = heads
        unknown = History(script).unknown(heads) if script else ()
        known = [id_ for id_ in heads if id_ not in unknown]
        self.maintainer = Maintainer(self.context, known, unknown)

    @property
    def unanswered(self) -> str | None:
        """The statement that the server may still be at work on after an interruption,
        and that a rollback does not undo.
        """
        context, connection = self.context, self.context.connection

        if connection is None or context.as_sql or context.impl.transactional_ddl:
            return None

        # SQLAlchemy gives a connection up when it is interrupted within a statement.
        return self.log.sent if connection.invalidated else None

    def begin(self) -> None:
        """Begin it."""
        self.log = self._new_log()
        self._stood = []
        self._transaction = alembic_internals.begin_transaction(self.context)

    def begin_step(self, name: str) -> None:
        """Note that a step begins.

        :param name: Its name.
        """
        self._stood.append(set(self.maintainer.heads))
        self.log.begin_step(name)

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

    def _new_log(self) -> StatementLog:
        return StatementLog(rolls_back_ddl=self.context.impl.transactional_ddl)
