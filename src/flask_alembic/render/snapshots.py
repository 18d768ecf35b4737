"""What was done with snapshots, as lines and as JSON."""

from __future__ import annotations

import os
import typing as t
from pathlib import Path

from ..reports import MigrationReport
from ..snapshot_reports import DatabaseSnapshot
from ..snapshot_reports import PrepareReport
from ..snapshot_reports import SnapshotCheck
from ..snapshot_reports import SnapshotReport
from .json import document
from .text import joined
from .text import run_summary
from .text import step_lines


def snapshot_lines(report: SnapshotReport, root: Path) -> list[str]:
    """Which snapshots were written.

    :param report: The report.
    :param root: What paths are shown from.
    :return: Lines.
    """
    return [line for database in report.databases for line in _snapshot(database, root)]


def _snapshot(database: DatabaseSnapshot, root: Path) -> t.Iterator[str]:
    path = _shown(database.path, root)
    at = joined(database.revisions)
    verb = "wrote" if database.written else "nothing changed in"
    yield f"{database.database}: {verb} {path}, which is at {at}."

    if database.rows:
        yield f"  With the rows of {', '.join(database.rows)}."

    if database.left_out:
        yield (
            f"  Without the rows of {', '.join(database.left_out)}: add --rows, or"
            " --rows-of TABLE."
        )


def check_lines(check: SnapshotCheck, root: Path) -> list[str]:
    """How snapshots compare to what the revisions make.

    :param check: What was found.
    :param root: What paths are shown from.
    :return: Lines, with the cure at the end.
    """
    lines = []

    for database in check.databases:
        path = _shown(database.path, root)

        if database.ok:
            lines.append(f"{database.database}: {path} is what its revisions make.")
        else:
            lines.append(f"{database.database}: {path} is not what its revisions make:")
            lines += [f"  {problem}" for problem in database.problems]

    return lines if check.ok else [*lines, "Hint: Run 'flask db snapshot'."]


def prepare_lines(report: PrepareReport, root: Path) -> list[str]:
    """What was loaded, and which revisions ran.

    :param report: The report.
    :param root: What paths are shown from.
    :return: Lines.
    """
    several = len(report.databases) > 1
    loaded = {d.database: d.snapshot for d in report.databases if d.snapshot}
    lines = []

    for step in report.run.steps:
        path = loaded.get(step.database)

        if step.direction == "snapshot" and path is not None:
            name = f"{step.database}: " if several else ""
            seconds = f"{step.seconds * 1000:.0f} ms"
            lines.append(f"  {name}{_shown(path, root)}  {step.direction}  {seconds}")
        else:
            lines += step_lines([step], several=several)

    return lines


def prepare_summary(report: PrepareReport, heads: t.Collection[str]) -> list[str]:
    """How it ended, for each database.

    :param report: The report.
    :param heads: The ids of a database that is at head.
    :return: A line a database.
    """
    loaded = [d.database for d in report.databases if d.snapshot]
    others = {n: ids for n, ids in report.run.databases.items() if n not in loaded}
    rest = MigrationReport(
        tuple(step for step in report.run.steps if step.database in others),
        others,
        report.run.skipped,
        report.run.waited,
    )
    lines = [
        f"{d.database} was empty; it is at {joined(d.current)} now."
        for d in report.databases
        if d.snapshot
    ]
    return [*lines, *run_summary(rest, "upgrade", heads)]


def snapshot_json(report: SnapshotReport) -> str:
    """Which snapshots were written.

    :param report: The report.
    :return: A document.
    """
    found = [
        {
            "name": database.database,
            "path": str(database.path),
            "revisions": database.revisions,
            "rows": database.rows,
            "left_out": database.left_out,
            "written": database.written,
        }
        for database in report.databases
    ]
    return document({"databases": found})


def check_json(check: SnapshotCheck) -> str:
    """How snapshots compare to what the revisions make.

    :param check: What was found.
    :return: A document.
    """
    found = [
        {
            "name": database.database,
            "path": str(database.path),
            "ok": database.ok,
            "problems": database.problems,
        }
        for database in check.databases
    ]
    return document({"ok": check.ok, "databases": found})


def prepare_json(report: PrepareReport) -> str:
    """What was loaded, and which revisions ran.

    :param report: The report.
    :return: A document.
    """
    found = [
        {
            "name": database.database,
            "snapshot": str(database.snapshot) if database.snapshot else None,
            "applied": database.applied,
            "current": database.current,
        }
        for database in report.databases
    ]
    return document({"databases": found})


def _shown(path: Path, root: Path) -> str:
    # A folder may be anywhere.
    found = os.path.relpath(path, root)
    return str(path) if found.startswith("..") else Path(found).as_posix()
