"""What the rows work with: the tools, the servers, sizes, and a folder."""

from __future__ import annotations

import typing as t
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.measuring import Missing
from bench.measuring import Sample
from bench.processes import run_worker
from chaos.databases import Database
from servers import Server
from tools import Environment
from tools import FLASK_ALEMBIC
from tools import OURS
from tools import Tool


@dataclass(frozen=True)
class Sizes:
    """How much is done."""

    rounds: int = 5
    few_rounds: int = 3
    """For what takes a peer many seconds."""
    revisions: int = 1000
    many_revisions: int = 5000
    graph: int = 4000
    """Revisions that are planned only."""
    tables: tuple[int, ...] = (500, 2000)
    tenants: tuple[int, ...] = (50, 200)
    tenants_in_turn: tuple[int, ...] = (10, 20)
    """As many as are measured of what goes linearly with their number."""
    tenant_revisions: int = 20
    disk_revisions: int = 100
    calls: int = 50
    """How often a health check is called."""


FULL: t.Final = Sizes()
QUICK: t.Final = Sizes(
    rounds=1,
    few_rounds=1,
    revisions=8,
    many_revisions=16,
    graph=20,
    tables=(2, 4),
    tenants=(2, 4),
    tenants_in_turn=(1, 2),
    tenant_revisions=4,
    disk_revisions=4,
    calls=3,
)


class Lab:
    """Where the rows are measured.

    :param environments: Those of the tools that take part. This package does.
    :param servers: The databases.
    :param sizes: How much is done.
    :param folder: An empty folder, for what is written meanwhile.
    :param disk: A folder on a real disk.
    """

    def __init__(
        self,
        environments: t.Sequence[Environment],
        servers: t.Sequence[Server],
        sizes: Sizes,
        folder: Path,
        disk: Path,
    ) -> None:
        self.environments = {each.tool.name: each for each in environments}
        self.servers = servers
        self.sizes = sizes
        self.folder = folder
        self.disk = disk

    @property
    def ours(self) -> Environment:
        """The environment of this package."""
        return self.environments[OURS.name]

    @property
    def extensions(self) -> list[Environment]:
        """Those of the tools that are a ``flask_alembic``."""
        tools = (OURS.name, FLASK_ALEMBIC.name)
        return [self.environments[name] for name in tools if name in self.environments]

    def place(self, name: str) -> Path:
        """A new folder.

        :param name: How its name begins.
        """
        path = self.folder / f"{name}-{len(list(self.folder.iterdir()))}"
        path.mkdir()
        return path

    @contextmanager
    def database(self, server: Server) -> t.Iterator[str]:
        """A new database, which is dropped at the end: its URL."""
        database = Database(server, self.place("database"))
        database.create()

        try:
            yield database.url
        finally:
            database.drop()

    def work(self, tool: Tool, worker: str, **task: t.Any) -> Sample:
        """Let a worker measure something with a tool.

        :raises Missing: If the tool takes no part.
        """
        if tool.name not in self.environments:
            raise Missing("it takes no part")

        environment = self.environments[tool.name]
        return run_worker(environment, worker, self.folder, **task)


def check(sample: Sample, **wanted: t.Any) -> Sample:
    """Check what a worker found besides: what did not happen must not be measured.

    :param sample: What it found.
    :param wanted: What it should have found.
    :raises Missing: If it is something else.
    """
    for name, value in wanted.items():
        if (found := sample.facts.get(name)) != value:
            raise Missing(f"{name} is {found!r} instead of {value!r}")

    return sample
