"""Taking a connection from an engine and giving it back. Nothing else opens one to work
on; beside.py opens one for the lock.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import PendingRollbackError

from . import sqlite
from .async_driver import driver_error
from .async_engines import in_foreign_transaction
from .async_engines import is_async
from .async_engines import sync_engine
from .errors import ConnectionFailed
from .errors import FlaskAlembicError
from .kept import Unsaved
from .look import gives_new_connections
from .redaction import redact_connecting
from .redaction import safe_url

if t.TYPE_CHECKING:
    from .databases import Database


@dataclass(frozen=True)
class OpenConnection:
    """A connection, and what to do with it at the end."""

    connection: sa.Connection
    is_external: bool
    is_pooled: bool = True
    is_borrowed: bool = False
    restore: t.Callable[[], None] | None = None
    unsaved: Unsaved | None = None

    @property
    def has_unsaved(self) -> bool:
        """Whether work is lost if the database is gone now."""
        # One that is not ours is not watched, so there may be.
        return self.is_borrowed or bool(self.unsaved and self.unsaved.is_there)

    @property
    def has_work(self) -> bool:
        """Whether a transaction is open that is ours to end."""
        return self.connection.in_transaction() and not self.is_external


def open_connection(database: Database, *, keep_pooled: bool) -> OpenConnection:
    """Connect to a database.

    :param database: The database.
    :param keep_pooled: Whether the connection goes back to the app's pool at the end.
        Otherwise the pool never sees it again: a server that forks its workers after
        a migration would hand one socket to all of them.
    :return: The connection.
    :raises ConnectionFailed: If the database can't be reached.
    """
    connection = _connect(database)

    try:
        return _prepare(database, connection, keep_pooled=keep_pooled)
    except BaseException:
        connection.close()
        raise


def _prepare(
    database: Database, connection: sa.Connection, *, keep_pooled: bool
) -> OpenConnection:
    if connection.in_transaction():
        if _is_shared(database.engine, connection):
            # A test's transaction: we run inside, and whoever began it ends it.
            return OpenConnection(connection, is_external=True)

        # An event hook of the engine's has set something up. It is to last.
        connection.commit()

    is_pooled = (
        keep_pooled
        # Its pool has lent nothing, and gets nothing back.
        or is_async(database.engine)
        or sqlite.pool_is_database(database.engine)
    )
    return OpenConnection(
        connection,
        is_external=False,
        is_pooled=is_pooled,
        restore=_begin_explicitly(connection),
        unsaved=Unsaved(connection),
    )


def borrow_connection(connection: sa.Connection) -> OpenConnection:
    """Use a connection of somebody else's, who closes it.

    :param connection: The connection. If it is in a transaction, we run inside, and
        whoever began it ends it.
    :return: The connection.
    """
    if connection.in_transaction():
        sqlite.begin_late(connection)
        return OpenConnection(connection, is_external=True)

    return OpenConnection(
        connection,
        is_external=False,
        is_borrowed=True,
        restore=_begin_explicitly(connection),
    )


def _begin_explicitly(connection: sa.Connection) -> t.Callable[[], None] | None:
    if sqlite.is_sqlite(connection.engine):
        return sqlite.begin_explicitly(connection)

    return None


def end_transaction(opened: OpenConnection, *, commit: bool) -> None:
    """End the transaction that is open, if it is ours.

    :param opened: A connection.
    :param commit: Whether its work lasts.
    """
    if opened.has_work:
        if commit:
            # PostgreSQL answers a commit after a failed statement by rolling back, and
            # says nothing. It refuses any other statement.
            if opened.connection.dialect.name == "postgresql":
                opened.connection.exec_driver_sql("SELECT 1").close()

            opened.connection.commit()
        else:
            opened.connection.rollback()


def close_connection(opened: OpenConnection, *, commit: bool = False) -> None:
    """End the transaction and give the connection back, or close it.

    :param opened: A connection.
    :param commit: Whether the work in its transaction lasts.
    """
    if opened.is_external:
        return

    try:
        end_transaction(opened, commit=commit)
    finally:
        if opened.restore is not None and not opened.connection.invalidated:
            opened.restore()

        if not opened.is_borrowed:
            _give_back(opened)


def is_gone(error: BaseException) -> bool:
    """Whether an error tells that the connection is lost.

    :param error: What was raised on a connection.
    :return: ``True`` if it does, or an error before it did.
    """
    is_lost = isinstance(error, DBAPIError) and error.connection_invalidated
    return is_lost or isinstance(error, PendingRollbackError)


def _give_back(opened: OpenConnection) -> None:
    # Not earlier: a detached connection can't change its isolation level, as
    # autocommit_block() does.
    if not opened.is_pooled and not opened.connection.invalidated:
        opened.connection.detach()

    opened.connection.close()


def _connect(database: Database) -> sa.Connection:
    engine = database.engine
    usable = sync_engine(engine, database.name)

    if in_foreign_transaction(engine):
        raise FlaskAlembicError(
            f"The database '{database.name}' is in memory, and the app is in a"
            " transaction on its only connection.",
            hint="Commit or roll back first: db.session.commit().",
        )

    try:
        return usable.connect()
    except _driver_errors(engine) as error:
        orig = driver_error(error) if isinstance(error, DBAPIError) else error
        text = next(iter(str(orig).strip().splitlines()), type(orig).__name__)
        reason = redact_connecting(text, engine)
        failed = _connection_failed(database, reason, orig or error)
        # What the driver said is shown with the error, unless there is a secret in it.
        is_open = redact_connecting(str(orig), engine) == str(orig)
        raise failed from (error if is_open else None)
    except DBAPIError as error:
        orig, text = error.orig or error, str(error.orig).strip()
        reason = redact_connecting(text, engine)

        if reason == text:
            raise

        raise _connection_failed(database, reason, orig) from None
    except (ArithmeticError, ImportError, TypeError, ValueError) as error:
        # Such as a password that the driver can't encode; it quotes the password.
        raise _connection_failed(database, type(error).__name__, error) from None


def _driver_errors(engine: sa.Engine) -> tuple[type[Exception], ...]:
    """What a driver raises that can't connect. asyncpg lets errors of the socket
    through, and SQLAlchemy 2.0 does so with asyncpg's own.
    """
    if not is_async(engine):
        return (OperationalError,)

    driver = getattr(engine.dialect.dbapi, engine.dialect.driver, None)
    names = ("PostgresError", "InterfaceError", "InternalClientError")
    own = [getattr(driver, name) for name in names if hasattr(driver, name)]
    return (DBAPIError, OSError, *own)


def _connection_failed(
    database: Database, reason: str, orig: BaseException
) -> ConnectionFailed:
    hint = (
        "Is the server running, and are the user, the password and the database's name"
        " right?"
    )

    if sqlite.is_sqlite(database.engine):
        hint = "Does the folder exist, and may this user read and write it?"

    return ConnectionFailed(
        f"Can't connect to the database '{database.name}' at"
        f" {safe_url(database.engine)}: {reason}",
        database=database.name,
        orig=orig,
        reason=reason,
        hint=hint,
    )


def _is_shared(engine: sa.Engine, connection: sa.Connection) -> bool:
    """Whether ``connect()`` gives everybody the same connection, as a test suite may
    arrange it by a function of its own.
    """
    if gives_new_connections(engine):
        return False

    again = engine.connect()

    if again is connection:
        return True

    again.close()
    return False
