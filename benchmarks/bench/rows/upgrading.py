"""Rows f and g: a new database at head, by all revisions or by a snapshot."""

from __future__ import annotations

import typing as t

from bench.comparisons import against_peer
from bench.histories import linear
from bench.histories import table_count
from bench.histories import write
from bench.lab import check
from bench.lab import Lab
from bench.lines import Limit
from bench.lines import Line
from bench.measuring import alternate
from bench.measuring import Contestant
from bench.measuring import Race
from bench.measuring import Sample
from servers import Server
from tools import FLASK_ALEMBIC
from tools import OURS
from tools import Tool

PREPARED: t.Final = "this package, prepare()"
TIMES: t.Final = {"postgresql": 8, "mariadb": 15, "sqlite": 60}
"""How many times faster than a replay a snapshot is to be."""


def measure(lab: Lab, wanted: t.Collection[str]) -> t.Iterator[Line]:
    """Measure them on all servers.

    :param wanted: The letters of the rows to measure.
    """
    count = lab.sizes.revisions

    for server in lab.servers:
        race = Replay(lab, server, count).race(wanted)

        if "f" in wanted:
            yield against_peer(
                "f",
                f"upgrade, {count} revisions, {server.name}",
                race.without(PREPARED),
                FLASK_ALEMBIC.name,
                Limit(1, "of its time"),
            )

        if "g" in wanted:
            yield against_peer(
                "g",
                f"prepare() a new database, {count} revisions, {server.name}",
                race.without(OURS.name),
                FLASK_ALEMBIC.name,
                Limit(TIMES[server.name], "times faster", at_least=True),
                name=PREPARED,
            )


class Replay:
    """A history, and what brings a new database to its head.

    :param lab: Where.
    :param server: Where the databases are.
    :param count: How many revisions.
    """

    def __init__(self, lab: Lab, server: Server, count: int) -> None:
        self.lab = lab
        self.server = server
        self.steps = linear(count)
        self.migrations = lab.place("migrations")
        self.prepared = lab.place("migrations")
        write(self.steps, self.migrations)
        write(self.steps, self.prepared)

    def race(self, wanted: t.Collection[str]) -> Race:
        """Let all run in turns."""
        contestants = [self._upgrade(FLASK_ALEMBIC)]

        if "f" in wanted:
            contestants.append(self._upgrade(OURS))

        if "g" in wanted:
            contestants.append(self._prepare())

        return alternate(contestants, self.lab.sizes.few_rounds)

    def _upgrade(self, tool: Tool) -> Contestant:
        return Contestant(tool.name, lambda: self._run(tool, "upgrade"))

    def _prepare(self) -> Contestant:
        made: list[Sample] = []

        def run() -> Sample:
            if not made:
                made.append(self._snapshot())

            sample = self._run(OURS, "prepare", str(self.prepared))
            # Without a snapshot it would be the same as an upgrade.
            return check(sample, directions=["snapshot"])

        return Contestant(PREPARED, run)

    def _snapshot(self) -> Sample:
        """Write the snapshot, beside revisions that nobody else uses."""
        with self.lab.database(self.server) as url:
            task = {"url": url, "migrations": str(self.prepared)}
            return self.lab.work(OURS, "upgrading", verb="snapshot", **task)

    def _run(self, tool: Tool, verb: str, migrations: str | None = None) -> Sample:
        with self.lab.database(self.server) as url:
            sample = self.lab.work(
                tool,
                "upgrading",
                url=url,
                migrations=migrations or str(self.migrations),
                verb=verb,
            )

        tables = table_count(len(self.steps))
        return check(sample, heads=[self.steps[-1].id], tables=tables)
