"""The lines of the table: what was measured beside what is asked. Texts only; nothing
is measured here.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from dataclasses import field

from bench.measuring import Quantity
from bench.measuring import Race

NOTHING: t.Final = "-"
HEADINGS: t.Final = ("", "work", "asked", "this package", "met")


@dataclass(frozen=True)
class Limit:
    """What is asked of a value.

    :param value: At most that much.
    :param unit: What it is counted in.
    :param at_least: Whether it is at least that much instead.
    """

    value: float
    unit: str
    at_least: bool = False

    def __str__(self) -> str:
        sign = "≥" if self.at_least else "≤"
        return f"{sign} {number(self.value)} {self.unit}"

    def is_met(self, value: float) -> bool:
        """Whether a value is what is asked."""
        return value >= self.value if self.at_least else value <= self.value


@dataclass(frozen=True)
class Point:
    """Where a line is in a chart."""

    chart: str
    size: int
    seconds: t.Mapping[str, float]
    """Contestant to median."""


@dataclass(frozen=True)
class Line:
    """A line of the table."""

    row: str
    """Its letter."""

    work: str
    """What was done."""

    cells: t.Mapping[str, str]
    """Tool to what is shown."""

    value: float | None = None
    """What this package reached; ``None`` if it was not measured."""

    limit: Limit | None = None
    """What is asked."""

    quantity: Quantity = "wall"
    """What the cells are made of."""

    race: Race = field(default_factory=Race)
    """All samples."""

    points: tuple[Point, ...] = ()

    @property
    def rounds(self) -> str:
        """How often each contestant ran, such as ``5`` or ``3 to 5``."""
        counts = sorted({len(samples) for samples in self.race.samples.values()})
        ends = [counts[0], counts[-1]] if counts[1:] else counts
        return " to ".join(map(str, ends))

    @property
    def verdict(self) -> str:
        """Whether what is asked is met."""
        if self.limit is None or self.value is None:
            return NOTHING

        return "yes" if self.limit.is_met(self.value) else "no"


def number(value: float) -> str:
    """A number with three digits that count.

    :param value: The number.
    """
    if value >= 100:
        return f"{value:.0f}"

    decimals = 2 if value < 10 else 1
    text = f"{value:.{decimals}f}" if value >= 0.1 or not value else f"{value:.3g}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def duration(seconds: float) -> str:
    """Seconds, or milliseconds where they are few.

    :param seconds: How many.
    """
    if seconds < 0.1:
        return f"{number(seconds * 1000)} ms"

    return f"{number(seconds)} s"


def table(lines: t.Sequence[Line], peers: t.Sequence[str]) -> str:
    """The table, in Markdown that can be read as it is.

    :param lines: Its lines.
    :param peers: The names of the other columns.
    :return: Lines of text.
    """
    head = [*HEADINGS[:4], *peers, HEADINGS[4], "by", "rounds"]
    rows = [head, *(_row(line, [HEADINGS[3], *peers]) for line in lines)]
    widths = [
        max(3, *(len(row[column]) for row in rows)) for column in range(len(head))
    ]
    rows.insert(1, ["-" * width for width in widths])
    return "\n".join(
        "| "
        + " | ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True))
        + " |"
        for row in rows
    )


def problems(lines: t.Sequence[Line]) -> list[str]:
    """Why cells are empty: a sentence each, without those that are the same."""
    found = {
        f"{line.row}. {name}: {problem}": None
        for line in lines
        for name, problem in line.race.problems.items()
    }
    return list(found)


def _row(line: Line, tools: t.Sequence[str]) -> list[str]:
    return [
        line.row,
        line.work,
        str(line.limit or NOTHING),
        *(line.cells.get(name, NOTHING) for name in tools),
        line.verdict,
        line.quantity if line.race.samples else NOTHING,
        line.rounds or NOTHING,
    ]
