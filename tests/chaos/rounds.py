"""One round: what it has made, the processes that it started, what was found."""

from __future__ import annotations

import time
import typing as t
from collections import Counter
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from random import Random

from .databases import Database
from .disk import SmallDisk
from .plan import make_plan
from .plan import Plan
from .processes import fork
from .processes import HANG
from .processes import LIMIT
from .processes import Process
from .processes import upgrade
from .project import Project

KINDS: t.Final = (
    "run twice",
    "lost",
    "not converged",
    "rows lost",
    "failed needlessly",
)
"""What must not happen."""

STATEMENTS: t.Final = {"sqlite": 14, "postgresql": 7, "mariadb": 7}
"""About how many a revision takes, with those of the version table."""

SECONDS: t.Final = {"sqlite": 0.08, "postgresql": 0.15, "mariadb": 0.35}
"""About how long an upgrade takes in a process that was forked."""

TYPED: t.Final = 0.4
"""Seconds that an interpreter takes to get there."""


class Round:
    """A database, an app and its revisions."""

    def __init__(self, random: Random, database: Database, folder: Path) -> None:
        self.random = random
        self.database = database
        self.folder = folder
        self.disk = SmallDisk(folder / "data")
        self.plan: Plan = make_plan(random, database.kind)
        self.project = Project(folder / "app", database.url, self.plan)
        self.typed = random.random() < 0.1
        self.processes: list[Process] = []
        self.found = Found()
        self.scenario = ""

    def prepare(self, *, small_disk: bool) -> None:
        """Make all of it.

        :param small_disk: Whether the database lies on a disk of its own.
        """
        self.disk.folder.mkdir()

        if small_disk:
            self.disk.mount()

        self.database.create()
        self.project.prepare(self.random)
        self.project.write(self.random)

    def note_hanging(self) -> None:
        """Note the processes that had to be killed."""
        if count := [process.result for process in self.processes].count(HANG):
            self.found.add("not converged", f"{count} processes hung")

    def clean(self) -> None:
        """Leave no process and no database."""
        for process in self.processes:
            process.kill()

        self.database.drop()
        self.disk.unmount()

    def start(self, point: str | None = None, file_limit: int | None = None) -> Process:
        """Start ``flask db upgrade``.

        :param point: At which statement it does what to itself.
        :param file_limit: The size of the largest file that it can write, in bytes.
        """
        process = upgrade(
            self.project.folder,
            self._log("upgrade"),
            typed=self.typed,
            point=point,
            file_limit=file_limit,
        )
        self.processes.append(process)
        return process

    def fork(self, work: t.Callable[[], object]) -> Process:
        """Do something beside the upgrades.

        :param work: What to do.
        """
        process = fork(work, self._log("other"))
        self.processes.append(process)
        return process

    def wait(self) -> list[int | str]:
        """Wait for all; those that hang are killed."""
        deadline = time.monotonic() + LIMIT
        return [each.wait(deadline - time.monotonic()) for each in self.processes]

    def point(self, signal_name: str = "SIGKILL") -> str:
        """Some statement of an upgrade, and what is to happen there."""
        moment = self.random.choice(["before", "after"])
        statements = STATEMENTS[self.database.kind] * len(self.plan.revisions)
        number = self.random.randint(1, statements)
        return f"{moment}:{signal_name}:{number}"

    def moment(self) -> float:
        """Some time within an upgrade, in seconds."""
        seconds = self.random.uniform(0, SECONDS[self.database.kind])
        return seconds + TYPED * self.typed

    def fault(self, name: str, number: int = 1) -> None:
        """Count faults that were injected."""
        self.found.faults[name] += number

    def _log(self, name: str) -> Path:
        return self.folder / f"{len(self.processes):02}-{name}.log"


@dataclass
class Found:
    """What a round did, and what was wrong then."""

    faults: Counter[str] = field(default_factory=Counter)
    problems: list[tuple[str, str]] = field(default_factory=list)

    def add(self, kind: str, text: str) -> None:
        """Note what was wrong.

        :param kind: One of :data:`KINDS`.
        :param text: The details.
        """
        assert kind in KINDS, kind
        self.problems.append((kind, text))
