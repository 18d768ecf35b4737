"""Engines of tenants. Those that are schemas of one database share an engine, whose
connections go from one to the next: to connect takes longer than a revision.
"""

from __future__ import annotations

import threading
import typing as t
from contextlib import contextmanager
from contextlib import ExitStack

import sqlalchemy as sa

from ..async_engines import is_async
from ..locks import idle
from ..twins import twin_engine

if t.TYPE_CHECKING:
    from ..tenants import Tenant


class Engines:
    """The engines of one call.

    :param engine: That of the app's database.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._shared: dict[sa.URL | None, sa.Engine] = {}
        self._stack = ExitStack()
        self._lock = threading.Lock()

    def close(self) -> None:
        """Close the connections of those that are shared."""
        self._shared.clear()
        self._stack.close()

    @contextmanager
    def lent(self, tenant: Tenant) -> t.Iterator[sa.Engine]:
        """The engine of a tenant, for a while.

        :param tenant: The tenant.
        :return: The engine.
        """
        if tenant.own_engine is not None:
            yield tenant.own_engine
        elif tenant.is_in_app_database or tenant.schema is not None:
            yield self._find_shared(t.cast("sa.URL | None", tenant.url))
        else:
            engine = _new_engine(t.cast(sa.URL, tenant.url), poolclass=sa.NullPool)

            try:
                yield engine
            finally:
                engine.dispose()

    def is_shared(self, engine: sa.Engine) -> bool:
        """Whether the connections of an engine go from one tenant to the next.

        :param engine: What was lent.
        :return: ``True`` if they do. It is ours, and has a pool.
        """
        with self._lock:
            is_known = engine in self._shared.values()

        return is_known and engine is not self._engine

    def on_servers(self, tenants: t.Iterable[Tenant]) -> bool:
        """Whether there are tenants on a server.

        :param tenants: The tenants.
        :return: ``False`` if all are files of SQLite's, or in memory.
        """
        return any(self._dialect(tenant) != "sqlite" for tenant in tenants)

    def _dialect(self, tenant: Tenant) -> str:
        if tenant.is_in_app_database or tenant.own_engine is not None:
            return (tenant.own_engine or self._engine).dialect.name

        return t.cast(sa.URL, tenant.url).get_backend_name()

    def limit(self, workers: int, tenants: t.Iterable[Tenant]) -> int:
        """How many tenants may be worked on at a time.

        :param workers: How many the caller wants.
        :param tenants: The tenants.
        :return: No more, and where they share the app's engine, no more than there are
            connections in its pool.
        """
        pool = self._engine.pool

        if not any(tenant.is_in_app_database for tenant in tenants):
            return workers

        if isinstance(pool, sa.QueuePool):
            return min(workers, max(1, pool.size()))

        return 1 if isinstance(pool, sa.StaticPool) else workers

    def _find_shared(self, url: sa.URL | None) -> sa.Engine:
        with self._lock:
            if url not in self._shared:
                self._shared[url] = self._make_shared(url)

            return self._shared[url]

    def _make_shared(self, url: sa.URL | None) -> sa.Engine:
        """The app's with a pool of ours, as the app's own is not to get a connection
        with another search path; or a new one.
        """
        engine = self._engine

        if url is not None:
            # Each worker has one of its connections at a time.
            engine = _new_engine(url, max_overflow=-1)
        elif is_async(engine) or not isinstance(engine.pool, sa.QueuePool):
            return engine
        else:
            engine = twin_engine(engine, engine.pool.recreate())

        self._stack.callback(engine.pool.dispose)
        self._stack.enter_context(idle.keeping(engine))
        return engine


def _new_engine(url: sa.URL, **options: t.Any) -> sa.Engine:
    if url.get_dialect().is_async:
        from sqlalchemy.ext.asyncio import create_async_engine

        # Its connections are for one event loop, and so for one tenant.
        return create_async_engine(url, poolclass=sa.NullPool).sync_engine

    return sa.create_engine(url, **options)
