"""The rows of the table: a module for what is set up and measured together."""

from __future__ import annotations

import typing as t

from bench.lab import Lab
from bench.lines import Line
from bench.rows import commands
from bench.rows import comparing
from bench.rows import disk
from bench.rows import fleets
from bench.rows import graphs
from bench.rows import health
from bench.rows import imports
from bench.rows import upgrading

Measure = t.Callable[[Lab, t.Collection[str]], t.Iterator[Line]]

ROWS: t.Final[dict[str, Measure]] = {
    "abi": commands.measure,
    "c": imports.measure,
    "d": health.measure,
    "e": comparing.measure,
    "fg": upgrading.measure,
    "h": fleets.measure,
    "j": graphs.measure,
    "k": disk.measure,
}
"""The letters of rows, and what measures them."""

LETTERS: t.Final = sorted("".join(ROWS))
