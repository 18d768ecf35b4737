"""Alembic's operations, whose ``run_async()`` needs no event loop of the caller's."""

from __future__ import annotations

import typing as t
from functools import partial

from alembic.operations import Operations

from .async_driver import CarriedConnection

if t.TYPE_CHECKING:
    import sqlalchemy as sa
    from alembic.runtime.migration import MigrationContext

_T = t.TypeVar("_T")


def make_operations(context: MigrationContext) -> Operations:
    """Make what ``op`` is, for any database.

    :param context: The context to run operations on.
    :return: Alembic's operations.
    """
    operations = Operations(context)
    connection = context.connection

    if connection is None or context.as_sql:
        return operations

    if isinstance(_driver(connection), CarriedConnection):
        # In a subclass Alembic would not find it: "op" is made of one class.
        run = partial(_run_async, connection)
        operations.run_async = run  # type: ignore[method-assign]

    return operations


def _driver(connection: sa.Connection) -> t.Any:
    return connection.connection.dbapi_connection


def _run_async(
    connection: sa.Connection,
    async_function: t.Callable[..., t.Awaitable[_T]],
    *args: t.Any,
    **kw_args: t.Any,
) -> _T:
    from sqlalchemy.ext.asyncio import AsyncConnection
    from sqlalchemy.ext.asyncio import AsyncEngine

    async_connection = AsyncConnection(AsyncEngine(connection.engine), connection)
    result: _T = _driver(connection).run_async(
        lambda _: async_function(async_connection, *args, **kw_args)
    )
    return result
