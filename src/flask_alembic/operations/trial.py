"""A transaction that is always rolled back, and that nothing in it can commit."""

from __future__ import annotations

import sqlite3
import threading
import typing as t
from contextlib import contextmanager
from contextlib import ExitStack
from contextlib import suppress

import sqlalchemy as sa
from alembic.runtime.migration import MigrationContext
from sqlalchemy import event

from .. import alembic_internals
from .. import sqlite
from ..errors import FlaskAlembicError

_GUARD: t.Final = "flask_alembic_no_commit"


class Trial:
    """What is tried on one database.

    :param connection: Its connection.
    """

    def __init__(self, connection: sa.Connection) -> None:
        self.connection = connection
        self.check: t.Callable[[], None] = lambda: None
        """Lets checks fail that are put off to the commit."""
        self.refused: bool = False
        """Whether something wanted to end the transaction."""
        self._thread = threading.get_ident()

    def was_left(self) -> bool:
        """Whether something ended the transaction, or wanted to.

        :return: ``True`` if so.
        """
        return self.refused

    def refuse(self, connection: sa.Connection) -> None:
        """Refuse to commit or roll back, for SQLAlchemy's events.

        :param connection: The connection. Those of other threads are none of ours.
        :raises FlaskAlembicError: In this thread.
        """
        if threading.get_ident() == self._thread:
            self.refused = True
            raise FlaskAlembicError("This is tried, and can't be committed.")

    @contextmanager
    def guarded(self) -> t.Iterator[None]:
        """Refuse whatever ends the transaction, for a while, and what a revision would
        commit on another connection of the same engine.
        """
        targets = ((self.connection.engine, "commit"), (self.connection, "rollback"))

        for target, name in targets:
            event.listen(target, name, self.refuse)

        try:
            yield
        finally:
            for target, name in targets:
                event.remove(target, name, self.refuse)


class _PostgreSQLTrial(Trial):
    """A constraint that is broken, and checked at the commit, makes each commit fail:
    that of a driver, and one in the midst of several statements.
    """

    @contextmanager
    def guarded(self) -> t.Iterator[None]:
        self.connection.exec_driver_sql(
            f"CREATE TEMPORARY TABLE {_GUARD}"
            " (id integer UNIQUE DEFERRABLE INITIALLY DEFERRED)"
        )
        self.connection.exec_driver_sql(f"INSERT INTO {_GUARD} VALUES (1), (1)")

        with super().guarded():
            yield

    def was_left(self) -> bool:
        if self.refused:
            return True

        try:
            name = self.connection.exec_driver_sql(
                f"SELECT to_regclass('pg_temp.{_GUARD}')"
            ).scalar()
        except sa.exc.SQLAlchemyError:
            # An error before this one; the transaction is still there.
            return False

        return name is None


class _SQLiteTrial(Trial):
    """SQLite asks before each statement, and the driver's own methods are some."""

    @contextmanager
    def guarded(self) -> t.Iterator[None]:
        driver: t.Any = self.connection.connection.dbapi_connection
        set_authorizer = getattr(driver, "set_authorizer", lambda callback: None)
        set_authorizer(self._authorize)

        try:
            with super().guarded():
                yield
        finally:
            set_authorizer(None)

    def _authorize(self, action: int, *args: t.Any) -> int:
        if action != sqlite3.SQLITE_TRANSACTION:
            return sqlite3.SQLITE_OK

        self.refused = True
        return sqlite3.SQLITE_DENY


_TRIALS: t.Final = {"postgresql": _PostgreSQLTrial, "sqlite": _SQLiteTrial}


def can_try(context: MigrationContext) -> bool:
    """Whether a database undoes DDL, and can be kept from committing it.

    :param context: Its context.
    :return: ``True`` if it does.
    """
    return context.dialect.name in _TRIALS and context.impl.transactional_ddl


@contextmanager
def begin_trial(context: MigrationContext) -> t.Iterator[Trial]:
    """Try something on a database.

    :param context: Its context.
    """
    connection = t.cast(sa.Connection, context.connection)
    trial = _TRIALS[context.dialect.name](connection)
    is_external = alembic_internals.in_external_transaction(context)

    with ExitStack() as stack:
        if not is_external:
            # What was read so far.
            connection.rollback()
            trial.check = stack.enter_context(sqlite.migrating(connection))

        stack.enter_context(_undone(context, connection, is_external))
        stack.enter_context(trial.guarded())
        yield trial


@contextmanager
def _undone(
    context: MigrationContext, connection: sa.Connection, is_external: bool
) -> t.Iterator[None]:
    transaction: t.Any = (
        connection.begin_nested()
        if is_external
        else alembic_internals.begin_transaction(context)
    )

    try:
        yield
    finally:
        # If the connection is gone the server has rolled back.
        with suppress(Exception):
            transaction.rollback()

        # After a commit that was refused SQLAlchemy takes the transaction for over.
        if not is_external and not connection.invalidated:
            driver: t.Any = connection.connection.dbapi_connection
            driver.rollback()
