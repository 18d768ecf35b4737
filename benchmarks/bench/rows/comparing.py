"""Row e: ``check`` and ``revision`` on a large schema that is in sync."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from bench.comparisons import against_peer
from bench.lab import Lab
from bench.lines import Limit
from bench.lines import Line
from bench.lines import number
from bench.measuring import alternate
from bench.measuring import Contestant
from bench.measuring import Race
from bench.measuring import Sample
from servers import Server
from tools import FLASK_ALEMBIC
from tools import OURS
from tools import Tool


def measure(lab: Lab, wanted: t.Collection[str]) -> t.Iterator[Line]:
    """Measure it on all servers.

    :param wanted: Not needed, as there is one row.
    """
    for server in lab.servers:
        races = {}

        for tables in lab.sizes.tables:
            with lab.database(server) as url:
                task = {
                    "url": url,
                    "tables": tables,
                    "migrations": str(lab.place("migrations")),
                }
                lab.work(OURS, "comparing", verb="create", **task)

                races[tables] = _race(lab, "check", task)
                yield _line(server, "check", tables, races[tables])

                if tables == lab.sizes.tables[-1]:
                    race = _race(lab, "revision", task)
                    yield _line(server, "revision", tables, race)

        yield _growth(server, lab.sizes.tables, races)


def _race(lab: Lab, verb: str, task: dict[str, t.Any]) -> Race:
    # Autogenerate does the same for both commands.
    rounds = lab.sizes.few_rounds if verb == "check" else 1
    contestants = [
        Contestant(each.tool.name, _runner(lab, each.tool, verb, task))
        for each in lab.extensions
    ]
    return alternate(contestants, rounds)


def _runner(
    lab: Lab, tool: Tool, verb: str, task: dict[str, t.Any]
) -> t.Callable[[], Sample]:
    return lambda: lab.work(tool, "comparing", verb=verb, **task)


def _line(server: Server, verb: str, tables: int, race: Race) -> Line:
    line = against_peer(
        "e",
        f"{verb}, {tables} tables, {server.name}",
        race,
        FLASK_ALEMBIC.name,
        Limit(4, "times faster", at_least=True),
        chart=(f"check, by tables, {server.name}", tables) if verb == "check" else None,
    )
    wrong = {name: f"{cell}{_wrong(race, name)}" for name, cell in line.cells.items()}
    return replace(line, cells=wrong)


def _wrong(race: Race, name: str) -> str:
    wrong = race.fact(name, "wrong")
    return f", {wrong} false differences" if wrong else ""


def _growth(server: Server, sizes: tuple[int, ...], races: dict[int, Race]) -> Line:
    """By how much more the time grows than the number of tables."""
    few, many = sizes[0], sizes[-1]

    def growth(name: str) -> float | None:
        before = races[few].median(name, "cpu")
        after = races[many].median(name, "cpu")
        return after / before / (many / few) if before and after else None

    race = races[many]
    found = {name: growth(name) for name in race.samples}
    return Line(
        "e",
        f"check, time a table, {many} to {few} tables, {server.name}",
        {name: number(value) for name, value in found.items() if value is not None},
        value=found.get(OURS.name),
        # What is measured twice is never quite the same.
        limit=Limit(1.1, "×"),
        quantity="cpu",
        race=race,
    )
