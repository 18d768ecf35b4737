"""What methods return: frozen data, without a connection and without wording."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace

if t.TYPE_CHECKING:
    from pathlib import Path

    from alembic.script import Script

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


@dataclass(frozen=True)
class VersionTable:
    """The version table of one database, as :meth:`.Alembic.ensure_version` left it.

    .. versionadded:: 4.0
    """

    database: str
    """Name of the database."""

    table: str
    """Name of the table, with its schema if it has one."""

    created: bool
    """Whether it was made. ``False`` if it was there already."""


@dataclass(frozen=True)
class RevisionInfo:
    """One revision for machines to read: plain data instead of Alembic's ``Script``."""

    revision: str
    """Its id."""

    down_revisions: tuple[str, ...]
    """The ids that it revises."""

    next_revisions: tuple[str, ...]
    """The ids that revise it."""

    branch_labels: tuple[str, ...]
    """Its branch labels."""

    depends_on: tuple[str, ...]
    """What it depends on, as the file says: ids or labels."""

    message: str
    """The first paragraph of its docstring, in one line."""

    path: str
    """Its file, as messages name it."""

    is_head: bool
    """Whether no other revision revises it."""

    databases: tuple[str, ...] | None
    """Names of the databases that are at it; ``None`` if they were not asked."""


@dataclass(frozen=True)
class Change:
    """One difference between the models and a database, in words.

    .. versionadded:: 4.0
    """

    database: str
    """Name of the database."""

    text: str
    """Such as ``add column todo.text``."""


@dataclass(frozen=True)
class DatabaseCheck:
    """How the files, the models and one database compare.

    .. versionadded:: 4.0
    """

    database: str
    """Name of the database."""

    current: tuple[str, ...]
    """Revision ids that the database stands at."""

    heads: tuple[str, ...]
    """Revision ids that it would stand at after an upgrade."""

    tables: int
    """Number of tables in the metadata."""

    changes: tuple[Change, ...]
    """What the models have and the database has not, or the other way round.
    Empty when the database is behind: nothing was compared then."""

    @property
    def is_behind(self) -> bool:
        """Whether ``upgrade`` has something to do."""
        return set(self.current) != set(self.heads)

    @property
    def ok(self) -> bool:
        """Whether the database is at head and the models match it."""
        return not self.is_behind and not self.changes


@dataclass(frozen=True)
class CheckReport:
    """What :meth:`.Alembic.check` found.

    .. versionadded:: 4.0
    """

    databases: tuple[DatabaseCheck, ...]
    """One entry a database, in the order they were configured."""

    @property
    def ok(self) -> bool:
        """Whether all databases are at head and match the models."""
        return all(database.ok for database in self.databases)


class CurrentRevisions(dict[str, "tuple[Script, ...]"]):
    """What :meth:`.Alembic.current_by_database` found: a dict of name to revisions,
    which also knows the ids that no file has.

    .. versionadded:: 4.0
    """

    unknown: t.Mapping[str, tuple[str, ...]] = {}
    """For each database the ids that no file has, where there are any."""


class NewRevisions(list["Script | None"]):
    """The revisions that :meth:`.Alembic.revision` wrote: a list, which also knows
    what was found.

    .. versionadded:: 4.0
    """

    changes: tuple[Change, ...] = ()
    """What autogenerate found, in words."""

    tables: t.Mapping[str, int] | None = None
    """Number of tables in the metadata of each database; ``None`` for an empty
    revision, which compares nothing."""

    skipped: bool = False
    """Whether no file was written because there was nothing to write to it."""


class Differences(list[tuple[t.Any, ...]]):
    """What :meth:`.Alembic.compare_metadata` found: a list of Alembic's tuples, over
    all databases, which also knows the database of each.

    :param by_database: For each database its differences.

    .. versionadded:: 4.0
    """

    def __init__(
        self, by_database: t.Mapping[str, t.Sequence[tuple[t.Any, ...]]]
    ) -> None:
        super().__init__(diff for diffs in by_database.values() for diff in diffs)
        self.by_database: dict[str, list[tuple[t.Any, ...]]] = {
            name: list(diffs) for name, diffs in by_database.items()
        }
        """For each database its differences."""


@dataclass(frozen=True)
class Template:
    """A template that new revisions can be made from.

    .. versionadded:: 4.0
    """

    name: str
    """What ``flask db init --template`` calls it."""

    description: str
    """The first line of the ``README`` beside it, or an empty text."""

    path: Path
    """Its ``script.py.mako``."""


@dataclass(frozen=True)
class InitReport:
    """What :meth:`.Alembic.init` did.

    .. versionadded:: 4.0
    """

    folder: Path
    """The folder of the template."""

    made: tuple[Path, ...] = ()
    """The folders and files that were made. Of a new folder only itself is told."""

    kept: Path | None = None
    """Where the template that was there lies now, if another one took its place."""
