"""Revisions as lines for people, at most 80 columns wide where the ids allow it."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from alembic.script import Script as AlembicScript

    from ..revisions.graph import Revision

    Script = AlembicScript | Revision


def script_text(
    script: Script, *, verbose: bool, databases: t.Sequence[str] | None = None
) -> str:
    """One revision of the history.

    :param script: The revision.
    :param verbose: Whether to tell all of it.
    :param databases: Names of the databases that are at it. Without names, it is the
        only database; ``None`` says nothing of them.
    :return: A line, or several.
    """
    marks = [*_marks(script), *_current(databases)]
    return _block(script, marks) if verbose else _line(script, marks)


def branch_text(script: Script, children: t.Iterable[Script], *, verbose: bool) -> str:
    """A revision that more than one other revises.

    :param script: The revision.
    :param children: The others.
    :param verbose: Whether to tell all of it.
    :return: Several lines.
    """
    others = [f"    -> {script_text(child, verbose=False)}" for child in children]
    return "\n".join([script_text(script, verbose=verbose), *others])


def current_lines(
    databases: t.Mapping[str, t.Sequence[Script]], *, verbose: bool
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
            text = script_text(script, verbose=verbose)
            lines.append(f"{name}:\n{text}" if verbose else f"{name}: {text}")

    return lines


def _line(script: Script, marks: t.Iterable[str]) -> str:
    parents = _parents(script)

    if script.dependencies:
        parents = f"{parents} ({_comma(script.dependencies)})"

    labels = f" ({_comma(script.branch_labels)})" if script.branch_labels else ""
    message = f", {' '.join(script.doc.split())}" if script.doc else ""
    return f"{parents} -> {script.revision}{labels}{_bracketed(marks)}{message}"


def _block(script: Script, marks: t.Iterable[str]) -> str:
    facts = {
        "Rev": f"{script.revision}{_bracketed(marks)}",
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


def _current(databases: t.Sequence[str] | None) -> t.Iterator[str]:
    if databases is not None:
        yield f"current: {_comma(databases)}" if databases else "current"


def _bracketed(marks: t.Iterable[str]) -> str:
    return "".join(f" ({mark})" for mark in marks)


def _comma(value: str | t.Collection[str] | None) -> str:
    if isinstance(value, str):
        return value

    # The order of a set is another one in each process; of parents it means something.
    items = sorted(value or ()) if isinstance(value, (set, frozenset)) else value or ()
    return ", ".join(items)
