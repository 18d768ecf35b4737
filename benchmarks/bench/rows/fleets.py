"""Row h: many databases, or many schemas of one, each a few revisions behind."""

from __future__ import annotations

import typing as t
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from bench.histories import id_of
from bench.histories import linear
from bench.histories import write
from bench.lab import check
from bench.lab import Lab
from bench.lines import duration
from bench.lines import Limit
from bench.lines import Line
from bench.lines import number
from bench.lines import Point
from bench.measuring import alternate
from bench.measuring import Contestant
from bench.measuring import Race
from bench.measuring import Sample
from servers import Server
from tools import FLASK_ALEMBIC
from tools import OURS
from tools import Tool

TIMES: t.Final = {"sqlite": 7, "postgresql": 4}
"""How many times faster than one after another."""
KINDS: t.Final = {"sqlite": "databases", "postgresql": "schemas"}

Tenants = list[dict[str, str | None]]


def measure(lab: Lab, wanted: t.Collection[str]) -> t.Iterator[Line]:
    """Measure it on SQLite and PostgreSQL.

    :param wanted: Not needed, as there is one row.
    """
    write(linear(lab.sizes.tenant_revisions), migrations := lab.place("migrations"))

    for server in lab.servers:
        if server.name in TIMES:
            for ours, theirs in zip(
                lab.sizes.tenants, lab.sizes.tenants_in_turn, strict=True
            ):
                yield _line(Fleets(lab, server, migrations), ours, theirs)


class Fleets:
    """Tenants on a server, and how they are upgraded.

    :param lab: Where.
    :param server: Where the tenants are.
    :param migrations: The folder of the revisions.
    """

    def __init__(self, lab: Lab, server: Server, migrations: Path) -> None:
        self.lab = lab
        self.server = server
        self.migrations = str(migrations)

    def contestant(self, tool: Tool, way: str, count: int) -> Contestant:
        """Upgrade some new tenants."""

        def run() -> Sample:
            with self._made(count) as tenants:
                sample = self.lab.work(
                    tool,
                    "fleet",
                    tenants=tenants,
                    migrations=self.migrations,
                    head=id_of(self.lab.sizes.tenant_revisions - 1),
                    way=way,
                )

            return check(sample, wrong=0)

        return Contestant(tool.name, run)

    @contextmanager
    def _made(self, count: int) -> t.Iterator[Tenants]:
        names = [f"tenant_{number}" for number in range(count)]

        if self.server.url is None:
            folder = self.lab.place("tenants")
            yield [_tenant(n, f"sqlite:///{folder / n}.db", None) for n in names]
            return

        with self.lab.database(self.server) as url:
            engine = sa.create_engine(url, poolclass=sa.NullPool)

            with engine.begin() as connection:
                for name in names:
                    connection.execute(sa.schema.CreateSchema(name))

            yield [_tenant(name, url, name) for name in names]


def _tenant(name: str, url: str, schema: str | None) -> dict[str, str | None]:
    return {"name": name, "url": url, "schema": schema}


def _line(fleets: Fleets, ours: int, theirs: int) -> Line:
    """Compare, as if the peer upgraded as many: its time grows with their number."""
    sizes, server = fleets.lab.sizes, fleets.server.name
    race = alternate(
        [
            fleets.contestant(FLASK_ALEMBIC, "in turn", theirs),
            fleets.contestant(OURS, "at once", ours),
        ],
        sizes.rounds if server == "sqlite" else sizes.few_rounds,
    )
    ratio = race.ratio(FLASK_ALEMBIC.name, OURS.name, "wall")
    value = None if ratio is None else ratio * ours / theirs
    seconds = _seconds(race, ours / theirs)
    is_largest = ours == sizes.tenants[-1]
    return Line(
        "h",
        f"upgrade {ours} {KINDS[server]}, {sizes.tenant_revisions} revisions, {server}",
        _cells(seconds, value, theirs),
        value=value,
        limit=Limit(TIMES[server], "times faster", at_least=True)
        if is_largest
        else None,
        race=race,
        points=(Point(f"upgrade, by {KINDS[server]}, {server}", ours, seconds),),
    )


def _seconds(race: Race, scale: float) -> dict[str, float]:
    """How long each takes for all, by its name."""
    scales = {OURS.name: 1.0, FLASK_ALEMBIC.name: scale}
    medians = {name: race.median(name, "wall") for name in scales}
    return {n: m * scales[n] for n, m in medians.items() if m is not None}


def _cells(
    seconds: dict[str, float], value: float | None, theirs: int
) -> dict[str, str]:
    cells = {name: duration(each) for name, each in seconds.items()}

    if value is not None:
        cells[OURS.name] = f"{number(value)} ({cells[OURS.name]})"

    if FLASK_ALEMBIC.name in cells:
        cells[FLASK_ALEMBIC.name] += f" (measured with {theirs})"

    return cells
