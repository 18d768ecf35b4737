"""What a run returns: frozen data, without a connection and without wording. In a room
of its own, as a run that finds nothing to do loads nothing else.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace

Direction = t.Literal["upgrade", "downgrade", "stamp", "snapshot"]


@dataclass(frozen=True)
class AppliedStep:
    """One revision that was run, or stamped, on one database.

    .. versionadded:: 4.0
    """

    database: str
    """Name of the database."""

    revision: str
    """Id of the revision; for a stamp or a snapshot the new ids, joined by a comma, or
    ``base``."""

    direction: Direction
    """``"upgrade"``, ``"downgrade"``, ``"stamp"``, or ``"snapshot"`` if one was
    loaded."""

    message: str
    """First paragraph of the revision's docstring; empty for a stamp."""

    seconds: float
    """How long it ran, without the commit."""

    removed: tuple[str, ...] = ()
    """Ids that a stamp took out of the version table after emptying it, whether a file
    has them or not."""

    continued: int = 0
    """How many of its statements an earlier run had done, which failed or was ended."""

    forgotten: tuple[str, ...] = ()
    """Revisions that were half done, and that a stamp put an end to."""


@dataclass(frozen=True)
class MigrationReport:
    """What a run did: :meth:`.Alembic.upgrade`, ``downgrade``, ``stamp``.

    .. versionadded:: 4.0
    """

    steps: tuple[AppliedStep, ...] = ()
    """What was applied, in the order it ran. Empty if there was nothing to do."""

    databases: t.Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """For each database the revision ids that it stands at now."""

    skipped: t.Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """For each database those of its ids that no file has, where there are any. They
    were left alone."""

    waited: float = 0.0
    """How long it waited for other runs, in seconds."""

    def steps_of(self, database: str) -> tuple[AppliedStep, ...]:
        """The steps of one database.

        :param database: Name of the database.
        :return: Its steps, in the order they ran.
        """
        return tuple(step for step in self.steps if step.database == database)

    def followed_by(self, report: MigrationReport) -> MigrationReport:
        """A report of this run and a later one, such as a second try.

        :param report: The later one.
        :return: The steps of both, and where the databases are after the later one.
        """
        return replace(
            report,
            steps=(*self.steps, *report.steps),
            waited=self.waited + report.waited,
        )
