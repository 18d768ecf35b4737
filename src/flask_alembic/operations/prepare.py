"""Bring databases to the heads: an empty one by its snapshot, and the revisions after
it; all others by their revisions.
"""

from __future__ import annotations

import logging
import typing as t
from contextlib import contextmanager
from contextlib import nullcontext

import sqlalchemy as sa
from alembic.runtime.migration import MigrationContext
from alembic.runtime.migration import MigrationStep
from sqlalchemy.exc import PendingRollbackError

from .. import alembic_internals
from ..applied_table import find
from ..errors import FlaskAlembicError
from ..journal import open_journal
from ..load_step import LoadStep
from ..own_tables import own_names
from ..revisions.paths import display
from ..run_errors import HalfDoneError
from ..snapshot_reports import PreparedDatabase
from ..snapshot_reports import PrepareReport
from ..snapshots.choice import can_snapshot
from ..snapshots.choice import drop_loaded
from ..snapshots.choice import kind_of
from ..snapshots.choice import load
from ..snapshots.choice import loads_in_parts
from ..snapshots.choice import schema_of
from ..snapshots.files import read_snapshot
from ..snapshots.files import snapshot_path
from ..snapshots.text import UnreadableSnapshot
from .facade import Facade
from .facade import name_of
from .past import changes_since
from .upgrade import upgrade_work

if t.TYPE_CHECKING:
    from pathlib import Path

    from ..reports import MigrationReport
    from ..snapshots.text import Snapshot

# Not Alembic's logger: what that warns of is shown only where an app asks for it.
_log = logging.getLogger("flask_alembic")


def prepare(alembic: Facade) -> None:
    """Bring all databases to the heads.

    :param alembic: The extension.
    """
    upgrade = upgrade_work(alembic, "heads")

    def work(heads: tuple[str, ...], context: MigrationContext) -> list[MigrationStep]:
        step = _load_step(alembic, heads, context)

        if step is None:
            return upgrade(heads, context)

        return [step, *upgrade(step.to_revisions, context)]

    alembic.run_migrations(work)


def prepared(alembic: Facade, run: MigrationReport) -> PrepareReport:
    """Tell what was done.

    :param alembic: The extension.
    :param run: What ran.
    :return: The report.
    """
    databases = []

    for name, current in run.databases.items():
        steps = run.steps_of(name)
        is_loaded = any(step.direction == "snapshot" for step in steps)
        databases.append(
            PreparedDatabase(
                name,
                _path(alembic, name) if is_loaded else None,
                tuple(s.revision for s in steps if s.direction == "upgrade"),
                current,
            )
        )

    return PrepareReport(tuple(databases), run)


def _load_step(
    alembic: Facade, heads: tuple[str, ...], context: MigrationContext
) -> LoadStep | None:
    """What loads the snapshot of a database, if there is one and it is empty."""
    connection = context.connection

    if heads or connection is None or not can_snapshot(connection):
        return None

    name = name_of(alembic, context)

    if not schema_of(connection).is_empty(_own(context)):
        # Another run may be at it. Whether it has ended is known under the lock.
        if not _is_half_loaded(alembic, name, context):
            return None

    snapshot = _usable(alembic, name)

    if snapshot is None:
        return None

    is_borrowed = alembic_internals.in_external_transaction(context)
    in_parts = loads_in_parts(connection, snapshot) and not is_borrowed
    return LoadStep(
        alembic.script_directory,
        snapshot.revisions,
        snapshot.past,
        snapshot.digest,
        _loading(name, context, snapshot, in_parts=in_parts),
        in_parts=in_parts,
    )


def _loading(
    name: str, context: MigrationContext, snapshot: Snapshot, *, in_parts: bool
) -> t.Callable[[str | None], None]:
    def load_snapshot(before: str | None) -> None:
        connection = t.cast(sa.Connection, context.connection)

        if before not in (None, snapshot.digest):
            raise _another(name)

        with _committing(context) if in_parts else nullcontext():
            if before is not None:
                _check_only_ours(context, snapshot)
                drop_loaded(connection, snapshot)

            load(connection, snapshot, context.version_table)

    return load_snapshot


@contextmanager
def _committing(context: MigrationContext) -> t.Iterator[None]:
    """Commit each statement, and before them what is noted of the load."""
    try:
        with context.autocommit_block():
            yield
    except PendingRollbackError as error:
        # A connection that was lost can't end the block either.
        if (cause := error.__context__) is None:
            raise

        raise cause from cause.__cause__


def _check_only_ours(context: MigrationContext, snapshot: Snapshot) -> None:
    """Check that nobody has used a database that is half loaded."""
    connection = t.cast(sa.Connection, context.connection)
    own = {name for _, name in _own(context)}
    written = {s.title.removeprefix("rows ") for s in snapshot.statements}
    used = [
        table
        for table in schema_of(connection).tables_with_rows()
        if table not in written and table.rpartition(".")[2].strip('"') not in own
    ]

    if used:
        raise FlaskAlembicError(
            "A part of a snapshot was loaded by a run that was ended, and since then"
            f" somebody has written to the table {used[0]}, which would be dropped.",
            hint="If nobody needs the rows, drop the database, make an empty one, and"
            " run the same command again.",
        )


def _usable(alembic: Facade, name: str) -> Snapshot | None:
    """The snapshot of a database, if its revisions are still what they were."""
    path = _path(alembic, name)
    shown = display(path, alembic.script_directory.dir)

    try:
        snapshot = read_snapshot(path)
    except UnreadableSnapshot as error:
        _warn(shown, f"It can't be read: {error}.")
        return None

    if snapshot is None:
        return None

    script = alembic.script_directory

    if changes := changes_since(script, snapshot.revisions, snapshot.past):
        _warn(shown, changes[0])
        return None

    return snapshot


def _warn(path: str, reason: str) -> None:
    _log.warning(
        "The snapshot %s is not used, and all revisions are run: %s Run 'flask db"
        " snapshot'.",
        path,
        reason,
    )


def _path(alembic: Facade, name: str) -> Path:
    kind = kind_of(alembic.databases[name].engine)
    return snapshot_path(alembic.settings.script_location, name, kind)


def _own(context: MigrationContext) -> set[tuple[str, str]]:
    """Our tables and the version table, which may be there in an empty database."""
    names = {context.version_table, *own_names(context)}
    is_asked = context.dialect.name == "postgresql"
    # Elsewhere a database is a schema.
    schema = find(context).table.schema if is_asked else None
    return {(schema or "", name) for name in names}


def _is_half_loaded(alembic: Facade, name: str, context: MigrationContext) -> bool:
    """Whether a run is loading a snapshot, or was ended amid that."""
    journal = open_journal(context, name, is_on=alembic.settings.run.journal)

    if journal is None:
        return False

    journal.read()
    return any(of.direction == "snapshot" for of in journal.found)


def _another(name: str) -> Exception:
    return HalfDoneError(
        f"A snapshot is half loaded on the database '{name}': the run that loaded it"
        " was ended, and the snapshot is another one now.",
        database=name,
        revision="",
        position=1,
        statement="",
        hint="Drop the database, make an empty one, and run the same command again.",
    )
