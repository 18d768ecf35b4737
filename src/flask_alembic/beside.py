"""One more connection to a database, outside of the app's pool and of SQLAlchemy."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .errors import ConnectionFailed
from .redaction import redact

if t.TYPE_CHECKING:
    import sqlalchemy as sa


@dataclass(frozen=True)
class ConnectionBeside:
    """A connection of the driver's, and the pool that was made for it alone."""

    driver: t.Any
    opened: sa.PoolProxiedConnection
    pool: sa.Pool

    def close(self, *, is_broken: bool = False) -> None:
        """End it.

        :param is_broken: Whether it does not answer. The pool would ask it to roll
            back, and log why that failed.
        """
        try:
            if is_broken:
                self.opened.invalidate()
            else:
                self.opened.close()
        finally:
            self.pool.dispose()


def open_beside(connection: sa.Connection, database: str) -> ConnectionBeside:
    """Open one more connection to a database, in the same way. The app's pool does not
    know it, so that it is there even if all in that pool are in use.

    :param connection: A connection to the database.
    :param database: The name of the database.
    :return: The connection.
    :raises ConnectionFailed: If the database gives no other one.
    """
    pool = connection.engine.pool.recreate()

    try:
        opened = pool.connect()
    except Exception as error:
        pool.dispose()
        raise beside_failed(error, connection.engine, database) from None

    return ConnectionBeside(opened.dbapi_connection, opened, pool)


def beside_failed(
    error: Exception, engine: sa.Engine, database: str
) -> ConnectionFailed:
    """Make the error for what went wrong on such a connection.

    :param error: What the driver raised.
    :param engine: The engine.
    :param database: The name of the database.
    :return: The error to raise.
    """
    reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
    return ConnectionFailed(
        f"The connection that holds the lock on the database '{database}' failed:"
        f" {redact(reason, engine)}",
        database=database,
        orig=error,
        hint="A run needs a second connection to the server, which may have no more to"
        " give. ALEMBIC['lock'] = False does without.",
    )
