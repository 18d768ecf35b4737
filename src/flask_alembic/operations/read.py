"""Look, and change nothing: current, needs_upgrade, heads, branches, log, show."""

from __future__ import annotations

import re
import typing as t

from alembic.script import Script

from ..arguments import as_strings
from ..arguments import resolve
from ..arguments import RevisionArgument
from ..arguments import too_far
from ..history import History
from ..reports import CurrentRevisions
from ..version_table import read_heads
from .facade import alembic_errors
from .facade import Facade
from .facade import known_heads


def current_heads(alembic: Facade) -> dict[str, tuple[str, ...]]:
    """Where each database stands.

    :param alembic: The extension.
    :return: Name to the ids in the version table.
    """
    return {
        name: tuple(sorted(read_heads(context, name)))
        for name, context in alembic.migration_contexts.items()
    }


def current_by_database(
    alembic: Facade, skip_missing: bool = False
) -> CurrentRevisions:
    """The revisions that each database stands at.

    :param alembic: The extension.
    :param skip_missing: Whether ids that no file has are left out.
    :return: Name to revisions.
    """
    script = alembic.script_directory
    history = History(script)
    current = current_heads(alembic)
    found = CurrentRevisions()
    found.unknown = {n: ids for n in current if (ids := history.unknown(current[n]))}

    for name, heads in current.items():
        known = known_heads(alembic, name, heads, skip_missing=skip_missing)
        found[name] = script.get_revisions(known)

    return found


def current(alembic: Facade, skip_missing: bool = False) -> tuple[Script, ...]:
    """The revisions that the databases stand at, each once.

    :param alembic: The extension.
    :param skip_missing: Whether ids that no file has are left out.
    :return: The revisions.
    """
    found = current_by_database(alembic, skip_missing).values()
    return tuple({s.revision: s for scripts in found for s in scripts}.values())


def needs_upgrade(alembic: Facade) -> bool:
    """Whether any database is not where an upgrade would bring it.

    :param alembic: The extension.
    :return: ``True`` if one isn't.
    """
    heads = set(History(alembic.script_directory).effective_heads)
    return any(
        set(known_heads(alembic, name, found)) != heads
        for name, found in current_heads(alembic).items()
    )


def heads(alembic: Facade, resolve_dependencies: bool) -> tuple[Script, ...]:
    """The revisions that no other revises.

    :param alembic: The extension.
    :param resolve_dependencies: Whether a revision that another depends on is none.
    :return: The revisions.
    """
    script = alembic.script_directory

    if resolve_dependencies:
        return script.get_revisions("heads")

    return script.get_revisions(script.get_heads())


def branches(alembic: Facade) -> list[Script]:
    """The revisions that more than one other revises.

    :param alembic: The extension.
    :return: The revisions, newest first.
    """
    return [s for s in alembic.script_directory.walk_revisions() if s.is_branch_point]


def log(
    alembic: Facade, start: RevisionArgument, end: RevisionArgument
) -> list[Script]:
    """The revisions between two.

    :param alembic: The extension.
    :param start: The oldest. A count is of steps down from the newest.
    :param end: The newest.
    :return: The revisions, newest first.
    """
    script = alembic.script_directory
    lower, upper = _targets(alembic, start), _targets(alembic, end)

    with alembic_errors(", ".join([*lower, *upper])):
        if len(lower) == 1 and re.fullmatch(r"-\d+", lower[0]):
            # Alembic counts from the head, wherever the range ends.
            below = list(script.walk_revisions("base", _one(upper)))
            return _last(below, abs(int(lower[0])), lower[0])

        return list(script.walk_revisions(_one(lower), _one(upper)))


def _last(scripts: list[Script], count: int, target: str) -> list[Script]:
    """The revisions from so many before the last one on. One more than there are is the
    base.
    """
    if count > len(scripts):
        raise too_far(target, up=False)

    return scripts[: count + 1]


def show(alembic: Facade, revisions: RevisionArgument) -> list[Script]:
    """Certain revisions.

    :param alembic: The extension.
    :param revisions: Which.
    :return: The revisions, in the order asked for.
    """
    script = alembic.script_directory
    targets = _targets(alembic, revisions)

    with alembic_errors(", ".join(targets)):
        return [
            found
            for target in targets
            for found in script.get_revisions(target)
            if found is not None
        ]


def _one(targets: list[str]) -> str:
    """A count of steps has to be a str for Alembic, several ids a list. It is
    annotated as str.
    """
    return targets[0] if len(targets) == 1 else t.cast(str, targets)


def _targets(alembic: Facade, argument: RevisionArgument) -> list[str]:
    history = History(alembic.script_directory)
    result: list[str] = []

    for text in as_strings(argument):
        if text == "current":
            result += [s.revision for s in current(alembic)] or ["base"]
        else:
            result.append(resolve(text, history))

    return result
