"""SQLite's DDL is transactional, but Python's driver begins no transaction for it.

On our connections, and only there, SQLAlchemy's begin sends a real ``BEGIN``. The app's
own connections and engine are left as they are.
"""

from __future__ import annotations

import re
import sqlite3
import typing as t
from contextlib import contextmanager
from functools import partial

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import SingletonThreadPool
from sqlalchemy.pool import StaticPool

from .async_driver import driver_error

_MODE: t.Final = "flask_alembic.begin"
_PENDING: t.Final = "flask_alembic.begin_pending"

# It does nothing in a transaction. An app's own code may send it before a run.
_OUTSIDE: t.Final = re.compile(r"\s*PRAGMA\s+foreign_keys\b", re.IGNORECASE)

# sqlite3.LEGACY_TRANSACTION_CONTROL, which Python 3.11 has no name for.
_LEGACY: t.Final = -1


def is_sqlite(engine: sa.Engine) -> bool:
    """Whether an engine is for SQLite.

    :param engine: Any engine.
    :return: ``True`` if it is.
    """
    return engine.dialect.name == "sqlite"


def is_busy(error: BaseException) -> bool:
    """Whether a statement gave up because others write to the database.

    :param error: What was raised, on any database.
    :return: ``True`` for SQLite's "database is locked".
    """
    orig = driver_error(error) if isinstance(error, OperationalError) else None
    # The lower byte is the code that the others are kinds of:
    # https://www.sqlite.org/rescode.html#extrc
    code = getattr(orig, "sqlite_errorcode", None)
    return code is not None and code & 0xFF == sqlite3.SQLITE_BUSY


def pool_is_database(engine: sa.Engine) -> bool:
    """Whether the pool holds the only connection to a database in memory: closing
    that would empty the database.

    :param engine: Any engine.
    :return: ``True`` if it does.
    """
    return isinstance(engine.pool, (StaticPool, SingletonThreadPool))


def in_foreign_transaction(engine: sa.Engine) -> bool:
    """Whether the app is in a transaction on the one connection of a database in
    memory. Taking that connection and giving it back would roll the app's work back.

    :param engine: Any engine.
    :return: ``True`` if it is.
    """
    if not is_sqlite(engine):
        return False

    if isinstance(engine.pool, StaticPool):
        return _driver_in_transaction(engine.pool.connection.driver_connection)

    if isinstance(engine.pool, SingletonThreadPool):
        # A second user in a thread shares the first one's connection, and closing it
        # does nothing.
        with engine.connect() as connection:
            return _driver_in_transaction(connection.connection.driver_connection)

    return False


def begin_explicitly(connection: sa.Connection) -> t.Callable[[], None]:
    """Make transactions of a connection cover DDL.

    :param connection: A connection that is ours, not in a transaction.
    :return: Call it to give the driver's connection back as it was.
    """
    driver: t.Any = connection.connection.dbapi_connection
    autocommit = getattr(driver, "autocommit", _LEGACY)

    if autocommit != _LEGACY:
        driver.autocommit = _LEGACY
        driver.rollback()

    is_ours = not _begins_by_itself(connection)

    if is_ours:
        event.listen(connection, "begin", _begin)
        event.listen(connection, "before_cursor_execute", _begin_pending)

    def restore() -> None:
        if is_ours:
            event.remove(connection, "begin", _begin)
            event.remove(connection, "before_cursor_execute", _begin_pending)

        connection.info.pop(_MODE, None)
        connection.info.pop(_PENDING, None)

        if autocommit != _LEGACY:
            driver.autocommit = autocommit

    return restore


def begin_late(connection: sa.Connection) -> None:
    """Begin the transaction that SQLAlchemy believes a connection to be in, so that
    rolling it back undoes DDL too.

    :param connection: A connection of any database, in a transaction.
    """
    if is_sqlite(connection.engine):
        # Of aiosqlite, SQLAlchemy's adapter does not tell.
        driver: t.Any = connection.connection.driver_connection

        if not driver.in_transaction:
            _rows(connection.connection.dbapi_connection, "BEGIN")


