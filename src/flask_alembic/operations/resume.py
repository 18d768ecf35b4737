"""Complete a revision that is half done."""

from __future__ import annotations

import typing as t

from alembic.runtime.migration import MigrationContext
from alembic.runtime.migration import MigrationStep

from ..errors import FlaskAlembicError
from ..errors import UnknownRevisionError
from ..history import History
from ..journal import open_journal
from .facade import Facade
from .facade import name_of

if t.TYPE_CHECKING:
    from ..journal import HalfDone

Steps = list[MigrationStep]


def resume(alembic: Facade) -> None:
    """Run what is half done to its end, on each database where something is.

    :param alembic: The extension.
    """

    def work(heads: tuple[str, ...], context: MigrationContext) -> Steps:
        name = name_of(alembic, context)
        journal = open_journal(context, name, is_on=alembic.settings.run.journal)

        if journal is None:
            return []

        journal.read()
        return [_step(alembic, name, of) for of in journal.half_done(heads)]

    alembic.run_migrations(work)


def _step(alembic: Facade, database: str, of: HalfDone) -> MigrationStep:
    if of.direction == "snapshot":
        raise FlaskAlembicError(
            f"A snapshot is half loaded on the database '{database}'.",
            hint="Run 'flask db prepare', which loads it anew.",
        )

    script = alembic.script_directory

    if History(script).unknown([of.revision]):
        raise UnknownRevisionError(
            f"Revision {of.revision} is half done on the database '{database}', and no"
            f" file in {script.dir} has it.",
            target=of.revision,
            hint="Restore the file, or deploy the newer code.",
        )

    found = script.get_revision(of.revision)

    if of.direction == "upgrade":
        return MigrationStep.upgrade_from_script(script.revision_map, found)

    return MigrationStep.downgrade_from_script(script.revision_map, found)
