"""What methods return: frozen data, without a connection and without wording."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from dataclasses import field

if t.TYPE_CHECKING:
    from alembic.script import Script

Direction = t.Literal["upgrade", "downgrade", "stamp"]


@dataclass(frozen=True)
class AppliedStep:
    """One revision that was run, or stamped, on one database.

    .. versionadded:: 4.0
    """

    database: str
    """Name of the database."""

    revision: str
    """Id of the revision; for a stamp the new ids, joined by a comma, or ``base``."""

    direction: Direction
    """``"upgrade"``, ``"downgrade"`` or ``"stamp"``."""

    message: str
    """First paragraph of the revision's docstring; empty for a stamp."""

    seconds: float
    """How long it ran, without the commit."""

    removed: tuple[str, ...] = ()
    """Ids that a stamp took out of the version table after emptying it, whether a file
    has them or not."""


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

    def steps_of(self, database: str) -> tuple[AppliedStep, ...]:
        """The steps of one database.

        :param database: Name of the database.
        :return: Its steps, in the order they ran.
        """
        return tuple(step for step in self.steps if step.database == database)


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


@dataclass(frozen=True)
class Verification:
    """Whether the schema of a database is that of a revision.

    .. versionadded:: 4.0
    """

    database: str
    """Name of the database."""

    revisions: tuple[str, ...]
    """Ids of the revisions that it was compared to; none for ``base``."""

    changes: tuple[Change, ...] = ()
    """What the models have and the database has not, or the other way round, after the
    revisions above these were tried."""

    failed: str = ""
    """Id of the revision above these that could not be tried; empty if all could."""

    reason: str = ""
    """Why it could not."""

    @property
    def ok(self) -> bool:
        """Whether it is."""
        return not self.changes and not self.failed


@dataclass(frozen=True)
class Customised:
    """What was changed in an env.py, which the extension does not run.

    .. versionadded:: 4.0
    """

    name: str
    """Such as ``include_object``."""

    line: int
    """The line in the file."""

    instead: str
    """What does the same here, such as ``ALEMBIC_CONTEXT['include_object']``."""


@dataclass(frozen=True)
class AdoptedFolder:
    """What is in the migrations folder.

    .. versionadded:: 4.0
    """

    path: str
    """The folder."""

    tool: str = ""
    """``"Flask-Migrate"``, ``"Alembic"``, ``"Flask-Alembic"``; empty if nothing is in
    it."""

    revisions: int = 0
    """Number of revisions that the extension reads."""

    heads: tuple[str, ...] = ()
    """Ids that a database is at after an upgrade."""

    customised: tuple[Customised, ...] = ()
    """What was changed in env.py."""

    to_set: t.Mapping[str, t.Any] = field(default_factory=dict)
    """What to set in ``ALEMBIC``, so that the revisions in it are read."""


@dataclass(frozen=True)
class AdoptedDatabase:
    """Where a database stands, and whether its tables were made by migrations.

    .. versionadded:: 4.0
    """

    database: str
    """Name of the database."""

    version_table: str
    """Name of the version table."""

    has_version_table: bool
    """Whether it is there."""

    current: tuple[str, ...]
    """The ids in it."""

    unknown: tuple[str, ...]
    """Those of them that no file has."""

    tables: int
    """Number of other tables."""

    changes: tuple[Change, ...] | None = None
    """How it differs from the models, if it has tables and is at no revision; ``None``
    if that was not compared."""

    stamped: tuple[str, ...] = ()
    """The ids that it was stamped now."""


@dataclass(frozen=True)
class AdoptReport:
    """What :meth:`.Alembic.adopt` found.

    .. versionadded:: 4.0
    """

    folder: AdoptedFolder
    """The migrations folder."""

    databases: tuple[AdoptedDatabase, ...]
    """One entry a database."""

    differences: tuple[str, ...] = ()
    """What will be different from the tool that was used before, in sentences."""


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
