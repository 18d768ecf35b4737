"""What methods return about the history of a database: frozen data, like that of
reports.py.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

if t.TYPE_CHECKING:
    from datetime import datetime

    from .reports import Direction

ChangeKind = t.Literal["edited", "missing", "moved"]

FindingKind = t.Literal[
    "edited",
    "moved",
    "forgotten",
    "overlap",
    "unknown",
    "journal",
    "invalid index",
    "temporary table",
]


@dataclass(frozen=True)
class HistoryEntry:
    """A revision that was applied to a database, undone or stamped.

    .. versionadded:: 4.0
    """

    database: str
    """Name of the database."""

    revision: str
    """Id of the revision; ``base`` for a stamp that left none."""

    direction: Direction
    """``"upgrade"``, ``"downgrade"``, ``"stamp"``, or ``"snapshot"`` if it was in one
    that was loaded."""

    applied_at: datetime
    """When, in UTC."""

    seconds: float
    """How long it ran, without the commit; of a snapshot how long all of it took."""

    run_by: str | None
    """Who ran it: the user of the operating system."""

    host: str
    """The name of the machine that it was run on."""

    pid: int
    """The number of the process that ran it."""

    version: str
    """The version of this extension."""

    parents: tuple[str, ...]
    """Ids of the revisions that it revised then."""

    checksum: str | None
    """What the file did then, without formatting and comments. ``None`` if there was no
    source to read."""


@dataclass(frozen=True)
class ChangedRevision:
    """A revision that is applied to a database, and whose file is not what it was.

    .. versionadded:: 4.0
    """

    database: str
    """Name of the database."""

    revision: str
    """Id of the revision."""

    kind: ChangeKind
    """``"edited"``, ``"missing"``, or ``"moved"`` if it revises another one now."""

    path: str | None
    """Its file, as messages name it; ``None`` if it is missing."""

    before: tuple[str, ...] = ()
    """What it revised when it was applied."""

    now: tuple[str, ...] = ()
    """What it revises now."""


@dataclass(frozen=True)
class Finding:
    """Something that :meth:`.Alembic.repair` found.

    .. versionadded:: 4.0
    """

    database: str
    """Name of the database."""

    kind: FindingKind
    """What it is."""

    name: str
    """What it is about: the id of a revision, or the name of an index or table."""

    detail: str = ""
    """More of it: the file of a revision, the table of an index, the original of a
    temporary table, the revision that comes after this one, a direction."""

    cure: str = ""
    """What mends it, such as ``drop`` and ``reindex`` for an index. Empty if it can't
    be mended here."""

    mended: bool = False
    """Whether it was mended now."""

    reason: str = ""
    """Why that failed."""


@dataclass(frozen=True)
class RepairReport:
    """What :meth:`.Alembic.repair` found, and did.

    .. versionadded:: 4.0
    """

    findings: tuple[Finding, ...] = ()
    """What was found, in the order of the databases."""

    @property
    def ok(self) -> bool:
        """Whether nothing is left to mend."""
        return all(finding.mended for finding in self.findings)
