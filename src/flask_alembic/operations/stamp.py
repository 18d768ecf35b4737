"""Write the version table without running revisions."""

from __future__ import annotations

from alembic.runtime.migration import MigrationContext
from alembic.runtime.migration import MigrationStep

from .. import alembic_internals
from ..arguments import as_strings
from ..arguments import resolve
from ..arguments import RevisionArgument
from ..errors import FlaskAlembicError
from ..errors import TargetError
from ..history import History
from ..journal import open_journal
from ..ranges import no_range
from ..version_rows import PurgeStep
from .facade import alembic_errors
from .facade import Facade
from .facade import known_heads
from .facade import lineage_heads
from .facade import name_of
from .verify import check_schema

Heads = tuple[str, ...]


def stamp(
    alembic: Facade,
    target: RevisionArgument,
    *,
    purge: bool = False,
    verify: bool = False,
    skip_missing: bool = False,
) -> None:
    """Let the databases stand at a target.

    :param alembic: The extension.
    :param target: Where they are to stand.
    :param purge: Whether to empty the version tables first, whatever is in them.
    :param verify: Whether to do so only if their schema is that of the target.
    :param skip_missing: Whether to leave ids alone that no file has.
    """
    if purge and skip_missing:
        raise FlaskAlembicError(
            "A purge takes ids out that no file has, and 'skip missing' keeps them.",
            hint="Choose one.",
        )

    history = History(alembic.script_directory)
    texts = [no_range(text, history, command="stamp") for text in as_strings(target)]
    targets = [resolve(text, history) for text in texts]
    wanted = _ids(alembic, targets)

    if verify:
        check_schema(alembic, wanted)

    def work(heads: Heads, context: MigrationContext) -> list[MigrationStep]:
        if purge:
            return _purge(alembic, wanted, heads) or _anew(heads, context)

        name = name_of(alembic, context)
        known = known_heads(alembic, name, heads, skip_missing=skip_missing)
        return _stamp(alembic, targets, wanted, heads, known) or _anew(heads, context)

    def _anew(heads: Heads, context: MigrationContext) -> list[MigrationStep]:
        """Where the database is there already, but a revision is half done, the stamp
        puts an end to that.
        """
        is_on = alembic.settings.run.journal
        journal = open_journal(context, name_of(alembic, context), is_on=is_on)

        if journal is None:
            return []

        journal.read()
        return (
            [PurgeStep(alembic.script_directory, heads, heads)] if journal.found else []
        )

    alembic.run_migrations(work)


def _ids(alembic: Facade, targets: list[str]) -> Heads:
    """The ids that the version table is to hold."""
    script = alembic.script_directory

    with alembic_errors(", ".join(targets)):
        found = [s for text in targets for s in script.get_revisions(text)]

    ids = tuple(dict.fromkeys(s.revision for s in found if s is not None))
    _check_apart(ids, lineage_heads(script, ids))
    return ids


def _check_apart(ids: Heads, last: Heads) -> None:
    """Check that none of the targets comes before another: it is applied anyway."""
    if before := [id_ for id_ in ids if id_ not in last]:
        raise TargetError(
            f"{before[0]} comes before {last[0]}, so it can't stand beside it.",
            target=before[0],
            hint=f"Leave it out: 'flask db stamp {' '.join(last)}'.",
        )


def _purge(alembic: Facade, ids: Heads, heads: Heads) -> list[MigrationStep]:
    if sorted(ids) == sorted(heads):
        return []

    return [PurgeStep(alembic.script_directory, ids, heads, asked_for=True)]


def _stamp(
    alembic: Facade, targets: list[str], ids: Heads, heads: Heads, known: Heads
) -> list[MigrationStep]:
    script = alembic.script_directory

    # Alembic's own steps leave a table as it is that holds a revision and one that
    # comes before.
    if len(lineage_heads(script, known)) < len(known):
        return [PurgeStep(script, ids, heads, kept=set(heads) - set(known))]

    with alembic_errors(", ".join(targets)):
        return alembic_internals.stamp_steps(script, targets, known)
