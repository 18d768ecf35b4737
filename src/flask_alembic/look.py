"""A look at where a database stands: one statement on a connection of the app's pool,
and nothing of Alembic. What is unusual is left to those who know more.
"""

from __future__ import annotations

import typing as t
from contextlib import contextmanager
from functools import cache

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from .sqlite import pool_is_database

_CONNECT: t.Final = sa.Engine.connect


def gives_new_connections(engine: sa.Engine) -> bool:
    """Whether ``connect()`` is SQLAlchemy's own, which gives a new connection to each
    caller. A test suite may put a function of its own in its place.

    :param engine: Any engine.
    :return: ``True`` if it is.
    """
    return getattr(engine.connect, "__func__", None) is _CONNECT


class Unusual(Exception):
    """It takes more than a look."""


@contextmanager
def looking(engine: sa.Engine, *, keep_pooled: bool) -> t.Iterator[sa.Connection]:
    """Connect for a while.

    :param engine: The engine.
    :param keep_pooled: Whether the connection goes back to the pool.
    :return: The connection. What is done on it is rolled back.
    :raises Unusual: If that can't be done, or is somebody else's connection.
    """
    if (
        engine.dialect.is_async
        or pool_is_database(engine)
        or not gives_new_connections(engine)
    ):
        raise Unusual

    try:
        connection = engine.connect()
    except Exception as error:  # of any driver; the ordinary way puts it in words
        raise Unusual from error

    try:
        with connection:
            if connection.in_transaction():
                raise Unusual

            yield connection

            if not keep_pooled:
                # A server may fork its workers after this.
                connection.detach()
    except SQLAlchemyError as error:
        raise Unusual from error


def version_ids(connection: sa.Connection, table: str, schema: str | None) -> list[str]:
    """The ids in the version table.

    :param connection: The connection.
    :param table: The name of the table, which has to be there.
    :param schema: Its schema, or ``None`` for the default one.
    :return: The ids, sorted.
    """
    found = connection.execute(_select(table, schema, ("version_num",)))
    # Not scalars(): that makes another result of the same rows.
    return sorted([id_ for (id_,) in found])


def rows(
    connection: sa.Connection,
    table: str,
    schema: str | None,
    columns: tuple[str, ...],
    order: str,
) -> list[tuple[t.Any, ...]]:
    """The rows of a table.

    :param connection: The connection.
    :param table: The name of the table.
    :param schema: Its schema, or ``None`` for the default one.
    :param columns: The names of the columns to read.
    :param order: The one to sort by.
    :return: The rows; none if there is no such table.
    """
    if not sa.inspect(connection).has_table(table, schema=schema):
        return []

    select = _select(table, schema, columns).order_by(sa.column(order))
    return [tuple(row) for row in connection.execute(select)]


@cache
def _select(
    table: str, schema: str | None, columns: tuple[str, ...]
) -> sa.Select[t.Any]:
    names: list[t.Any] = [sa.column(name) for name in columns]
    return sa.select(*names).select_from(sa.table(table, schema=schema))
