"""A lock of the user's: the function in ``ALEMBIC["lock"]``."""

from __future__ import annotations

import typing as t

import sqlalchemy as sa

from .. import alembic_internals

if t.TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from alembic.runtime.migration import MigrationContext

    from ..lock_reports import LockHolder
    from ..run_settings import UsersLock
    from .kinds import Key


class OwnLock:
    """A context manager of the user's. It waits as long as it likes.

    :param context: The context of a database.
    :param database: Its name.
    :param function: Makes the context manager.
    """

    def __init__(
        self, context: MigrationContext, database: str, function: UsersLock
    ) -> None:
        self.database: str = database
        self._context = context
        self._connection = t.cast(sa.Connection, context.connection)
        # Only the function knows what is the same.
        self.key: Key = ("user", database, str(id(self._connection)))
        self.table: Key = ()
        self._function = function
        self._manager: AbstractContextManager[t.Any] | None = None

    def try_acquire(self) -> bool:
        """Enter it."""
        manager = self._function(self._connection, self.database)
        manager.__enter__()
        self._manager = manager
        self._end_transaction()
        return True

    def holder(self) -> LockHolder | None:
        """Nobody tells."""
        return None

    def how_to_end(self, holder: LockHolder) -> str | None:
        """Nobody tells."""
        return None

    def check(self) -> None:
        """It has nothing to check by."""

    def release(self) -> None:
        """Leave it."""
        if self._manager is not None:
            self._manager.__exit__(None, None, None)
            self._end_transaction()

    def _end_transaction(self) -> None:
        """Alembic must not find one that was begun to lock."""
        connection = self._connection
        is_ours = not alembic_internals.in_external_transaction(self._context)

        if is_ours and not connection.closed and not connection.invalidated:
            connection.commit()
