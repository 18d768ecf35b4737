"""Run revisions: upgrade and downgrade."""

from __future__ import annotations

import re
import typing as t
from functools import cache
from functools import partial

from alembic.runtime.migration import MigrationContext
from alembic.runtime.migration import MigrationStep
from alembic.script import ScriptDirectory

from .. import alembic_internals
from ..arguments import as_strings
from ..arguments import resolve
from ..arguments import RevisionArgument
from ..arguments import too_far
from ..errors import FlaskAlembicError
from ..errors import MultipleHeadsError
from ..errors import RevisionFileError
from ..errors import TargetError
from ..history import History
from ..ranges import no_range
from ..revisions.paths import display
from ..steps import step_script
from ..version_table import column_length
from .edited import check_changes
from .facade import alembic_errors
from .facade import check_lineage
from .facade import Facade
from .facade import known_heads
from .facade import name_of
from .skipping import check_above_known
from .skipping import check_any_known

Steps = list[MigrationStep]
Work = t.Callable[[tuple[str, ...], MigrationContext], Steps]


def upgrade(
    alembic: Facade, target: RevisionArgument, *, skip_missing: bool = False
) -> None:
    """Run what lies between the databases and a target above them.

    :param alembic: The extension.
    :param target: Where to go.
    :param skip_missing: Whether to leave ids alone that no file has.
    """
    alembic.run_migrations(upgrade_work(alembic, target, skip_missing=skip_missing))


def upgrade_work(
    alembic: Facade, target: RevisionArgument, *, skip_missing: bool = False
) -> Work:
    """What finds the steps of each database.

    :param alembic: The extension.
    :param target: Where to go.
    :param skip_missing: Whether to leave ids alone that no file has.
    :return: To be called with the heads and the context of a database.
    """
    script = alembic.script_directory
    history = History(script)
    texts = [no_range(text, history, command="upgrade") for text in as_strings(target)]
    targets = [resolve(text, history, sign="+") for text in texts]
    # Several ids are a list for Alembic, but a count of steps has to be a str.
    to: str | list[str] = targets[0] if len(targets) == 1 else targets

    if any(text.startswith("-") for text in targets):
        raise TargetError(
            f"'{_text(target)}' leads down.",
            target=_text(target),
            hint=f"Run 'flask db downgrade {_text(target)}'.",
        )

    for text in targets:
        _check_reach(script, text, _text(target))

    @cache
    def find(known: tuple[str, ...]) -> Steps:
        # Alembic goes through all of a history to find that there is nothing above.
        if to == "heads" and set(known) == set(history.effective_heads):
            return []

        return alembic_internals.upgrade_steps(script, to, known)

    def work(heads: tuple[str, ...], context: MigrationContext) -> Steps:
        name = name_of(alembic, context)
        known = known_heads(alembic, name, heads, skip_missing=skip_missing)
        check_lineage(alembic, name, known)
        check_changes(alembic, name, context, known)
        steps = _steps(alembic, context, partial(find, known), _text(target), up=True)
        check_above_known(name, heads, known, steps)
        return steps

    return work


def downgrade(
    alembic: Facade, target: RevisionArgument, *, skip_missing: bool = False
) -> None:
    """Run back what lies between the databases and a target below them.

    :param alembic: The extension.
    :param target: Where to go. A number is a count of steps, with or without sign.
    :param skip_missing: Whether to leave ids alone that no file has.
    """
    script = alembic.script_directory
    is_count = isinstance(target, int) and not isinstance(target, bool)
    texts = as_strings(-abs(t.cast(int, target)) if is_count else target)

    if len(texts) != 1:
        raise TargetError("A downgrade goes to one revision.", target=", ".join(texts))

    history = History(script)
    to = no_range(texts[0], history, command="downgrade")
    to = resolve(to, history, sign="-")

    if to.startswith("+"):
        raise TargetError(
            f"'{to}' leads up.", target=to, hint=f"Run 'flask db upgrade {to}'."
        )

    def work(heads: tuple[str, ...], context: MigrationContext) -> Steps:
        name = name_of(alembic, context)
        known = known_heads(alembic, name, heads, skip_missing=skip_missing)
        check_any_known(name, heads, known)
        check_lineage(alembic, name, known)
        _check_one_way_down(script, name, to, known)
        undone = _merge_to_undo(script, to, known)

        if undone is not None:
            return [undone]

        return _steps(
            alembic,
            context,
            lambda: alembic_internals.downgrade_steps(script, to, known),
            texts[0],
            up=False,
        )

    alembic.run_migrations(work)


