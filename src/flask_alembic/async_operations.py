"""Alembic's operations, whose ``run_async()`` needs no event loop of the caller's."""

from __future__ import annotations

import typing as t

from alembic.operations import Operations

from .async_driver import CarriedConnection

_T = t.TypeVar("_T")


class CarriedOperations(Operations):
    """What ``op`` is, on any database."""

    def run_async(
        self,
        async_function: t.Callable[..., t.Awaitable[_T]],
        *args: t.Any,
        **kw_args: t.Any,
    ) -> _T:
        """Call a coroutine function with SQLAlchemy's ``AsyncConnection``, which is in
        the same transaction.

        :param async_function: The function.
        :param args: More arguments for it.
        :param kw_args: More arguments for it.
        :return: Its result.
        """
        connection = self.migration_context.connection
        driver = None if connection is None else connection.connection.dbapi_connection

        if connection is None or not isinstance(driver, CarriedConnection):
            # Alembic says why not.
            return super().run_async(async_function, *args, **kw_args)

        from sqlalchemy.ext.asyncio import AsyncConnection
        from sqlalchemy.ext.asyncio import AsyncEngine

        async_connection = AsyncConnection(AsyncEngine(connection.engine), connection)
        result: _T = driver.run_async(
            lambda _: async_function(async_connection, *args, **kw_args)
        )
        return result
