"""The revisions up to some heads, as files hold them, and how they differ from those
that a snapshot stands for.
"""

from __future__ import annotations

import typing as t

from alembic.script import Script
from alembic.script import ScriptDirectory
from alembic.util import to_tuple

from ..applied_log import read
from ..revision_files import display
from ..snapshots.past import is_unchanged
from ..snapshots.past import past_revision
from ..snapshots.past import PastRevision


def past_of(
    script: ScriptDirectory, heads: t.Iterable[str]
) -> tuple[PastRevision, ...]:
    """All revisions that a database has which is at some heads.

    :param script: The revisions.
    :param heads: The ids in its version table.
    :return: The revisions, oldest first.
    """
    return tuple(
        past_revision(file.revision, *_below(script, file), content=read(file.path))
        for file in _files(script, heads)
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
    known = {file.revision: file for file in script.walk_revisions()}

    if missing := [id_ for id_ in before if id_ not in known]:
        return [f"Revision {id_} is in it, and no file has it." for id_ in missing]

    files = {file.revision: file for file in _files(script, heads)}
    new = [f"Revision {id_} is not in it." for id_ in files if id_ not in before]
    gone = [f"Revision {id_} is in it." for id_ in before if id_ not in files]
    return [
        *new,
        *gone,
        *(
            sentence
            for id_, file in files.items()
            if id_ in before and (sentence := _change(script, file, before[id_]))
        ),
    ]


def _change(script: ScriptDirectory, file: Script, before: PastRevision) -> str | None:
    path = display(file.path, script.dir)
    parents, depends_on = _below(script, file)

    if (tuple(sorted(parents)), tuple(sorted(depends_on))) != (
        before.parents,
        before.depends_on,
    ):
        return f"Revision {file.revision} was moved since: {path}."

    if not is_unchanged(before, read(file.path)):
        return f"Revision {file.revision} was edited since: {path}."

    return None


def _files(script: ScriptDirectory, heads: t.Iterable[str]) -> list[Script]:
    """The files of revisions and of all that come before them, oldest first."""
    all_files = list(script.walk_revisions())
    by_id = {file.revision: file for file in all_files}
    found: set[str] = set()
    waiting = list(heads)

    while waiting:
        id_ = waiting.pop()

        if id_ not in found and id_ in by_id:
            found.add(id_)
            parents, depends_on = _below(script, by_id[id_])
            waiting += [*parents, *depends_on]

    return [file for file in reversed(all_files) if file.revision in found]


def _below(
    script: ScriptDirectory, file: Script
) -> tuple[t.Collection[str], t.Collection[str]]:
    """What a revision revises, and what it depends on: ids."""
    names = to_tuple(file.dependencies or ())
    # A dependency may be named by a label.
    others = script.get_revisions(names) if names else ()
    depends_on = [found.revision for found in others if found is not None]
    return to_tuple(file.down_revision or ()), depends_on
