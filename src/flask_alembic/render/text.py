"""Reports as lines for people, at most 80 columns wide where the ids allow it."""

from __future__ import annotations

import typing as t

from ..reports import AppliedStep
from ..reports import Change
from ..reports import CheckReport
from ..reports import DatabaseCheck
from ..reports import MigrationReport

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
    return (
        f"  {database}{step.revision}{message}  {step.direction}"
        f"  {step.seconds * 1000:.0f} ms"
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
    return [
        _summary(database, ids, len(report.steps_of(database)), direction, heads)
        for database, ids in report.databases.items()
    ]


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


def joined(ids: t.Collection[str]) -> str:
    """Revision ids in a sentence.

    :param ids: The ids that a database is at.
    :return: The ids, or ``base`` for none.
    """
    return ", ".join(sorted(ids)) or "base"


def script_line(script: Script) -> str:
    """One revision of the history.

    :param script: The revision.
    :return: A line.
    """
    parents = _parents(script)

    if script.dependencies:
        parents = f"{parents} ({_comma(script.dependencies)})"

    labels = f" ({_comma(script.branch_labels)})" if script.branch_labels else ""
    marks = "".join(f" ({mark})" for mark in _marks(script))
    message = f", {' '.join(script.doc.split())}" if script.doc else ""
    return f"{parents} -> {script.revision}{labels}{marks}{message}"


def script_block(script: Script) -> str:
    """All of one revision.

    :param script: The revision.
    :return: Several lines, and an empty one.
    """
    marks = "".join(f" ({mark})" for mark in _marks(script))
    facts = {
        "Rev": f"{script.revision}{marks}",
        "Merges" if script.is_merge_point else "Parent": _parents(script),
        "Also depends on": _comma(script.dependencies),
        "Branches into": _comma(script.nextrev) if script.is_branch_point else "",
        "Branch names": _comma(script.branch_labels),
        "Path": script.path,
    }
    lines = [f"{name}: {fact}" for name, fact in facts.items() if fact]
    text = [f"    {line}".rstrip() for line in script.longdoc.splitlines()]
    return "\n".join([*lines, "", *text, ""])


def _parents(script: Script) -> str:
    return _comma(script.down_revision) or "<base>"


def _marks(script: Script) -> t.Iterator[str]:
    if script.is_head:
        yield "head"

    if script.is_branch_point:
        yield "branchpoint"

    if script.is_merge_point:
        yield "mergepoint"


def _comma(value: str | t.Collection[str] | None) -> str:
    if isinstance(value, str):
        return value

    # The order of a set is another one in each process; of parents it means something.
    items = sorted(value or ()) if isinstance(value, (set, frozenset)) else value or ()
    return ", ".join(items)


def current_lines(
    databases: t.Mapping[str, tuple[Script, ...]], *, verbose: bool
) -> list[str]:
    """Where each database is.

    :param databases: Name to revisions.
    :param verbose: Whether to tell all of each revision.
    :return: At least a line a database.
    """
    lines = []

    for name, scripts in databases.items():
        if not scripts:
            lines.append(f"{name}: base, no revision is applied")

        for script in scripts:
            if verbose:
                lines.append(f"{name}:\n{script_block(script)}")
            else:
                lines.append(f"{name}: {script_line(script)}")

    return lines


def script_text(script: Script, *, verbose: bool) -> str:
    """One revision of the history.

    :param script: The revision.
    :param verbose: Whether to tell all of it.
    :return: A line, or several.
    """
    return script_block(script) if verbose else script_line(script)


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


def nothing_found(tables: t.Mapping[str, int]) -> list[str]:
    """Why autogenerate may have found nothing.

    :param tables: Number of tables in the metadata of each database.
    :return: Lines.
    """
    what = "database" if len(tables) == 1 else "databases"
    lines = [f"Nothing changed: the models match the {what}. The revision is empty."]
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
