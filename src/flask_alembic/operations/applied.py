"""What was applied to the databases, as it is noted there."""

from __future__ import annotations

from ..applied_table import read_entries
from ..history_reports import HistoryEntry
from .facade import Facade


def applied(alembic: Facade) -> dict[str, tuple[HistoryEntry, ...]]:
    """What is noted of each database.

    :param alembic: The extension.
    :return: Name to entries, newest first; none where no history is kept.
    """
    is_kept = alembic.settings.run.history
    return {
        name: tuple(read_entries(context, name)) if is_kept else ()
        for name, context in alembic.migration_contexts.items()
    }
