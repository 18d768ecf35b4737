"""SQLite's DDL is transactional, but Python's driver begins no transaction for it.

On our connections, and only there, SQLAlchemy's begin sends a real ``BEGIN``. The app's
own connections and engine are left as they are.
"""

from __future__ import annotations

import typing as t

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.pool import SingletonThreadPool
from sqlalchemy.pool import StaticPool

_MODE: t.Final = "flask_alembic.begin"

# sqlite3.LEGACY_TRANSACTION_CONTROL, which Python 3.11 has no name for.
_LEGACY: t.Final = -1


def is_sqlite(engine: sa.Engine) -> bool:
    """Whether an engine is for SQLite.

    :param engine: Any engine.
    :return: ``True`` if it is.
    """
    return engine.dialect.name == "sqlite"


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
        return _driver_in_transaction(engine.pool.connection.dbapi_connection)

    if isinstance(engine.pool, SingletonThreadPool):
        # A second user in a thread shares the first one's connection, and closing it
        # does nothing.
        with engine.connect() as connection:
            return _driver_in_transaction(connection.connection.dbapi_connection)

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

    is_ours = not _begins_by_itself(connection, driver)

    if is_ours:
        event.listen(connection, "begin", _begin)

    def restore() -> None:
        if is_ours:
            event.remove(connection, "begin", _begin)

        connection.info.pop(_MODE, None)

        if autocommit != _LEGACY:
            driver.autocommit = autocommit

    return restore


def _begins_by_itself(connection: sa.Connection, driver: t.Any) -> bool:
    """Whether the user's engine has a hook that sends ``BEGIN`` already."""
    with connection.begin() as transaction:
        begun = bool(driver.in_transaction)
        transaction.rollback()

    return begun


def _driver_in_transaction(driver: t.Any) -> bool:
    # With autocommit=False the driver is always in a transaction, which tells nothing.
    is_legacy = getattr(driver, "autocommit", _LEGACY) == _LEGACY
    return is_legacy and bool(getattr(driver, "in_transaction", False))


def take_write_lock(connection: sa.Connection, on: bool) -> None:
    """Whether transactions take the write lock when they begin.

    A transaction that reads first and writes later fails at once if another process
    wrote in between; one that begins by writing waits its turn.

    :param connection: A connection, of any database.
    :param on: Whether they do from now on.
    """
    if connection.dialect.name == "sqlite":
        connection.info[_MODE] = "BEGIN IMMEDIATE" if on else "BEGIN"


def _begin(connection: sa.Connection) -> None:
    if connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
        connection.exec_driver_sql(connection.info.get(_MODE, "BEGIN"))
