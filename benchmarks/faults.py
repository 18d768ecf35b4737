"""Run the same faults against Flask-Alembic 3.3, Flask-Migrate and this package."""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
import textwrap
import typing as t
from pathlib import Path

# The servers and databases are those of the tests.
sys.path.append(str(Path(__file__).resolve().parent.parent / "tests"))

from chaos.databases import Database  # noqa: E402
from chaos.databases import find_server  # noqa: E402
from fault_apps import App  # noqa: E402
from fault_scenarios import OK  # noqa: E402
from fault_scenarios import Scenario  # noqa: E402
from fault_scenarios import SCENARIOS  # noqa: E402
from servers import NAMES  # noqa: E402
from servers import Server  # noqa: E402
from tools import Environment  # noqa: E402
from tools import REPOSITORY  # noqa: E402
from tools import TOOLS  # noqa: E402

WIDTH: t.Final = 30
"""Characters of a column."""

PACKAGES: t.Final = ("alembic", "sqlalchemy", "psycopg", "pymysql", "gunicorn")


def main() -> None:
    """Run what the command line asks for, and print a table."""
    arguments = parse()
    environments = [Environment(tool, arguments.venvs) for tool in TOOLS]
    environments = [each for each in environments if arguments.tool in each.tool.name]
    servers = [find_server(name) for name in arguments.database or NAMES]

    for environment in environments:
        environment.install()

    describe(environments[-1], servers)
    row("", "", *(environment.tool.name for environment in environments))

    for scenario in SCENARIOS:
        if arguments.scenario.replace(" ", "_") in scenario.__name__:
            for server in servers:
                compare(scenario, server, environments, arguments.repeat)


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add(
        "--venvs",
        type=Path,
        default=REPOSITORY / ".benchmarks",
        help="folder of the tools' environments, which are made if they are missing",
    )
    add("--database", action="append", choices=NAMES, help="by default all three")
    add("--scenario", default="", help="only those with this in their name")
    add("--repeat", type=int, default=1, help="until one is not ok, for races")
    add("--tool", default="", help="only those with this in their name")
    return parser.parse_args()


def describe(environment: Environment, servers: list[Server]) -> None:
    """Name the machine, and the versions that all tools have in common."""
    packages = [f"{name} {environment.version(name)}" for name in PACKAGES]
    python = f"Python {platform.python_version()}"
    known = (f"{server.name} {server.version}" for server in servers)
    print(f"{os.cpu_count()} cores, {platform.system()}, {python}")
    print(", ".join(packages))
    print(", ".join(known), end="\n\n")


def compare(
    scenario: Scenario, server: Server, environments: list[Environment], repeat: int
) -> None:
    """Run one scenario on one database with each tool, and print a row."""
    results = [first_wrong(scenario, server, each, repeat) for each in environments]

    if None not in results:
        row(scenario.__doc__ or "", server.name, *map(str, results))


def first_wrong(
    scenario: Scenario, server: Server, environment: Environment, repeat: int
) -> str | None:
    """Run one scenario with one tool, several times as long as all is well."""
    results = (run(scenario, server, environment) for _ in range(repeat))
    return next((result for result in results if result != OK), OK)


def run(scenario: Scenario, server: Server, environment: Environment) -> str | None:
    """Run one scenario with one tool, on a database that is dropped afterwards."""
    with tempfile.TemporaryDirectory(prefix="flask-alembic-faults-") as name:
        database = Database(server, Path(name))
        database.create()

        try:
            return scenario(App(environment, database, Path(name, "app")))
        finally:
            database.drop()


def row(title: str, database: str, *cells: str) -> None:
    """Print a row, on several lines if a cell is long."""
    columns = [textwrap.wrap(cell, WIDTH) for cell in (title, *cells)]
    columns.insert(1, [database])

    for number in range(max(map(len, columns))):
        line = [column[number] if number < len(column) else "" for column in columns]
        widths = [WIDTH, 10] + [WIDTH] * len(cells)
        padded = (text.ljust(width) for text, width in zip(line, widths, strict=True))
        print("  ".join(padded).rstrip())

    print(flush=True)


if __name__ == "__main__":
    main()
