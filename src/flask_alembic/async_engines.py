"""The one door to event loops: an async engine becomes one for sync callers."""

from __future__ import annotations

import asyncio
import threading
import typing as t
from functools import partial
from importlib.util import find_spec

import sqlalchemy as sa
from sqlalchemy.util import greenlet_spawn

from . import sqlite
from .async_driver import CarriedConnection
from .async_driver import LoopEnded
from .errors import ConfigurationError
from .twins import twin_engine

_LONGEST_END: t.Final = 1.0  # seconds


def is_async(engine: sa.Engine) -> bool:
    """Whether an engine has an async driver.

    :param engine: Any engine; of an ``AsyncEngine`` the one inside it.
    :return: ``True`` if it has.
    """
    return engine.dialect.is_async


def sync_engine(engine: sa.Engine, database: str) -> sa.Engine:
    """The engine itself, or of an async one a twin with the same options and event
    hooks, whose connections are for anybody.

    :param engine: Any engine.
    :param database: The name of its database.
    :return: An engine to connect with. There is nothing to dispose.
    :raises ConfigurationError: If greenlet is not installed.
    """
    if not is_async(engine):
        return engine

    if find_spec("greenlet") is None:
        raise ConfigurationError(
            f"The database '{database}' has an async engine, which needs the package"
            " greenlet.",
            hint="Install it: pip install 'sqlalchemy[asyncio]'.",
        )

    pool = sa.NullPool(partial(_connect, engine), dialect=engine.dialect)
    return twin_engine(engine, pool)


def in_foreign_transaction(engine: sa.Engine) -> bool:
    """Whether the app is in a transaction on the one connection of a database in
    memory.

    :param engine: An engine that :func:`sync_engine` took.
    :return: ``True`` if it is.
    """
    if not is_async(engine):
        return sqlite.in_foreign_transaction(engine)

    if not _is_in_memory(engine):
        return False

    bridge = _Bridge()

    try:
        return bool(bridge.call(sqlite.in_foreign_transaction, engine))
    finally:
        bridge.end()


def _is_in_memory(engine: sa.Engine) -> bool:
    return sqlite.is_sqlite(engine) and sqlite.pool_is_database(engine)


def _connect(engine: sa.Engine) -> CarriedConnection:
    """Connect in an event loop that is there for this connection only. What is in the
    app's pool belongs to the app's event loop; a database in memory is in its pool.
    """
    is_in_memory = _is_in_memory(engine)
    # As the app's would be: with its way to connect, and its event hooks.
    pool = engine.pool if is_in_memory else engine.pool.recreate()
    bridge = _Bridge()

    def give_up(is_broken: bool) -> None:
        if is_broken and not is_in_memory:
            fairy.invalidate()
        else:
            fairy.close()

        if not is_in_memory:
            pool.dispose()

    def end(is_broken: bool) -> None:
        if bridge.is_running:
            try:
                bridge.call(give_up, is_broken)
            finally:
                bridge.end()

    threads = set(threading.enumerate())

    try:
        fairy = bridge.call(pool.connect)
    except BaseException:
        _wait_for(set(threading.enumerate()) - threads)
        bridge.end()
        raise

    return CarriedConnection(fairy.dbapi_connection, bridge.call, end)


def _wait_for(threads: t.Iterable[threading.Thread]) -> None:
    """Wait for the thread of aiosqlite: it tells the event loop when it ends, which has
    to be open then.
    """
    for thread in threads:
        thread.join(_LONGEST_END)


class _Bridge:
    """An event loop in a thread of its own. That of the caller may have one that is
    running: then it can't run another.
    """

    def __init__(self) -> None:
        # The other kind of loop that Windows has is not for psycopg.
        self._runner = asyncio.Runner(loop_factory=asyncio.SelectorEventLoop)
        self._loop = self._runner.get_loop()
        # A program may leave its app context open to the end, and is to end then.
        self._thread = threading.Thread(
            target=self._run, name="flask-alembic", daemon=True
        )
        self._thread.start()

    @property
    def is_running(self) -> bool:
        """Whether it can be called."""
        return not self._loop.is_closed()

    def call(
        self, function: t.Callable[..., t.Any], *args: t.Any, **kw: t.Any
    ) -> t.Any:
        """Call a sync function that may wait for what is async.

        :param function: One of SQLAlchemy's adapters of async drivers.
        :return: Its result.
        :raises LoopEnded: If there is nothing any more that could run it.
        """
        if not self.is_running:
            raise LoopEnded("The connection was given up.")

        if threading.current_thread() is self._thread:
            # A coroutine of the user's runs here, as op.run_async() lets it.
            return function(*args, **kw)

        future = asyncio.run_coroutine_threadsafe(
            greenlet_spawn(function, *args, **kw), self._loop
        )

        try:
            return future.result()
        except BaseException:
            # Ctrl-C, if it was not the function that raised. The driver stops what it
            # is at, and is to be done with that before it is asked for something else.
            if future.cancel():
                asyncio.run_coroutine_threadsafe(_rest(), self._loop).result()

            raise

    def end(self) -> None:
        """End the event loop and the thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self) -> None:
        # At the end the runner ends what is left: tasks, threads that look up hosts.
        with self._runner:
            self._loop.run_forever()


async def _rest() -> None:
    """Wait for everything else in this event loop."""
    if others := asyncio.all_tasks() - {t.cast(t.Any, asyncio.current_task())}:
        await asyncio.wait(others)
