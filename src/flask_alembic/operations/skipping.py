"""What may be done to a database with ids in its version table that no file has."""

from __future__ import annotations

import typing as t

from ..errors import UnknownRevisionError
from ..steps import step_name
from ..steps import step_script

if t.TYPE_CHECKING:
    from alembic.runtime.migration import MigrationStep


def check_above_known(
    name: str,
    heads: tuple[str, ...],
    known: tuple[str, ...],
    steps: t.Iterable[MigrationStep],
) -> None:
    """Check that each revision to run comes after one that is in the version table.

    Only those are certainly not applied. Any other one, such as the first of all, may
    lie beneath an id that no file has, and would be run twice.

    :param name: Name of the database.
    :param heads: The ids in its version table.
    :param known: Those of them that a file has.
    :param steps: What is to be run.
    :raises UnknownRevisionError: If one is not certain.
    """
    unknown = [id_ for id_ in heads if id_ not in known]
    above = set(known)

    for step in steps if unknown else ():
        if not _parents(step) or not _parents(step) <= above:
            raise _may_lie_beneath(name, unknown[0], step_name(step))

        above.add(step_name(step))


def check_any_known(name: str, heads: tuple[str, ...], known: tuple[str, ...]) -> None:
    """Check that there is something that can be undone.

    :param name: Name of the database.
    :param heads: The ids in its version table.
    :param known: Those of them that a file has.
    :raises UnknownRevisionError: If no file has any of them.
    """
    if heads and not known:
        raise UnknownRevisionError(
            f"The database '{name}' is at revision '{heads[0]}' alone, which no file"
            " has: there is nothing else to undo.",
            target=heads[0],
            hint="Restore the file, or deploy the newer code, and downgrade with it.",
        )


def _parents(step: MigrationStep) -> set[str]:
    down = getattr(step_script(step), "down_revision", None) or ()
    return {down} if isinstance(down, str) else set(down)


def _may_lie_beneath(name: str, unknown: str, revision: str) -> UnknownRevisionError:
    return UnknownRevisionError(
        f"The database '{name}' is at revision '{unknown}', which no file has, and"
        f" {revision} may have been applied before it. Nothing was run.",
        target=unknown,
        hint="Restore the file, or deploy the newer code. Or say what is applied, by"
        " the revision that the tables match: 'flask db stamp --skip-missing' keeps"
        f" '{unknown}' beside it, 'flask db stamp --purge' does not.",
    )
