"""Rows a, b and i: whole commands that have nothing to do, with many revisions."""

from __future__ import annotations

import re
import shutil
import sqlite3
import typing as t
from pathlib import Path

from bench.comparisons import against_base
from bench.histories import rotating
from bench.histories import Step
from bench.histories import write
from bench.lab import check
from bench.lab import Lab
from bench.lines import Limit
from bench.lines import Line
from bench.lines import number
from bench.measuring import alternate
from bench.measuring import Contestant
from bench.measuring import Missing
from bench.measuring import Race
from bench.measuring import Sample
from bench.projects import BARE
from bench.projects import Project
from tools import FLASK_ALEMBIC
from tools import FLASK_MIGRATE
from tools import OURS

COMMANDS: t.Final = ("heads", "current", "log", "upgrade")
WITHOUT_BYTECODE: t.Final = {"PYTHONDONTWRITEBYTECODE": "1"}
ID: t.Final = re.compile(r"\b[0-9a-f]{12}\b")


class Workshop:
    """The projects of all tools, with one history and databases at its head.

    :param lab: Where.
    :param steps: The history.
    """

    def __init__(self, lab: Lab, steps: t.Sequence[Step]) -> None:
        self.lab = lab
        self.steps = steps
        self.folder = lab.place(f"commands-{len(steps)}")
        self.bare = Project(lab.ours, self.folder / BARE, bare=True)
        self.projects = [
            Project(each, self.folder / each.folder.name)
            for each in lab.environments.values()
        ]
        database = self._make_database()

        for project in self.projects:
            project.fill(steps, database)

    def _make_database(self) -> Path:
        """A database that this package brought to head, with what it notes there."""
        path, versions = self.folder / "head.db", self.folder / "versions"
        write(self.steps, versions)
        url, migrations = f"sqlite:///{path}", str(versions)
        sample = self.lab.work(
            OURS, "upgrading", url=url, migrations=migrations, verb="upgrade"
        )
        check(sample, heads=[self.steps[-1].id])
        shutil.rmtree(versions)
        return path

    def race(self, command: str, *, warm_up: bool = False) -> Race:
        """Type one command in all projects, in turns with one that does nothing."""
        contestants = [
            self._bare({}),
            *(self._typed(p, command) for p in self.projects),
        ]
        return alternate(contestants, self.lab.sizes.rounds, warm_up=warm_up)

    def race_without_bytecode(self, command: str) -> Race:
        """The same where Python keeps no bytecode of the revisions. Peers do the same
        for each command, so that one is enough.
        """
        variables = WITHOUT_BYTECODE
        projects = [
            project
            for project in self.projects
            if project.tool is OURS
            or (project.tool is FLASK_ALEMBIC and command == COMMANDS[0])
        ]

        for project in projects:
            shutil.rmtree(project.versions / "__pycache__", ignore_errors=True)

        typed = [self._typed(each, command, **variables) for each in projects]
        contestants = [self._bare(variables), *typed]
        return alternate(contestants, self.lab.sizes.few_rounds)

    def _bare(self, variables: dict[str, str]) -> Contestant:
        return Contestant(BARE, lambda: self.bare.flask("noop", **variables)[0])

    def _typed(self, project: Project, command: str, **variables: str) -> Contestant:
        # One of them takes time that grows with the square of the revisions.
        is_slow = project.tool is FLASK_MIGRATE and command == "current"
        is_long = len(self.steps) == self.lab.sizes.many_revisions

        def run() -> Sample:
            sample, output = project.flask("db", _name(project, command), **variables)
            self._check(project, command, output)
            return sample

        return Contestant(project.name, run, 1 if is_slow and is_long else None)

    def _check(self, project: Project, command: str, output: str) -> None:
        """Check that a command did what it was asked for."""
        head = self.steps[-1].id
        told = set(ID.findall(output))

        if command in ("heads", "current") and head not in told:
            raise Missing(f"'{command}' did not tell the head")

        if command == "log" and told != {step.id for step in self.steps}:
            raise Missing(f"'{command}' told {len(told)} of {len(self.steps)} ids")

        with sqlite3.connect(project.database) as connection:
            rows = connection.execute("SELECT version_num FROM alembic_version")

            if rows.fetchall() != [(head,)]:
                raise Missing(f"'{command}' changed the version")

        connection.close()


def measure(lab: Lab, wanted: t.Collection[str]) -> t.Iterator[Line]:
    """Measure them.

    :param wanted: The letters of the rows to measure.
    """
    if "a" in wanted:
        workshop = Workshop(lab, rotating(lab.sizes.revisions))
        yield from _commands(workshop, "a", 1.12)

    if "b" in wanted or "i" in wanted:
        workshop = Workshop(lab, rotating(lab.sizes.many_revisions))
        yield from _many(workshop, wanted)


def _many(workshop: Workshop, wanted: t.Collection[str]) -> t.Iterator[Line]:
    """Rows b and i, which is about one of the commands of b."""
    if "b" not in wanted:
        yield _memory(workshop.race("log", warm_up=True), len(workshop.steps))
        return

    for line in _commands(workshop, "b", 1.40):
        yield line

        if "i" in wanted and line.work.startswith("log"):
            yield _memory(line.race, len(workshop.steps))

    for command in COMMANDS:
        race = workshop.race_without_bytecode(command)
        yield _line(workshop, "b", command, race, 1.40, ", no bytecode kept")


def _commands(workshop: Workshop, row: str, limit: float) -> t.Iterator[Line]:
    for command in COMMANDS:
        # The first one leaves bytecode for all of them.
        race = workshop.race(command, warm_up=command == COMMANDS[0])
        yield _line(workshop, row, command, race, limit)


def _line(
    workshop: Workshop, row: str, command: str, race: Race, limit: float, end: str = ""
) -> Line:
    count = len(workshop.steps)
    return against_base(
        row,
        f"{command}, {count} revisions{end}",
        race,
        BARE,
        Limit(limit, "× bare"),
        chart=("heads, by revisions", count)
        if command == "heads" and not end
        else None,
    )


def _memory(race: Race, count: int) -> Line:
    peaks = {name: race.median(name, "peak") for name in race.samples}
    return Line(
        "i",
        f"log, {count} revisions: peak memory",
        {name: f"{number(peak)} MiB" for name, peak in peaks.items() if peak},
        value=peaks.get(OURS.name),
        limit=Limit(62, "MiB"),
        quantity="peak",
        race=race,
    )


def _name(project: Project, command: str) -> str:
    is_other = project.tool is FLASK_MIGRATE and command == "log"
    return "history" if is_other else command
