"""Write snapshots, and compare them to what the revisions make."""

from __future__ import annotations

import typing as t

import sqlalchemy as sa

from ..descriptions import describe
from ..errors import FlaskAlembicError
from ..folders import write_whole
from ..redaction import redact
from ..snapshot_reports import DatabaseSnapshot
from ..snapshot_reports import DatabaseSnapshotCheck
from ..snapshot_reports import SnapshotCheck
from ..snapshot_reports import SnapshotReport
from ..snapshots.choice import kind_of
from ..snapshots.choice import load
from ..snapshots.choice import schema_of
from ..snapshots.content import content_of
from ..snapshots.content import differences
from ..snapshots.files import read_snapshot
from ..snapshots.files import snapshot_path
from ..snapshots.text import Rows
from ..snapshots.text import Snapshot
from ..snapshots.text import Statement
from ..snapshots.text import UnreadableSnapshot
from ..snapshots.text import written
from .facade import Facade
from .past import changes_since
from .past import past_of
from .scratch_runs import replay
from .scratch_runs import Replayed
from .scratch_runs import Scratch
from .scratch_runs import Scratches
from .scratch_runs import versioned

if t.TYPE_CHECKING:
    from pathlib import Path


def wanted_rows(rows: bool | str | t.Iterable[str] | None) -> Rows | None:
    """The tables whose rows are wanted.

    :param rows: As the user says it.
    :return: The same in one form; ``None`` if nothing was said.
    """
    if rows is None:
        return None

    if isinstance(rows, bool):
        return "all" if rows else ()

    return (rows,) if isinstance(rows, str) else tuple(rows)


def snapshot(alembic: Facade, selected: Scratches, rows: Rows | None) -> SnapshotReport:
    """Write the snapshot of each database.

    :param alembic: The extension.
    :param selected: The databases.
    :param rows: The tables whose rows are to be in it; ``None`` for those of the
        snapshot that is there.
    :return: What was written.
    """

    def wanted(database: str, kind: str) -> Rows:
        return _rows_so_far(alembic, database, kind) if rows is None else rows

    replayed = replay(alembic, selected, dict.fromkeys(selected, "heads"), wanted)
    made = {
        name: _make(alembic, selected[name], found, wanted(name, found.kind))
        for name, found in replayed.items()
    }
    return SnapshotReport(
        tuple(_write(alembic, name, replayed[name], made[name]) for name in made)
    )


def verify_snapshot(alembic: Facade, selected: Scratches) -> SnapshotCheck:
    """Compare the snapshot of each database to what the revisions make.

    :param alembic: The extension.
    :param selected: The databases.
    :return: What was found.
    """
    found = {name: _read(alembic, scratch) for name, scratch in selected.items()}
    known = {name: item for name, item in found.items() if isinstance(item, Snapshot)}
    problems = {name: item for name, item in found.items() if isinstance(item, list)}
    replayed = replay(
        alembic,
        {name: selected[name] for name in known},
        {name: snapshot.revisions for name, snapshot in known.items()},
        lambda name, kind: known[name].rows,
    )
    problems |= {
        name: _compare(alembic, selected[name], replayed[name], known[name])
        for name in known
    }
    return SnapshotCheck(
        tuple(
            DatabaseSnapshotCheck(name, _path(alembic, scratch), tuple(problems[name]))
            for name, scratch in selected.items()
        )
    )


def _make(
    alembic: Facade, scratch: Scratch, replayed: Replayed, rows: Rows
) -> Snapshot:
    """Make a snapshot, and prove that nothing is lost by loading it."""
    name = scratch.database.name

    if not replayed.heads:
        raise FlaskAlembicError(
            "There are no revisions yet, so there is nothing to make a snapshot of.",
            hint="Write one: flask db revision 'what changed'.",
        )

    with versioned(alembic, scratch) as connection:
        made = Snapshot(
            dialect=replayed.kind,
            revisions=replayed.heads,
            rows=rows,
            past=past_of(alembic.script_directory, replayed.heads),
            statements=tuple(_statements(connection, replayed)),
        )
        lost = _loaded_differences(connection, replayed, made)

    if lost:
        raise FlaskAlembicError(
            f"A snapshot of '{name}' would not be what its revisions make. {lost[0]}",
            hint="Do without a snapshot of this database: 'flask db prepare' runs its"
            " revisions then.",
        )

    return made


def _write(
    alembic: Facade, name: str, replayed: Replayed, snapshot: Snapshot
) -> DatabaseSnapshot:
    path = snapshot_path(alembic.settings.script_location, name, snapshot.dialect)

    try:
        content = written(snapshot, name).encode()
    except UnreadableSnapshot as error:
        raise FlaskAlembicError(
            f"A snapshot of '{name}' can't be written: {error}."
        ) from error

    is_new = not path.exists() or path.read_bytes() != content

    if is_new:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, content)

    return DatabaseSnapshot(
        name,
        path,
        snapshot.revisions,
        replayed.content.rows,
        replayed.content.left_out,
        is_new,
    )


def _statements(connection: sa.Connection, replayed: Replayed) -> t.Iterator[Statement]:
    """What is in a snapshot. The version table is there before it is loaded, and is in
    it only if a revision has altered it.
    """
    usual = schema_of(connection).before_rows()

    for statement in replayed.content.statements:
        if not statement.is_table(replayed.version_table) or statement not in usual:
            yield statement


def _compare(
    alembic: Facade, scratch: Scratch, replayed: Replayed, snapshot: Snapshot
) -> list[str]:
    with versioned(alembic, scratch) as connection:
        return _loaded_differences(connection, replayed, snapshot)


def _loaded_differences(
    connection: sa.Connection, replayed: Replayed, snapshot: Snapshot
) -> list[str]:
    """How a database differs that a snapshot is loaded into."""
    try:
        load(connection, snapshot, replayed.version_table)
    except sa.exc.DBAPIError as error:
        reason = redact(describe(error), connection.engine)
        return [f"It can't be loaded: {reason}."]

    found = content_of(connection, snapshot.rows, replayed.version_table)
    return differences(replayed.content, found)


def _read(alembic: Facade, scratch: Scratch) -> Snapshot | list[str]:
    """The snapshot of a database, or why there is nothing to compare."""
    try:
        found = read_snapshot(_path(alembic, scratch))
    except UnreadableSnapshot as error:
        return [f"It can't be read: {error}."]

    if found is None:
        return ["There is no such file."]

    script = alembic.script_directory
    return changes_since(script, found.revisions, found.past) or found


def _rows_so_far(alembic: Facade, database: str, kind: str) -> Rows:
    path = snapshot_path(alembic.settings.script_location, database, kind)

    try:
        found = read_snapshot(path)
    except UnreadableSnapshot:
        return ()

    return found.rows if found else ()


def _path(alembic: Facade, scratch: Scratch) -> Path:
    name, engine = scratch.database.name, scratch.database.engine
    return snapshot_path(alembic.settings.script_location, name, kind_of(engine))
