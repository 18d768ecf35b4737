"""Alembic's operations, whose ``run_async()`` needs no event loop of the caller's, and
whose batch mode loses nothing on SQLite.
"""

from __future__ import annotations

import typing as t
from contextlib import contextmanager
from functools import partial

from alembic.operations import Operations

from .alembic_batch import batch_by
from .async_driver import CarriedConnection

if t.TYPE_CHECKING:
    import sqlalchemy as sa
    from alembic.operations import AbstractOperations
    from alembic.operations import BatchOperations
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

    # In a subclass Alembic would not find them: "op" is made of one class.
    batch = partial(_batch_alter_table, operations)
    operations.batch_alter_table = batch  # type: ignore[method-assign]
    _carry(operations, connection)
    return operations


@contextmanager
def _batch_alter_table(
    operations: Operations, *args: t.Any, **kwargs: t.Any
) -> t.Iterator[BatchOperations]:
    context = operations.migration_context

    with Operations.batch_alter_table(operations, *args, **kwargs) as batch_op:
        _carry(batch_op, t.cast("sa.Connection", context.connection))

        if context.dialect.name == "sqlite":
            # Most runs need none of it.
            from .sqlite_batch.batch import make_anew

            batch_by(batch_op, make_anew)

        yield batch_op


def _carry(operations: AbstractOperations, connection: sa.Connection) -> None:
    if isinstance(_driver(connection), CarriedConnection):
        run = partial(_run_async, connection)
        operations.run_async = run  # type: ignore[method-assign]


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
