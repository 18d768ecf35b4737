"""What methods return that look at databases and folders which other hands made: frozen
data, like that of reports.py.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from dataclasses import field

from .reports import Change


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
