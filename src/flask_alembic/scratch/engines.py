"""An engine that leads to another database, and connects as the app's engine does: with
its options, its driver's arguments and its hooks.
"""

from __future__ import annotations

import copy
import typing as t
from contextlib import contextmanager
from contextvars import ContextVar

import sqlalchemy as sa
from sqlalchemy import event

from ..async_engines import sync_engine
from ..twins import twin_engine

# The engine that a connection is made for. It is so in the thread of an async driver,
# too.
_at_work: t.Final[ContextVar[object]] = ContextVar("flask_alembic_elsewhere")


@contextmanager
def engine_at(engine: sa.Engine, url: sa.URL, database: str) -> t.Iterator[sa.Engine]:
    """Let an engine lead somewhere else for a while.

    :param engine: The app's engine, which goes on as it was.
    :param url: The URL of another database of the same kind.
    :param database: The name of the app's database.
    :return: An engine without a pool. If the app's has a function that connects, it
        leads where that leads.
    """
    usable = sync_engine(engine, database)
    dialect = copy.copy(engine.dialect)
    ours = object()

    def connect() -> t.Any:
        token = _at_work.set(ours)
        # Not in the app's pool: nobody else is to get it.
        pool = usable.pool.recreate()

        try:
            opened = pool.connect()
            opened.detach()
            _remember(dialect, engine, url)
            return opened.dbapi_connection
        finally:
            _at_work.reset(token)

    redirect = _redirect(engine, url, ours)
    event.listen(engine, "do_connect", redirect)

    try:
        pool = sa.NullPool(connect, dialect=dialect)
        yield twin_engine(usable, pool, url=url, dialect=dialect)
    finally:
        event.remove(engine, "do_connect", redirect)


def _remember(dialect: sa.Dialect, engine: sa.Engine, url: sa.URL) -> None:
    """A dialect remembers what was told by the first connection. Of MariaDB and MySQL,
    the database that it led to is a part of that.
    """
    vars(dialect).update(vars(engine.dialect))

    if dialect.name in ("mariadb", "mysql"):
        dialect.default_schema_name = url.database
        engine.dialect.default_schema_name = engine.url.database


def _redirect(engine: sa.Engine, url: sa.URL, ours: object) -> t.Callable[..., t.Any]:
    """Connect with what the URL says instead, and with the arguments that the app
    added. Those that are passed are left alone: older SQLAlchemy passes the same ones
    for each connection of the app.
    """
    old_args, old = engine.dialect.create_connect_args(engine.url)
    new_args, new = engine.dialect.create_connect_args(url)
    gone = {key for key in old if key not in new}
    changed = {key: value for key, value in new.items() if old.get(key) != value}

    def redirect(
        dialect: t.Any, record: t.Any, args: list[t.Any], arguments: dict[str, t.Any]
    ) -> t.Any:
        if _at_work.get(None) is not ours:
            return None

        kept = {key: value for key, value in arguments.items() if key not in gone}
        return dialect.connect(*new_args, *args[len(old_args) :], **{**kept, **changed})

    return redirect
