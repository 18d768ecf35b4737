"""What methods return about snapshots and fresh databases: frozen data, like that of
reports.py.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .reports import MigrationReport

if t.TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class DatabaseSnapshot:
    """The snapshot of one database, as :meth:`.Alembic.snapshot` left it.

    .. versionadded:: 4.0
    """

    database: str
    """Name of the database."""

    path: Path
    """Its file."""

    revisions: tuple[str, ...]
    """Ids of the revisions that a database is at which it was loaded into."""

    rows: tuple[str, ...]
    """The tables whose rows are in it."""

    left_out: tuple[str, ...]
    """The other tables that have rows after all revisions ran."""

    written: bool
    """Whether the file was written. ``False`` if it was right already."""


@dataclass(frozen=True)
class SnapshotReport:
    """What :meth:`.Alembic.snapshot` did.

    .. versionadded:: 4.0
    """

    databases: tuple[DatabaseSnapshot, ...]
    """One entry a database."""


@dataclass(frozen=True)
class DatabaseSnapshotCheck:
    """How the snapshot of one database compares to a replay of the revisions.

    .. versionadded:: 4.0
    """

    database: str
    """Name of the database."""

    path: Path
    """Its file."""

    problems: tuple[str, ...]
    """What differs, a sentence each."""

    @property
    def ok(self) -> bool:
        """Whether nothing does."""
        return not self.problems


@dataclass(frozen=True)
class SnapshotCheck:
    """What :meth:`.Alembic.verify_snapshot` found.

    .. versionadded:: 4.0
    """

    databases: tuple[DatabaseSnapshotCheck, ...]
    """One entry a database."""

    @property
    def ok(self) -> bool:
        """Whether all snapshots are what the revisions make."""
        return all(database.ok for database in self.databases)


@dataclass(frozen=True)
class PreparedDatabase:
    """What :meth:`.Alembic.prepare` did to one database.

    .. versionadded:: 4.0
    """

    database: str
    """Name of the database."""

    snapshot: Path | None
    """The snapshot that was loaded, if one was."""

    applied: tuple[str, ...]
    """Ids of the revisions that were run, after it or without it."""

    current: tuple[str, ...]
    """Ids of the revisions that the database is at now."""


@dataclass(frozen=True)
class PrepareReport:
    """What :meth:`.Alembic.prepare` did.

    .. versionadded:: 4.0
    """

    databases: tuple[PreparedDatabase, ...]
    """One entry a database."""

    run: MigrationReport
    """The same as of a run. The direction of a step that loaded a snapshot is
    ``"snapshot"``."""
