"""Lets what is checked at the commit fail before the first commit, while every database
can roll back.
"""

from __future__ import annotations

import typing as t
from contextlib import contextmanager

from . import sqlite

if t.TYPE_CHECKING:
    import sqlalchemy as sa

    Check = t.Callable[[], None]


def no_check() -> None:
    """The check of a database that has nothing to check."""


@contextmanager
def checking(
    connection: sa.Connection, may_defer: t.Callable[[], bool]
) -> t.Iterator[Check]:
    """Prepare a connection for migrations, of any database.

    :param connection: A connection that is ours, not in a transaction.
    :param may_defer: Tells whether the transaction may have put checks off that
        PostgreSQL would do at the commit.
    :return: To be called before each commit.
    """
    if connection.dialect.name == "postgresql":
        yield lambda: _check_deferred(connection) if may_defer() else None
    else:
        with sqlite.migrating(connection) as check:
            yield check


def _check_deferred(connection: sa.Connection) -> None:
    connection.exec_driver_sql("SET CONSTRAINTS ALL IMMEDIATE")
