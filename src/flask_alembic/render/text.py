"""Reports as lines for people, at most 80 columns wide where the ids allow it."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from ..reports import AppliedStep
    from ..reports import Change
    from ..reports import CheckReport
    from ..reports import DatabaseCheck
    from ..reports import MigrationReport
    from ..reports import VersionTable


if t.TYPE_CHECKING:
    from alembic.script import Script

_DONE: t.Final = {"upgrade": "applied to", "downgrade": "undone on"}


def step_line(step: AppliedStep, *, several: bool) -> str:
    """One revision that ran.

    :param step: The step.
    :param several: Whether to name the database.
    :return: A line.
    """
    database = f"{step.database}: " if several else ""
    message = f"  {shorten(step.message, 40)}" if step.message else ""
    done = f"  {step.continued} done before" if step.continued else ""
    return (
        f"  {database}{step.revision}{message}  {step.direction}"
        f"  {step.seconds * 1000:.0f} ms{done}"
    )


def step_lines(steps: t.Sequence[AppliedStep], *, several: bool) -> list[str]:
    """The revisions that ran.

    :param steps: The steps.
    :param several: Whether to name the databases.
    :return: A line each.
    """
    return [step_line(step, several=several) for step in steps]


def run_summary(
    report: MigrationReport, direction: str, heads: t.Collection[str]
) -> list[str]:
    """How a run ended, for each database.

    :param report: The report.
    :param direction: ``upgrade``, ``downgrade`` or ``stamp``.
    :param heads: The ids of a database that is at head.
    :return: A line a database.
    """
    lines = [
        _summary(database, ids, len(report.steps_of(database)), direction, heads)
        for database, ids in report.databases.items()
    ]

    if report.waited and not report.steps:
        return [f"Another run did the work: {lines[0]}", *lines[1:]]

    return lines


def _summary(
    database: str,
    ids: tuple[str, ...],
    count: int,
    direction: str,
    heads: t.Collection[str],
) -> str:
    if direction == "stamp":
        verb = "is stamped" if count else "is already stamped"
        return f"{database} {verb} {joined(ids)}."

    if count:
        noun = "revision" if count == 1 else "revisions"
        now = f"; it is at {joined(ids)} now" if set(ids) != set(heads) else ""
        return f"{count} {noun} {_DONE[direction]} {database}{now}."

    if not heads and not ids:
        return f"{database}: there are no revisions yet."

    if set(ids) == set(heads) and direction == "upgrade":
        return f"{database} is already at head ({joined(ids)})."

    return f"Nothing to do: {database} is at {joined(ids)}."


def undone_lines(undone: t.Mapping[str, tuple[str, ...]]) -> list[str]:
    """What would be undone.

    :param undone: For each database ids.
    :return: A line a database.
    """
    return [f"  {name}: {', '.join(ids)}" for name, ids in undone.items()]


def joined(ids: t.Collection[str]) -> str:
    """Revision ids in a sentence.

    :param ids: The ids that a database is at.
    :return: The ids, or ``base`` for none.
    """
    return ", ".join(sorted(ids)) or "base"


def change_lines(changes: t.Iterable[Change], *, several: bool) -> list[str]:
    """What differs between models and database.

    :param changes: The changes.
    :param several: Whether to name the database.
    :return: A line each.
    """
    return [
        f"  {change.database}: {change.text}" if several else f"  {change.text}"
        for change in changes
    ]


def nothing_to_merge(heads: t.Sequence[Script]) -> str:
    """Why a merge wrote nothing.

    :param heads: The heads of the history.
    :return: A line.
    """
    if not heads:
        return "Nothing to merge: there are no revisions."

    if len(heads) > 1:
        return "Nothing to merge: name at least two revisions."

    return "Nothing to merge: that is one head."


def version_table_lines(tables: t.Iterable[VersionTable]) -> list[str]:
    """Which version tables were made.

    :param tables: One a database.
    :return: A line a database.
    """
    return [
        f"{item.database}: made the table {item.table}."
        if item.created
        else f"{item.database}: the table {item.table} exists already."
        for item in tables
    ]


def nothing_found(tables: t.Mapping[str, int], *, skipped: bool) -> list[str]:
    """Why autogenerate may have found nothing.

    :param tables: Number of tables in the metadata of each database.
    :param skipped: Whether no revision was written.
    :return: Lines.
    """
    what = "database" if len(tables) == 1 else "databases"
    then = "No revision was written." if skipped else "The revision is empty."
    lines = [f"No changes: the models match the {what}. {then}"]
    lines += [no_tables(name) for name, count in tables.items() if not count]
    return lines


def no_tables(database: str) -> str:
    """Say that there are no models.

    :param database: Name of the database.
    :return: A line.
    """
    return (
        f"There are no tables in the metadata of '{database}': is the module with your"
        " models imported?"
    )


def check_lines(report: CheckReport) -> list[str]:
    """What a check found.

    :param report: The report.
    :return: Lines, with the cure at the end.
    """
    lines = [line for database in report.databases for line in _check(database)]

    if any(database.is_behind for database in report.databases):
        lines.append("Hint: Run 'flask db upgrade'.")
    elif not report.ok:
        lines.append("Hint: Run 'flask db revision \"what changed\"'.")

    return lines


def _check(database: DatabaseCheck) -> list[str]:
    name = database.database

    if database.is_behind:
        return [
            f"{name}: the database is not up to date: it is at"
            f" {joined(database.current)}, head is {joined(database.heads)}."
        ]

    if database.changes:
        return [
            f"{name}: the models changed:",
            *change_lines(database.changes, several=False),
            *([no_tables(name)] if not database.tables else []),
        ]

    if not database.tables:
        return [f"{name}: nothing to compare.", no_tables(name)]

    return [f"{name}: the database is at head and matches the models."]


def shorten(text: str, width: int) -> str:
    """Fit a text on one line.

    :param text: Any text.
    :param width: Number of characters.
    :return: The text, cut where it is longer.
    """
    text = " ".join(text.split())
    return text if len(text) <= width else f"{text[: width - 1]}…"
