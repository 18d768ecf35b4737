"""Measure this package beside its peers, and print a table."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
import typing as t
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from bench.lab import FULL
from bench.lab import Lab
from bench.lab import QUICK
from bench.lab import Sizes
from bench.lines import Line
from bench.machine import describe
from bench.measuring import Missing
from bench.measuring import Race
from bench.results import CHART
from bench.results import keep
from bench.results import PAGE
from bench.results import Results
from bench.rows import graphs
from bench.rows import LETTERS
from bench.rows import ROWS
from chaos.databases import find_server
from servers import NAMES
from tools import Environment
from tools import FLASK_ALEMBIC
from tools import FLASK_MIGRATE
from tools import Here
from tools import OURS
from tools import REPOSITORY

ALL: t.Final = (OURS, FLASK_ALEMBIC, FLASK_MIGRATE)


def main() -> None:
    """Measure what the command line asks for."""
    arguments = parse()
    environments = find_environments(arguments)
    servers = [find_server(name) for name in arguments.database or NAMES]
    machine = describe(environments[0], servers)

    with tempfile.TemporaryDirectory(prefix="bench-", dir=arguments.folder) as folder:
        lab = Lab(environments, servers, sizes(arguments), Path(folder), arguments.disk)
        lines = list(measure(lab, arguments.only))

    peers = [each.tool.name for each in environments[1:]] + [graphs.ALEMBIC]
    results = Results(datetime.now(), machine, lines, peers)
    print(results.text())

    if is_whole(arguments):
        print(f"\nWrote {keep(results)}, {PAGE} and {CHART}.")


def is_whole(arguments: argparse.Namespace) -> bool:
    """Whether it is the run that is asked for, which is kept."""
    is_part = arguments.only != set(LETTERS) or arguments.database
    return not (is_part or arguments.quick or arguments.no_peers or arguments.rounds)


def measure(lab: Lab, letters: t.Collection[str]) -> t.Iterator[Line]:
    """Measure rows, and tell on stderr how it goes on.

    :param letters: Which.
    """
    for covered, measure_rows in ROWS.items():
        if wanted := set(covered) & set(letters):
            yield from watched(min(wanted), measure_rows(lab, wanted))


def watched(row: str, lines: t.Iterator[Line]) -> t.Iterator[Line]:
    """Tell of lines when they come. One that says why stands for those that do not.

    :param row: The letter of the first one.
    :param lines: The lines of a few rows.
    """
    started = time.monotonic()

    try:
        for line in lines:
            row = line.row
            cells = ", ".join(f"{name} {cell}" for name, cell in line.cells.items())
            told = f"{time.monotonic() - started:4.0f} s  {row}. {line.work}: {cells}"
            print(told, file=sys.stderr)
            yield line
    except Missing as error:
        race = Race()
        race.problems["set-up"] = str(error)
        yield Line(row, "not measured", {}, race=race)


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    add = parser.add_argument
    folder = REPOSITORY / ".benchmarks"
    add("--only", type=rows, default=set(LETTERS), help="rows, such as a,d")
    add("--database", action="append", choices=NAMES, help="by default all three")
    add("--rounds", type=int, help="how often each runs")
    add("--quick", action="store_true", help="tiny sizes, to try the benchmark itself")
    add(
        "--no-peers", action="store_true", help="this package alone, as it is installed"
    )
    add("--venvs", type=Path, default=folder, help="folder of the tools' environments")
    add("--folder", type=Path, default=memory(), help="for all but row k, in memory")
    add("--disk", type=Path, default=folder, help="folder on a real disk, for row k")
    return parser.parse_args()


def memory() -> Path | None:
    """A folder that is no disk, which others may keep busy, if the system has one."""
    return Path("/dev/shm") if os.access("/dev/shm", os.W_OK) else None


def rows(text: str) -> set[str]:
    """The letters in an argument.

    :param text: Such as ``a,d``.
    """
    letters = set(text.replace(",", ""))

    if unknown := letters - set(LETTERS):
        raise argparse.ArgumentTypeError(f"there is no row {min(unknown)}")

    return letters


def sizes(arguments: argparse.Namespace) -> Sizes:
    """How much is done."""
    found = QUICK if arguments.quick else FULL

    if arguments.rounds:
        rounds = arguments.rounds
        return replace(found, rounds=rounds, few_rounds=min(rounds, found.few_rounds))

    return found


def find_environments(arguments: argparse.Namespace) -> list[Environment]:
    """Those of the tools that take part, installed. This package is the first."""
    if arguments.no_peers:
        return [Here()]

    environments = [Environment(tool, arguments.venvs) for tool in ALL]

    for environment in environments:
        environment.install()

    return environments


if __name__ == "__main__":
    main()
