"""The revisions up to some heads, as files hold them, and how they differ from those
that a snapshot stands for.
"""

from __future__ import annotations

import typing as t

from alembic.script import Script
from alembic.script import ScriptDirectory
from alembic.util import to_tuple

from ..applied_log import read
from ..history import History
from ..revisions.paths import display
from ..snapshots.past import is_unchanged
from ..snapshots.past import past_revision
from ..snapshots.past import PastRevision

Place = tuple[Script, t.Collection[str], t.Collection[str]]
"""A file, the ids that it revises, and those that it depends on."""


def past_of(
    script: ScriptDirectory, heads: t.Iterable[str]
) -> tuple[PastRevision, ...]:
    """All revisions that a database has which is at some heads.

    :param script: The revisions.
    :param heads: The ids in its version table.
    :return: The revisions, oldest first.
    """
    found = _below_heads(script, heads)
    return tuple(
        past_revision(file.revision, *found[file.revision][1:], read(file.path))
        for file in reversed(list(script.walk_revisions()))
        if file.revision in found
    )


def changes_since(
    script: ScriptDirectory, heads: t.Iterable[str], past: t.Iterable[PastRevision]
) -> list[str]:
    """How the files differ from what they were.

    :param script: The revisions.
    :param heads: The ids that a database was at.
    :param past: The revisions that it had.
    :return: Sentences; none if they are the same.
    """
    before = {revision.id: revision for revision in past}
    found, missing = _found(script, tuple(heads), before)

    if missing:
        return [f"Revision {id_} is in it, and no file has it." for id_ in missing]

    new = [f"Revision {id_} is not in it." for id_ in found if id_ not in before]
    gone = [f"Revision {id_} is in it." for id_ in before if id_ not in found]
    return [
        *new,
        *gone,
        *(
            f"Revision {id_} was {change} since: {display(place[0].path, script.dir)}."
            for id_, place in found.items()
            if id_ in before and (change := _change(place, before[id_]))
        ),
    ]


def _found(
    script: ScriptDirectory, heads: tuple[str, ...], before: t.Iterable[str]
) -> tuple[dict[str, Place], tuple[str, ...]]:
    """What there is at and below some heads, and the ids that no file has."""
    history = History(script)
    lost = history.unknown(heads)
    found = _below_heads(script, [id_ for id_ in heads if id_ not in lost])
    # To ask for each of them takes long.
    others = [id_ for id_ in dict.fromkeys([*before, *heads]) if id_ not in found]
    return found, history.unknown(others)


def _change(place: Place, before: PastRevision) -> str | None:
    """What was done to a revision, in a word."""
    file, *below = place

    if [tuple(sorted(ids)) for ids in below] != [before.parents, before.depends_on]:
        return "moved"

    return None if is_unchanged(before, read(file.path)) else "edited"


def _below_heads(script: ScriptDirectory, heads: t.Iterable[str]) -> dict[str, Place]:
    """Revisions, and all that come before them."""
    found: dict[str, Place] = {}
    waiting = list(heads)

    while waiting:
        id_ = waiting.pop()

        if id_ not in found:
            file = script.get_revision(id_)
            parents, depends_on = _below(script, file)
            found[id_] = file, parents, depends_on
            waiting += [*parents, *depends_on]

    return found


def _below(
    script: ScriptDirectory, file: Script
) -> tuple[t.Collection[str], t.Collection[str]]:
    """What a revision revises, and what it depends on: ids."""
    names = to_tuple(file.dependencies or ())
    # A dependency may be named by a label.
    others = script.get_revisions(names) if names else ()
    depends_on = [found.revision for found in others if found is not None]
    return to_tuple(file.down_revision or ()), depends_on
