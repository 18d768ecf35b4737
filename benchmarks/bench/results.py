"""What is kept of a run: a file with all samples, and the page of the documentation
with its table and its chart.
"""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from bench.chart import draw
from bench.lines import Line
from bench.lines import problems
from bench.lines import table
from tools import REPOSITORY

FOLDER: t.Final = REPOSITORY / "benchmarks" / "results"
PAGE: t.Final = REPOSITORY / "docs" / "benchmarks.md"
CHART: t.Final = REPOSITORY / "docs" / "benchmarks.svg"
BEGIN: t.Final = "<!-- Written by make bench: begin -->"
END: t.Final = "<!-- Written by make bench: end -->"


@dataclass(frozen=True)
class Results:
    """A whole run."""

    date: datetime
    machine: t.Mapping[str, str]
    """What it was made on."""
    lines: t.Sequence[Line]
    peers: t.Sequence[str]
    """The names of the columns beside that of this package."""

    def text(self) -> str:
        """The table, with the machine above it and the problems below."""
        machine = "; ".join(f"{name} {value}" for name, value in self.machine.items())
        found = [f"- {problem}" for problem in problems(self.lines)]
        notes = ["", "Not measured:", "", *found] if found else []
        head = f"{self.date:%Y-%m-%d}: {machine}."
        return "\n".join([head, "", table(self.lines, self.peers), *notes])


def keep(results: Results) -> Path:
    """Write a run down, and show it in the documentation.

    :param results: The run.
    :return: The file with the samples.
    """
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / f"{results.date:%Y-%m-%d-%H%M}.json"
    path.write_text(to_json(results))
    CHART.write_text(draw(p for line in results.lines for p in line.points))
    PAGE.write_text(replace_part(PAGE.read_text(), results.text()))
    return path


def to_json(results: Results) -> str:
    """A run as JSON, with the samples that it was made of; a line for each of the
    table, so that two runs can be compared.
    """
    lines = [json.dumps(_line(line), ensure_ascii=False) for line in results.lines]
    date = json.dumps(results.date.isoformat(timespec="seconds"))
    machine = json.dumps(dict(results.machine))
    rows = ",\n".join(lines)
    return f'{{"date": {date},\n"machine": {machine},\n"lines": [\n{rows}\n]}}\n'


def replace_part(page: str, part: str) -> str:
    """A page whose part between the two marks is another one.

    :param page: The page.
    :param part: What is between the marks then.
    """
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{part}\n\n{END}{after}"


def _line(line: Line) -> dict[str, t.Any]:
    return {
        "row": line.row,
        "work": line.work,
        "asked": str(line.limit) if line.limit else None,
        "value": None if line.value is None else round(line.value, 4),
        "met": line.verdict,
        "quoted": line.quantity,
        "cells": dict(line.cells),
        "samples": {
            name: {
                quantity: [round(sample.get(quantity), 5) for sample in samples]
                for quantity in ("wall", "cpu", "peak")
            }
            for name, samples in line.race.samples.items()
        },
        "problems": dict(line.race.problems),
    }
