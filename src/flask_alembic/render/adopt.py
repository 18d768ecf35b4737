"""What adopt found, as lines."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from ..adopt_reports import AdoptedDatabase
    from ..adopt_reports import AdoptedFolder
    from ..adopt_reports import AdoptReport

from .text import change_lines
from .text import joined


def adopt_lines(report: AdoptReport) -> list[str]:
    """What was found, and done.

    :param report: The report.
    :return: Lines.
    """
    lines = _folder(report.folder)

    for database in report.databases:
        lines += _database(database, report.folder)

    lines += _customised(report.folder)

    if report.differences:
        lines += ["", "What is different:"]
        lines += [f"  {sentence}" for sentence in report.differences]

    if not any(database.stamped for database in report.databases):
        lines += ["", "Nothing was changed."]

    return lines


def _folder(folder: AdoptedFolder) -> list[str]:
    if not folder.tool:
        return [f"{folder.path}: there are no revisions yet."]

    if folder.to_set:
        return [
            f"{folder.path}: made by {folder.tool}. Its revisions are not read yet.",
            f"  Set ALEMBIC = {dict(folder.to_set)}, and run 'flask db adopt' again.",
        ]

    noun = "revision" if folder.revisions == 1 else "revisions"
    head = f", head {joined(folder.heads)}" if folder.heads else ""
    return [f"{folder.path}: made by {folder.tool}, {folder.revisions} {noun}{head}."]


def _database(database: AdoptedDatabase, folder: AdoptedFolder) -> list[str]:
    name, at = database.database, joined(database.current)

    if not database.current:
        if database.tables:
            return _without_revision(database, folder)

        return [f"{name}: is empty. Run 'flask db upgrade'."]

    # Without its files nothing can be said of it.
    if folder.to_set:
        return [f"{name}: is at {at}."]

    if database.unknown:
        return [
            f"{name}: is at {joined(database.unknown)}, which no file has.",
            "  Restore the file, or deploy the newer code. If it is lost, run 'flask db"
            " stamp --purge' with the revision that the tables match.",
        ]

    is_head = set(database.current) == set(folder.heads)
    return [f"{name}: is at {at}, {'head' if is_head else 'not head'}."]


def _without_revision(database: AdoptedDatabase, folder: AdoptedFolder) -> list[str]:
    table = database.version_table
    has = f"no revision in {table}" if database.has_version_table else f"no {table}"
    noun = "table" if database.tables == 1 else "tables"
    line = f"{database.database}: has {database.tables} {noun} and {has}"

    if database.stamped:
        return [f"{line}. It matches the models: stamped {joined(database.stamped)}."]

    if folder.to_set:
        return [f"{line}."]

    if database.changes is None:
        return [
            f"{line}, and there are no revisions. Write the first one against an empty"
            " database, then run 'flask db adopt' again."
        ]

    if not database.changes:
        return [
            f"{line}. It matches the models.",
            "  Run 'flask db stamp --verify', or 'flask db adopt --yes'.",
        ]

    return [
        f"{line}. It differs from the models:",
        *change_lines(database.changes, several=False),
        "  Find the revision that it matches: 'flask db stamp --verify REVISION'.",
    ]


def _customised(folder: AdoptedFolder) -> t.Iterator[str]:
    if not folder.customised:
        return

    width = max(len(item.name) for item in folder.customised)
    yield ""
    yield f"Customised in {folder.path}/env.py, which is not run here:"

    for item in folder.customised:
        yield f"  line {item.line:<3}  {item.name:<{width}}  {item.instead}"
