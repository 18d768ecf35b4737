"""The rounds, one after the other, and the table of what was found."""

from __future__ import annotations

import argparse
import re
import secrets
import shutil
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from random import Random

from servers import NAMES
from servers import Server

from . import processes
from . import scenarios
from . import verify
from .databases import Database
from .databases import find_server
from .rounds import KINDS
from .rounds import Round

DESCRIPTION = """Injure `flask db upgrade` at random, and see that typing it again mends
everything: no revision is run twice or lost, and no row is lost. The exit code is 1 if
that does not hold; the folder of such a round is kept. The servers are those of the
tests: FLASK_ALEMBIC_TEST_POSTGRESQL and FLASK_ALEMBIC_TEST_MARIADB name others."""


@dataclass
class Total:
    """What all rounds on one database had to say."""

    server: Server
    rounds: int = 0
    seconds: float = 0
    faults: Counter[str] = field(default_factory=Counter)
    problems: Counter[str] = field(default_factory=Counter)

    @property
    def name(self) -> str:
        """The database and its version, short."""
        numbers = re.search(r"[\d.]+", self.server.version)
        return f"{self.server.name} {numbers[0] if numbers else ''}"

    def add(self, round_: Round, seconds: float) -> None:
        """Count a round."""
        self.rounds += 1
        self.seconds += seconds
        self.faults += round_.found.faults
        # A round counts once for each kind, however many tables and processes it has.
        self.problems.update({kind for kind, _ in round_.found.problems})


def main() -> int:
    """Run what the command line asks for."""
    arguments = parse()
    print(f"seed {arguments.seed}", flush=True)
    servers = [find_server(name) for name in arguments.database or NAMES]
    processes.warm_up()
    totals = [run_rounds(server, arguments) for server in servers]
    report(totals)
    return int(any(total.problems for total in totals))


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser("make chaos", description=DESCRIPTION)
    add = parser.add_argument
    add("--rounds", type=int, default=200, help="of each database, by default 200")
    add("--seed", type=int, default=secrets.randbelow(10**6), help="repeats a run")
    add("--round", type=int, help="only this one, to repeat it")
    add("--database", action="append", choices=NAMES, help="by default all three")
    add("--scenario", help="only the scenarios whose name has this in it")
    return parser.parse_args()


def run_rounds(server: Server, arguments: argparse.Namespace) -> Total:
    """Run the rounds of one database.

    :param server: The server.
    :param arguments: The command line.
    """
    total = Total(server)
    numbers = range(arguments.rounds) if arguments.round is None else [arguments.round]

    for number in numbers:
        started = time.monotonic()
        round_ = run_round(server, number, arguments)
        total.add(round_, time.monotonic() - started)

        if round_.found.problems:
            tell(round_, number, arguments)

    return total


def run_round(server: Server, number: int, arguments: argparse.Namespace) -> Round:
    """Run one round, whose number and seed decide what happens in it.

    :param server: The server.
    :param number: The number of the round.
    :param arguments: The command line.
    """
    random = Random(f"{arguments.seed} {server.name} {number}")
    folder = Path(tempfile.mkdtemp(prefix=f"flask-alembic-chaos-{number}-"))
    known = scenarios.SCENARIOS[server.name]
    name = (arguments.scenario or "").replace(" ", "_")
    # Each comes up equally often.
    chosen = [each for each in known if name in each.__name__] or known
    scenario = chosen[number % len(chosen)]
    round_ = Round(random, Database(server, folder / "data"), folder)

    try:
        round_.prepare(small_disk=scenario is scenarios.full_disk)
        scenarios.run(scenario, round_)
        verify.converge(round_)
    finally:
        round_.clean()

        if not round_.found.problems:
            shutil.rmtree(folder)

    return round_


def tell(round_: Round, number: int, arguments: argparse.Namespace) -> None:
    """Print what was wrong in a round, and how to repeat it."""
    name = round_.database.kind
    print(f"\n{name}, round {number}: {round_.scenario}")

    for kind, text in round_.found.problems:
        print(f"  {kind}: {text}")

    scenario = f' --scenario "{arguments.scenario}"' if arguments.scenario else ""
    again = f"--database {name} --seed {arguments.seed} --round {number}{scenario}"
    print(f"  kept in {round_.folder}\n  again: make chaos ARGS='{again}'", flush=True)


def report(totals: list[Total]) -> None:
    """Print the table, and which faults were injected."""
    rows = [["", "rounds", "s a round", "faults", *KINDS]]
    rows += [
        [
            total.name,
            str(total.rounds),
            f"{total.seconds / max(total.rounds, 1):.1f}",
            str(total.faults.total()),
            *(str(total.problems[kind]) for kind in KINDS),
        ]
        for total in totals
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    print()

    for row in rows:
        cells = zip(row, widths, strict=True)
        print("  ".join(cell.rjust(width) for cell, width in cells))

    for total in totals:
        faults = ", ".join(f"{n} x {name}" for name, n in total.faults.most_common())
        print(f"\nInjected on {total.server.name}: {faults or 'nothing'}")


if __name__ == "__main__":
    sys.exit(main())