def _steps(
    alembic: Facade,
    context: MigrationContext,
    find: t.Callable[[], Steps],
    target: str,
    *,
    up: bool,
) -> Steps:
    """Find the steps and check all of them, before the first one runs."""
    try:
        with alembic_errors(target, up=up):
            steps = find()
    except AttributeError as error:
        raise _without_function(alembic, error, up) from error

    if up:
        _check_lengths(context, steps)

    return steps


def _check_reach(script: ScriptDirectory, target: str, written: str) -> None:
    """Check that so many revisions come after the one that a target starts from.
    Alembic stops at the head in silence.
    """
    match = re.fullmatch(r"(?:(?P<branch>[^@]+)@)?(?P<start>[^@]+)\+(?P<n>\d+)", target)

    if match is None or match["start"] in ("base", "head", "heads"):
        return

    start = script.get_revision(match["start"])
    above = list(script.iterate_revisions("heads", start.revision))

    if int(match["n"]) > len(above):
        raise too_far(written, up=True)


def _merge_to_undo(
    script: ScriptDirectory, to: str, heads: tuple[str, ...]
) -> MigrationStep | None:
    """The step for going down one from a merge, which is plain though it leads to
    several revisions. Alembic calls it ambiguous.
    """
    if to != "-1" or len(heads) != 1:
        return None

    merge = script.get_revision(heads[0])

    if not merge.is_merge_point:
        return None

    return MigrationStep.downgrade_from_script(script.revision_map, merge)


def _check_one_way_down(
    script: ScriptDirectory, name: str, to: str, heads: tuple[str, ...]
) -> None:
    """With several branches applied, a count does not say which of them to go down."""
    branch, at, count = to.rpartition("@")

    if not count.startswith("-"):
        return

    found = sorted(heads)

    if at:
        labels = {head: script.get_revision(head).branch_labels for head in found}
        found = [head for head in found if branch in labels[head]]

    if len(found) > 1:
        raise MultipleHeadsError(
            f"The database '{name}' is at {len(found)} revisions: {', '.join(found)}."
            f" '{to}' does not say which of them to go down from.",
            target=to,
            heads=found,
            hint=f"Name one: 'flask db downgrade {found[0]}@{count}'.",
        )


def _without_function(
    alembic: Facade, error: AttributeError, up: bool
) -> FlaskAlembicError:
    """Alembic takes ``upgrade`` from each module when it makes the steps."""
    function = "upgrade" if up else "downgrade"
    script = alembic.script_directory

    for found in script.walk_revisions():
        if found.module is error.obj:
            name = display(found.path, script.dir)
            return RevisionFileError(
                f"{name}: there is no function '{function}' in it.",
                path=found.path,
                hint=f"Write 'def {function}():', with 'pass' if it does nothing.",
            )

    raise error


def _check_lengths(context: MigrationContext, steps: Steps) -> None:
    """Check that the ids fit the version table, which is found out last otherwise."""
    scripts = [script for step in steps if (script := step_script(step))]
    column = alembic_internals.version_column(context)
    usual = getattr(column.type, "length", None)

    def too_long(length: int | None) -> list[str]:
        return [s.revision for s in scripts if length and len(s.revision) > length]

    # SQLite holds any text. The database is only asked if there is a reason.
    if context.dialect.name == "sqlite" or not too_long(usual):
        return

    length = column_length(context)

    if ids := too_long(length):
        raise TargetError(
            f"The id '{ids[0]}' has {len(ids[0])} characters, but"
            f" {column.table.name}.{column.name} holds {length}.",
            target=ids[0],
            hint="Give the revision a shorter id, or make the column longer.",
        )


def _text(target: RevisionArgument) -> str:
    return ", ".join(as_strings(target))
