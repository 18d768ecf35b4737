"""Protected databases: what has to be confirmed before it is run there."""

from __future__ import annotations

import typing as t

from .option_values import config_error
from .option_values import nearest
from .run_errors import ProtectedDatabaseError
from .steps import undone_by
from .version_rows import PurgeStep

if t.TYPE_CHECKING:
    from alembic.runtime.migration import MigrationStep

    from .run_settings import RunSettings

_SHOWN: t.Final = 5


def check_protected(
    steps: t.Mapping[str, t.Sequence[MigrationStep]],
    settings: RunSettings,
    names: t.Collection[str],
) -> None:
    """Check that nothing has to be confirmed.

    :param steps: For each database what is to be run there.
    :param settings: Which databases are protected. If the caller has confirmed it, none
        are.
    :param names: The names of all databases.
    :raises ProtectedDatabaseError: If a revision of a protected database would be
        undone, or its version table purged.
    :raises ConfigurationError: If a name is that of no database. What it was meant for
        would not be protected.
    """
    undone = {
        name: tuple(id_ for step in of_it for id_ in undone_by(step))
        for name, of_it in steps.items()
    }

    if any(undone.values()):
        _check_names(settings, names)

    confirm = {n: ids for n, ids in undone.items() if ids and settings.is_protected(n)}

    if confirm:
        is_purge = any(
            isinstance(step, PurgeStep) for n in confirm for step in steps[n]
        )
        raise _not_confirmed(confirm, is_purge=is_purge)


def _check_names(settings: RunSettings, known: t.Collection[str]) -> None:
    protected = settings.protected

    if isinstance(protected, bool):
        return

    for name in protected:
        if name not in known:
            meant = nearest(name, known)
            names = ", ".join(known)
            raise config_error(
                "protected",
                list(protected),
                f"names '{name}', which is not a database",
                hint=f"Did you mean '{meant}'?" if meant else f"There are: {names}.",
            )


def _not_confirmed(
    undone: t.Mapping[str, tuple[str, ...]], *, is_purge: bool
) -> ProtectedDatabaseError:
    what = "taken out of its version table" if is_purge else "undone"
    message = " ".join(
        f"The database '{name}' is protected, and {_some(ids)} would be {what}."
        for name, ids in undone.items()
    )
    return ProtectedDatabaseError(
        message,
        undone=undone,
        hint="Nothing was done. Confirm it: --yes on the command line, yes=True in"
        " Python.",
    )


def _some(ids: tuple[str, ...]) -> str:
    more = len(ids) - _SHOWN
    return ", ".join(ids[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
