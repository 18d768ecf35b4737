"""Write the version table without running revisions."""

from __future__ import annotations

from alembic.runtime.migration import MigrationContext
from alembic.runtime.migration import MigrationStep

from .. import alembic_internals
from ..arguments import as_strings
from ..arguments import resolve
from ..arguments import RevisionArgument
from ..history import History
from ..ranges import no_range
from .facade import alembic_errors
from .facade import Facade
from .facade import known_heads
from .facade import lineage_heads
from .facade import name_of


def stamp(alembic: Facade, target: RevisionArgument) -> None:
    """Let the databases stand at a target.

    :param alembic: The extension.
    :param target: Where they are to stand.
    """
    script = alembic.script_directory
    history = History(script)
    texts = [no_range(text, history, command="stamp") for text in as_strings(target)]
    targets = [resolve(text, history) for text in texts]

    def work(heads: tuple[str, ...], context: MigrationContext) -> list[MigrationStep]:
        known_heads(alembic, name_of(alembic, context), heads)

        if len(lineage_heads(script, heads)) < len(heads):
            return alembic_internals.overwrite_steps(script, targets, heads)

        with alembic_errors(", ".join(targets)):
            return alembic_internals.stamp_steps(script, targets, heads)

    alembic.run_migrations(work)
