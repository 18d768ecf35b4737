"""Create the version table where it is missing, and nothing else."""

from __future__ import annotations

import typing as t

from alembic.runtime.migration import MigrationContext

from .. import alembic_internals
from ..locks import find_lock
from ..locks import holding
from ..locks import Patience
from ..reports import VersionTable
from ..run_settings import RunSettings
from ..version_table import is_there
from .facade import Facade
from .facade import name_of


def ensure_version(alembic: Facade, settings: RunSettings) -> tuple[VersionTable, ...]:
    """Create the version table of each database that has none.

    :param alembic: The extension.
    :param settings: How to keep other runs off.
    :return: One entry a database.
    """
    found: dict[str, VersionTable] = {}

    def work(heads: tuple[str, ...], context: MigrationContext) -> None:
        name = name_of(alembic, context)
        # A retry finds the table that the first try has made.
        created = name in found and found[name].created
        created = _ensure(context, name, settings) or created
        table = alembic_internals.version_column(context).table
        found[name] = VersionTable(name, str(table), created)

    alembic.run_migrations(work)
    return tuple(found.values())


def _ensure(context: MigrationContext, name: str, settings: RunSettings) -> bool:
    """Create the table, unless another run does."""
    if is_there(context):
        return False

    lock = find_lock(context, name, settings.lock)
    _commit(context)

    with holding([lock] if lock else [], Patience(settings.lock_timeout)):
        created = not is_there(context)
        alembic_internals.ensure_version_table(context)
        _commit(context)

    return created


def _commit(context: MigrationContext) -> None:
    if not alembic_internals.in_external_transaction(context):
        t.cast(t.Any, context.connection).commit()
