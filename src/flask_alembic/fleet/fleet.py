"""What the tenants of one call have in common in one process."""

from __future__ import annotations

import threading
import typing as t
from contextlib import contextmanager
from contextlib import ExitStack
from dataclasses import dataclass

import sqlalchemy as sa

from ..async_engines import is_async
from ..call_options import CallOptions
from ..databases import Database
from ..databases import default_name
from ..errors import ConfigurationError
from ..locks import idle
from ..operations.upgrade import upgrade_work
from ..twins import twin_engine
from .library import Library
from .library import library_of

if t.TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from ..arguments import RevisionArgument
    from ..environment import Environment
    from ..extension import Alembic
    from ..tenants import Tenant

    Enter = t.Callable[..., AbstractContextManager[Environment]]


@dataclass(frozen=True)
class Job:
    """What is asked for."""

    target: RevisionArgument = "heads"
    options: CallOptions = CallOptions()
    """What the caller asks for besides."""

    replays: bool = True
    """Whether tapes may be played. An app that overrides how revisions run wants to
    run them."""


class Fleet:
    """Tapes, and an engine for all that are in schemas of the app's database.

    :param alembic: The extension.
    :param job: What is asked for.
    :param enter: Makes an app context for a thread, with databases of its own.
    """

    def __init__(self, alembic: Alembic, job: Job, enter: Enter) -> None:
        self.alembic: Alembic = alembic
        self.job: Job = job
        self.databases: dict[str, Database] = alembic.databases
        self.name: str = _stood_in_for(self.databases, job.options)
        self._enter = enter
        self._config = alembic.config
        self._script = alembic.script_directory
        self.library: Library = library_of(self._script)
        self.work: t.Any = upgrade_work(alembic, job.target)
        self._stack = ExitStack()
        self._shared: sa.Engine | None = None
        self._lock = threading.Lock()

    def close(self) -> None:
        """Close all connections."""
        self._stack.close()
        self._shared = None

    @contextmanager
    def entered(self, tenant: Tenant) -> t.Iterator[Environment]:
        """An app context in which a tenant stands in for the app's database.

        :param tenant: The tenant.
        :return: The environment of the context.
        """
        with ExitStack() as stack:
            engine = self._engine(tenant, stack)
            database = Database(
                self.name,
                engine,
                self.databases[self.name].metadata,
                tenant.schema,
                tenant.schema_translate_map,
            )
            environment = stack.enter_context(
                self._enter(
                    self.job.options.also(databases=[self.name]),
                    {**self.databases, self.name: database},
                    keep_pooled=engine is self._shared,
                )
            )
            environment.config, environment.script = self._config, self._script
            yield environment

    def _engine(self, tenant: Tenant, stack: ExitStack) -> sa.Engine:
        if tenant.url is not None:
            engine = _new_engine(t.cast(sa.URL, tenant.url))
            stack.callback(engine.dispose)
            return engine

        return tenant.own_engine or self._shared_engine()

    def _shared_engine(self) -> sa.Engine:
        """The app's, with a pool of ours: the app's own is not to get a connection with
        another search path.
        """
        engine = self.databases[self.name].engine

        if is_async(engine) or not isinstance(engine.pool, sa.QueuePool):
            return engine

        with self._lock:
            if self._shared is None:
                pool = engine.pool.recreate()
                self._shared = twin_engine(engine, pool)
                self._stack.callback(pool.dispose)
                self._stack.enter_context(idle.keeping(self._shared))

        return self._shared

    def limit(self, workers: int, tenants: t.Iterable[Tenant]) -> int:
        """How many tenants may be worked on at a time.

        :param workers: How many the caller wants.
        :param tenants: The tenants.
        :return: No more, and where they share the app's engine, no more than there are
            connections in its pool.
        """
        engine = self.databases[self.name].engine
        shares = any(tenant.is_in_app_database for tenant in tenants)

        if shares and isinstance(engine.pool, sa.QueuePool):
            return min(workers, max(1, engine.pool.size()))

        return 1 if shares and isinstance(engine.pool, sa.StaticPool) else workers


def _stood_in_for(databases: t.Mapping[str, Database], options: CallOptions) -> str:
    chosen = list(options.select(databases))

    if options.databases is None:
        return default_name(chosen)

    if len(chosen) != 1:
        raise ConfigurationError(
            "A tenant stands in for one database of the app, and"
            f" {len(chosen)} are named.",
            hint=f"Name one: {', '.join(databases)}.",
            key="databases",
            value=chosen,
        )

    return chosen[0]


def _new_engine(url: sa.URL) -> sa.Engine:
    if url.get_dialect().is_async:
        from sqlalchemy.ext.asyncio import create_async_engine

        return create_async_engine(url, poolclass=sa.NullPool).sync_engine

    return sa.create_engine(url, poolclass=sa.NullPool)
