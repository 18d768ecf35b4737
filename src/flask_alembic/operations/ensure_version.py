"""Create the version table where it is missing, and nothing else."""

from __future__ import annotations

from alembic.runtime.migration import MigrationContext

from .. import alembic_internals
from ..reports import VersionTable
from ..version_table import is_there
from .facade import Facade
from .facade import name_of


def ensure_version(alembic: Facade) -> tuple[VersionTable, ...]:
    """Create the version table of each database that has none.

    :param alembic: The extension.
    :return: One entry a database.
    """
    found: dict[str, VersionTable] = {}

    def work(heads: tuple[str, ...], context: MigrationContext) -> None:
        name = name_of(alembic, context)
        # A retry finds the table that the first try has made.
        created = name in found and found[name].created or not is_there(context)
        alembic_internals.ensure_version_table(context)
        table = alembic_internals.version_column(context).table
        found[name] = VersionTable(name, str(table), created)

    alembic.run_migrations(work)
    return tuple(found.values())
