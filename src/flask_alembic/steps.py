"""One step of Alembic's: what it is called, and how its function wants to be called."""

from __future__ import annotations

import inspect
import typing as t

from .reports import Direction

if t.TYPE_CHECKING:
    from alembic.runtime.migration import MigrationStep
    from alembic.script import Script


def step_key(step: MigrationStep) -> tuple[str, str, bool]:
    """What is equal for the same step of another database.

    :param step: The step.
    :return: The kind, the name, and whether it leads up.
    """
    return type(step).__name__, step_name(step), step.is_upgrade


def step_script(step: MigrationStep) -> Script | None:
    """The revision of a step.

    :param step: The step.
    :return: The revision, or ``None`` for a stamp.
    """
    return getattr(step, "revision", None)


def step_name(step: MigrationStep) -> str:
    """What a step is called.

    :param step: The step.
    :return: The id of its revision; for a stamp the ids that it leads to, joined by a
        comma, or ``base``.
    """
    if (script := step_script(step)) is not None:
        return script.revision

    return ", ".join(step.to_revisions_no_deps) or "base"


def step_direction(step: MigrationStep) -> Direction:
    """What a step does.

    :param step: The step.
    :return: The direction.
    """
    if step_script(step) is None:
        return "stamp"

    return "upgrade" if step.is_upgrade else "downgrade"


def step_comment(step: MigrationStep) -> str:
    """What stands above a step in a script.

    :param step: The step.
    :return: A line, which is a comment in SQL.
    """
    text = f"{step_direction(step)} {step_name(step)}: {step.doc or ''}"
    return f"-- {' '.join(text.split()).rstrip(':')}"


def call_step(
    step: MigrationStep,
    kwargs: t.Mapping[str, t.Any],
    *,
    engine_name: str,
    is_default: bool,
    several: bool,
) -> None:
    """Call ``upgrade`` or ``downgrade`` as it wants to be called.

    A revision for several databases takes ``engine_name``, and has a function for each
    database that it knows. One for a single database was written before the others
    came, and is for the default one.

    :param step: The step.
    :param kwargs: What to pass on.
    :param engine_name: The database, as it stands in the functions' names.
    :param is_default: Whether it is the default database.
    :param several: Whether it is one of several.
    """
    function = step.migration_fn
    parameters = inspect.signature(function).parameters
    any_name = any(p.kind is p.VAR_KEYWORD for p in parameters.values())

    if "engine_name" in parameters or (any_name and several):
        if _knows(function, engine_name):
            function(**{**kwargs, "engine_name": engine_name})
    elif is_default:
        function(**kwargs)


def _knows(function: t.Callable[..., t.Any], engine_name: str) -> bool:
    """Whether a revision for several databases was written when this one was there."""
    names = getattr(function, "__globals__", {})
    prefix = f"{function.__name__}_"
    others = [name for name in names if name.startswith(prefix)]
    return not others or f"{prefix}{engine_name}" in names
