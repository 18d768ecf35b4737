"""A tenant: a database or a schema that has the same revisions as others. Which there
are is found out elsewhere.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from dataclasses import field

import sqlalchemy as sa

if t.TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine


@dataclass(frozen=True, kw_only=True)
class Tenant:
    """One of many databases or schemas that :meth:`.Alembic.upgrade_all` upgrades. It
    stands in for the app's default database.

    .. versionadded:: 4.0
    """

    name: str = ""
    """What reports call it. By default that is the schema, otherwise the URL without
    its password."""

    url: str | sa.URL | None = field(default=None, repr=False)
    """Where the database is. Without it and without ``engine``, it is the app's."""

    engine: sa.Engine | AsyncEngine | None = field(default=None, repr=False)
    """An engine for it. It is not disposed."""

    schema: str | None = None
    """The schema that unqualified names mean: the search path on PostgreSQL, the
    database on MariaDB and MySQL."""

    schema_translate_map: t.Mapping[str | None, str | None] | None = None
    """SQLAlchemy's map from the schemas in revisions to those of the tenant. The
    version table follows it."""

    @property
    def own_engine(self) -> sa.Engine | None:
        """Its engine, if it was given; of an async one the sync one inside it."""
        engine: t.Any = self.engine
        found: sa.Engine | None = getattr(engine, "sync_engine", engine)
        return found

    @property
    def is_in_app_database(self) -> bool:
        """Whether it is in the app's database, such as in a schema there."""
        return self.url is None and self.engine is None


Target = t.Union[Tenant, str, sa.URL, sa.Engine, "AsyncEngine"]
"""What may stand in a list of tenants. A text is a URL, or the name of a schema."""
