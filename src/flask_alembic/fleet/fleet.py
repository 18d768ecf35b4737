"""What the tenants of one call have in common in one process."""

from __future__ import annotations

import typing as t
from contextlib import contextmanager
from dataclasses import dataclass

from ..call_options import CallOptions
from ..databases import Database
from ..databases import default_name
from ..errors import ConfigurationError
from ..operations.upgrade import upgrade_work
from .engines import Engines
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
        self.engines: Engines = Engines(self.databases[self.name].engine)

    def close(self) -> None:
        """Close all connections."""
        self.engines.close()

    @contextmanager
    def entered(self, tenant: Tenant) -> t.Iterator[Environment]:
        """An app context in which a tenant stands in for the app's database.

        :param tenant: The tenant.
        :return: The environment of the context.
        """
        with self.engines.lent(tenant) as engine:
            database = Database(
                self.name,
                engine,
                self.databases[self.name].metadata,
                tenant.schema,
                tenant.schema_translate_map,
            )
            options = self.job.options.also(databases=[self.name])
            databases = {**self.databases, self.name: database}
            is_shared = self.engines.is_shared(engine)

            with self._enter(options, databases, keep_pooled=is_shared) as environment:
                environment.config, environment.script = self._config, self._script
                yield environment


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
