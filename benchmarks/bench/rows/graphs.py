"""Row j: planning, and the upkeep of the version row, in memory."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from bench.comparisons import against_peer
from bench.histories import depending
from bench.histories import linear
from bench.histories import merging
from bench.histories import Step
from bench.histories import write
from bench.lab import Lab
from bench.lines import duration
from bench.lines import Limit
from bench.lines import Line
from bench.lines import NOTHING
from bench.measuring import alternate
from bench.measuring import Contestant
from bench.measuring import Missing
from bench.measuring import Race
from bench.measuring import Sample
from tools import OURS

ALEMBIC: t.Final = "Alembic"

SHAPES: t.Final[dict[str, t.Callable[[int], list[Step]]]] = {
    "merges": merging,
    "depends_on": depending,
    "linear": linear,
}
WORK: t.Final = (
    ("plan", "merges", "an upgrade, merges every 5"),
    ("plan", "depends_on", "an upgrade, depends_on each step"),
    ("upkeep", "linear", "of a downgrade to base, linear"),
)


def measure(lab: Lab, wanted: t.Collection[str]) -> t.Iterator[Line]:
    """Measure it.

    :param wanted: Not needed, as there is one row.
    """
    count = lab.sizes.graph

    for what, shape, words in WORK:
        folder = lab.place("migrations")
        write(SHAPES[shape](count), folder)
        race = _race(lab, what, str(folder), count)
        line = against_peer(
            "j",
            f"{what} {words}, {count} revisions",
            race,
            ALEMBIC,
            Limit(0.15, "s"),
            quantity="cpu",
        )
        yield _absolute(line, race)


def _race(lab: Lab, what: str, migrations: str, count: int) -> Race:
    orders: dict[str, t.Any] = {}

    def contestant(name: str, whose: str, rounds: int | None) -> Contestant:
        def run() -> Sample:
            sample = lab.work(
                OURS, "graphs", whose=whose, what=what, migrations=migrations
            )
            order = orders.setdefault("alembic", sample.facts["order"])

            if sample.facts["order"] != order or len(order) != count:
                raise Missing("another order than Alembic's")

            return Sample(sample.wall, sample.cpu, sample.peak)

        return Contestant(name, run, rounds)

    contestants = [
        contestant(ALEMBIC, "alembic", lab.sizes.few_rounds),
        contestant(OURS.name, "ours", None),
    ]
    return alternate(contestants, lab.sizes.rounds)


def _absolute(line: Line, race: Race) -> Line:
    """The same line, with what is asked in seconds."""
    own = race.median(OURS.name, "cpu")
    cell = duration(own) if own is not None else NOTHING
    return replace(line, value=own, cells={**line.cells, OURS.name: cell})
