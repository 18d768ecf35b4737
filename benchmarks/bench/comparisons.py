"""Two ways to make lines of a race: by how many times as much as a base a tool took,
and by how many times faster than a peer this package was.
"""

from __future__ import annotations

import typing as t

from bench.lines import duration
from bench.lines import Limit
from bench.lines import Line
from bench.lines import NOTHING
from bench.lines import number
from bench.lines import Point
from bench.measuring import Quantity
from bench.measuring import Race
from tools import OURS


def against_base(
    row: str,
    work: str,
    race: Race,
    base: str,
    limit: Limit | None,
    *,
    quantity: Quantity = "cpu",
    chart: tuple[str, int] | None = None,
) -> Line:
    """A line that says how many times as much as a base each tool took.

    :param race: What was measured. Contestants are called as the tools are.
    :param base: The name of the contestant that is 1.
    :param limit: What is asked.
    :param quantity: What is quoted.
    :param chart: Where the medians go in a chart: its name, and the size of the work.
    """
    ratios = {name: race.ratio(name, base, quantity) for name in race.samples}
    cells = {name: number(ratio) for name, ratio in ratios.items() if ratio is not None}
    return Line(
        row,
        work,
        cells,
        value=ratios.get(OURS.name),
        limit=limit,
        quantity=quantity,
        race=race,
        points=points(race, quantity, chart),
    )


def against_peer(
    row: str,
    work: str,
    race: Race,
    peer: str,
    limit: Limit | None,
    *,
    name: str = OURS.name,
    quantity: Quantity = "wall",
    chart: tuple[str, int] | None = None,
) -> Line:
    """A line that says how long each took. The value is how many times faster than the
    peer a contestant was; where at most so much is asked, what share it took.

    :param race: What was measured.
    :param peer: The contestant to compare to.
    :param limit: What is asked.
    :param name: The contestant that stands for this package.
    :param quantity: What is quoted.
    :param chart: Where the medians go in a chart: its name, and the size of the work.
    """
    faster = limit is not None and limit.at_least
    pair = (peer, name) if faster else (name, peer)
    value = race.ratio(*pair, quantity)
    cells = {each: seconds(race, each, quantity) for each in race.samples}
    own = cells.pop(name, NOTHING)

    if value is not None:
        own = f"{number(value)} ({own})"

    return Line(
        row,
        work,
        {**cells, OURS.name: own},
        value=value,
        limit=limit,
        quantity=quantity,
        race=race,
        points=points(race, quantity, chart),
    )


def seconds(race: Race, name: str, quantity: Quantity) -> str:
    """The median of a contestant as a text."""
    median = race.median(name, quantity)
    return NOTHING if median is None else duration(median)


def points(
    race: Race, quantity: Quantity, chart: tuple[str, int] | None
) -> tuple[Point, ...]:
    """The point of a race in a chart, if it has one."""
    if chart is None:
        return ()

    medians = {name: race.median(name, quantity) for name in race.samples}
    found: t.Mapping[str, float] = {n: m for n, m in medians.items() if m is not None}
    return (Point(*chart, found),)
