"""Whether the files of applied revisions are what they were when they were applied."""

from __future__ import annotations

import logging
import typing as t

from alembic.runtime.migration import MigrationContext
from alembic.script import Script
from alembic.script import ScriptDirectory
from alembic.util import to_tuple

from ..applied_log import read
from ..applied_table import Noted
from ..applied_table import read_newest
from ..checksum import checksum
from ..checksum import file_hash
from ..checksum import is_same
from ..history_reports import ChangedRevision
from ..history_reports import ChangeKind
from ..revisions.paths import display
from ..run_errors import ChangedRevisionError
from .facade import Facade

# Not Alembic's logger: what that warns of is shown only where an app asks for it.
_log = logging.getLogger("flask_alembic")


def check_changes(
    alembic: Facade, name: str, context: MigrationContext, heads: tuple[str, ...]
) -> None:
    """Tell of what changed, before anything runs.

    :param alembic: The extension.
    :param name: Name of a database.
    :param context: Its context.
    :param heads: The ids in its version table, without those to leave alone.
    :raises ChangedRevisionError: If something did, and the user wants that.
    """
    settings = alembic.settings.run

    if not heads:
        return

    if context.as_sql or not settings.history or settings.changed_revisions == "ignore":
        return

    changes = changes_of(alembic.script_directory, name, heads, read_newest(context))

    if changes and settings.changed_revisions == "error":
        raise ChangedRevisionError(
            " ".join([*map(sentence, changes), "Nothing was run."]),
            changes=changes,
            hint="Restore the file, such as by 'git checkout', and write what changed"
            " as a new revision. If the database is as the file says, run 'flask db"
            " repair'.",
        )

    for change in changes:
        _log.warning("%s", sentence(change))


def changes_of(
    script: ScriptDirectory,
    name: str,
    heads: t.Iterable[str],
    noted: t.Mapping[str, Noted],
) -> list[ChangedRevision]:
    """What changed. Of a revision that another tool applied nothing is known.

    :param script: The revisions.
    :param name: Name of a database.
    :param heads: The ids in its version table.
    :param noted: What is noted there of each revision.
    :return: The changes, oldest first.
    """
    if not noted:
        return []

    files = {found.revision: found for found in script.walk_revisions()}
    applied = _applied(script, files, heads, noted)
    return [
        change
        for id_, row in noted.items()
        if id_ in applied and row.is_applied
        for change in _changes(script, name, row, files.get(id_))
    ]


def _applied(
    script: ScriptDirectory,
    files: t.Mapping[str, Script],
    heads: t.Iterable[str],
    noted: t.Mapping[str, Noted],
) -> set[str]:
    """The ids that the version table means: its own, and all that come before, by the
    files or by what is noted. A file in between may be gone.
    """
    found: set[str] = set()
    waiting = list(heads)

    while waiting:
        id_ = waiting.pop()

        if id_ not in found:
            found.add(id_)
            file, row = files.get(id_), noted.get(id_)
            waiting += _below(script, file) if file else ()
            waiting += row.parents if row and row.is_applied else ()

    return found


def _below(script: ScriptDirectory, file: Script) -> set[str]:
    # A dependency may be named by a label.
    others = script.get_revisions(to_tuple(file.dependencies or ()))
    return {*parents(file), *(found.revision for found in others if found)}


def parents(script: Script) -> tuple[str, ...]:
    """What a revision revises.

    :param script: The revision.
    :return: Ids.
    """
    return tuple(to_tuple(script.down_revision or ()))


def _changes(
    script: ScriptDirectory, name: str, row: Noted, file: Script | None
) -> t.Iterator[ChangedRevision]:
    if file is None:
        if row.revision != "base":
            yield ChangedRevision(name, row.revision, "missing", None)

        return

    path, now = display(file.path, script.dir), parents(file)

    def change(kind: ChangeKind) -> ChangedRevision:
        return ChangedRevision(name, row.revision, kind, path, row.parents, now)

    if set(now) != set(row.parents):
        yield change("moved")

    if is_edited(row, file):
        yield change("edited")


def is_edited(row: Noted, file: Script) -> bool:
    """Whether a file does something else than when it was applied.

    :param row: What is noted of it.
    :param file: The revision.
    :return: ``False`` if only its formatting changed.
    """
    content = read(file.path)

    if content is None or file_hash(content) == row.file_hash:
        return False

    return row.checksum is not None and not is_same(row.checksum, checksum(content))


def sentence(change: ChangedRevision) -> str:
    """A change in words.

    :param change: The change.
    :return: A sentence.
    """
    revision, database = change.revision, change.database

    if change.kind == "missing":
        return (
            f"Revision {revision} was applied to the database '{database}', and no file"
            " has it now."
        )

    if change.kind == "edited":
        return (
            f"Revision {revision} was edited after it was applied to the database"
            f" '{database}': {change.path}."
        )

    now, before = (", ".join(ids) or "nothing" for ids in (change.now, change.before))
    return (
        f"Revision {revision} revises {now} now, and revised {before} when it was"
        f" applied to the database '{database}': {change.path}."
    )