def end_failed_commit(connection: sa.Connection) -> None:
    """Roll back what a commit has left open that others were in the way of. SQLAlchemy
    believes that it is over.

    :param connection: A connection of any database, in no transaction of SQLAlchemy's.
    """
    if is_sqlite(connection.engine) and not connection.invalidated:
        # Of aiosqlite, SQLAlchemy's adapter does not tell.
        driver: t.Any = connection.connection.driver_connection

        if driver.in_transaction:
            connection.connection.rollback()


def _begins_by_itself(connection: sa.Connection) -> bool:
    """Whether the user's engine has a hook that sends ``BEGIN`` already."""
    # Of aiosqlite, SQLAlchemy's adapter does not tell.
    driver: t.Any = connection.connection.driver_connection

    with connection.begin() as transaction:
        begun = bool(driver.in_transaction)
        transaction.rollback()

    return begun


def _driver_in_transaction(driver: t.Any) -> bool:
    # With autocommit=False the driver is always in a transaction, which tells nothing.
    is_legacy = getattr(driver, "autocommit", _LEGACY) == _LEGACY
    return is_legacy and bool(getattr(driver, "in_transaction", False))


@contextmanager
def migrating(connection: sa.Connection) -> t.Iterator[t.Callable[[], None]]:
    """Prepare a connection for migrations, of any database.

    On SQLite transactions take the write lock when they begin: one that reads first and
    writes later fails at once if another process wrote in between. And where foreign
    keys are checked, that is put off to the end of a revision. Batch mode drops a table
    to make it anew, and SQLite would delete the rows that refer to it, as described
    under "Making Other Kinds Of Table Schema Changes" in
    https://www.sqlite.org/lang_altertable.html.

    :param connection: A connection that is ours, not in a transaction.
    :return: To be called before each commit.
    """
    if connection.dialect.name != "sqlite":
        yield _nothing
        return

    driver: t.Any = connection.connection.dbapi_connection
    is_checked = bool(_rows(driver, "PRAGMA foreign_keys")[0][0])
    connection.info[_MODE] = "BEGIN IMMEDIATE"
    check: t.Callable[[], None] = _nothing

    if is_checked:
        # The pragma does nothing in a transaction, so SQLAlchemy must not begin one.
        _rows(driver, "PRAGMA foreign_keys=OFF")
        check = partial(_check_foreign_keys, driver, _orphans(driver))

    try:
        yield check
    finally:
        if not connection.closed and not connection.invalidated:
            connection.info.pop(_MODE, None)

            if is_checked:
                _rows(driver, "PRAGMA foreign_keys=ON")


def _nothing() -> None:
    """The check of a database that has nothing to check."""


def _check_foreign_keys(driver: t.Any, before: set[tuple[t.Any, ...]]) -> None:
    """Fail for rows that refer to no row, but not for those that did so before."""
    if orphans := sorted(_orphans(driver) - before, key=str):
        table, _, parent, _ = orphans[0]
        raise sqlite3.IntegrityError(
            f"FOREIGN KEY constraint failed: {len(orphans)} of the rows refer to none,"
            f" the first in {table} to {parent}"
        )


def _orphans(driver: t.Any) -> set[tuple[t.Any, ...]]:
    return set(_rows(driver, "PRAGMA foreign_key_check"))


def _rows(driver: t.Any, statement: str) -> list[tuple[t.Any, ...]]:
    cursor = driver.cursor()

    try:
        cursor.execute(statement)
        return [tuple(row) for row in cursor.fetchall()]
    finally:
        cursor.close()


def _begin(connection: sa.Connection) -> None:
    connection.info.pop(_PENDING, None)

    if connection.get_execution_options().get("isolation_level") == "AUTOCOMMIT":
        return

    if _MODE in connection.info:
        connection.exec_driver_sql(connection.info[_MODE])
    else:
        connection.info[_PENDING] = True


def _begin_pending(
    connection: sa.Connection, cursor: t.Any, statement: str, *args: t.Any
) -> None:
    if not _OUTSIDE.match(statement) and connection.info.pop(_PENDING, False):
        connection.exec_driver_sql("BEGIN")
