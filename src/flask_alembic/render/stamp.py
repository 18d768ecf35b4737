"""What is told of version tables and schemas: skipped, removed, verified."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from ..adopt_reports import Verification
    from ..reports import MigrationReport

from .text import change_lines
from .text import joined


def skipped_lines(report: MigrationReport) -> list[str]:
    """The ids that were left alone.

    :param report: The report.
    :return: A line a database that has some.
    """
    return [
        f"{database}: skipped {joined(ids)}, which no file has."
        for database, ids in report.skipped.items()
    ]


def removed_lines(report: MigrationReport) -> list[str]:
    """The ids that a purge removed.

    :param report: The report.
    :return: A line a database that had some.
    """
    return [
        f"{step.database}: removed {joined(step.removed)} from the version table."
        for step in report.steps
        if step.removed
    ]


def forgotten_lines(report: MigrationReport) -> list[str]:
    """The revisions that are half done no more, because of a stamp.

    :param report: The report.
    :return: A line a database that had one.
    """
    return [
        f"{step.database}: what was half done of {joined(step.forgotten)} is forgotten."
        for step in report.steps
        if step.forgotten
    ]


def not_half_done_lines(report: MigrationReport) -> list[str]:
    """Why there was nothing to complete.

    :param report: The report.
    :return: A line a database.
    """
    return [f"{database}: no revision is half done." for database in report.databases]


def unknown_lines(unknown: t.Mapping[str, tuple[str, ...]]) -> list[str]:
    """The ids that no file has.

    :param unknown: For each database its ids.
    :return: A line each.
    """
    return [
        f"{database}: {id_} (unknown), which no file has"
        for database, ids in unknown.items()
        for id_ in ids
    ]


def number_line(number: str, revision: str) -> str:
    """What a number was taken for.

    :param number: The number, as the user wrote it.
    :param revision: The id that begins so.
    :return: A line.
    """
    return f"{number} is taken for revision {revision}."


def verification_lines(verifications: t.Iterable[Verification]) -> list[str]:
    """What differs from the schema of a revision.

    :param verifications: What was found on each database.
    :return: Lines.
    """
    return [line for found in verifications for line in _verification(found)]


def _verification(found: Verification) -> list[str]:
    name, at = found.database, joined(found.revisions)

    if found.failed:
        return [
            f"{name}: the schema is not that of {at}:",
            f"  {found.failed} can't be run on it: {found.reason}",
        ]

    if found.changes:
        return [
            f"{name}: the schema is not that of {at}:",
            *change_lines(found.changes, several=False),
        ]

    return [f"{name}: the schema is that of {at}."]
