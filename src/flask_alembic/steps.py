"""One step of Alembic's: what it is called, and how its function wants to be called."""

from __future__ import annotations

import inspect
import logging
import typing as t

from .load_step import LoadStep
from .reports import Direction
from .version_rows import PurgeStep

if t.TYPE_CHECKING:
    from alembic.runtime.migration import MigrationStep
    from alembic.script import Script

# Not Alembic's logger: what that warns of is shown only where an app asks for it.
_log = logging.getLogger("flask_alembic")


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
        return "snapshot" if isinstance(step, LoadStep) else "stamp"

    return "upgrade" if step.is_upgrade else "downgrade"


def step_removed(step: MigrationStep) -> tuple[str, ...]:
    """What a purge takes out of the version table.

    :param step: The step.
    :return: The ids that are not written again.
    """
    return step.removed if isinstance(step, PurgeStep) else ()


def undone_by(step: MigrationStep) -> tuple[str, ...]:
    """What a step takes away that somebody may miss: a revision that it undoes, or what
    a purge takes out of the version table.

    :param step: The step.
    :return: The ids.
    """
    if isinstance(step, PurgeStep):
        return step.removed if step.asked_for else ()

    return (step_name(step),) if step_direction(step) == "downgrade" else ()


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
        name = _name_in(function, engine_name, is_default)

        if name is not None:
            function(**{**kwargs, "engine_name": name})
    elif is_default:
        function(**kwargs)


def tell_left_out(step: MigrationStep, databases: t.Collection[str]) -> None:
    """Warn of the functions of a revision that are for a database that there is none
    of: nobody calls them.

    :param step: The step.
    :param databases: All databases, as they stand in the functions' names.
    """
    script = step_script(step)

    if script is None:
        return

    function = step.migration_fn
    known = {*databases, ""}
    names = [name for name in _databases_of(function) if name not in known]
    lost = [name for name in names if _does_something(function, name)]

    if lost and "engine_name" in inspect.signature(function).parameters:
        _log.warning(
            "Revision %s has operations for %s, but the app has no such database. They"
            " are not run.",
            script.revision,
            ", ".join(f"'{name}'" for name in lost),
        )


def _name_in(
    function: t.Callable[..., t.Any], engine_name: str, is_default: bool
) -> str | None:
    """What a revision for several databases calls one of them, or ``None`` if it was
    written when that one was not there.
    """
    names = getattr(function, "__globals__", {})
    prefix = f"{function.__name__}_"

    if f"{prefix}{engine_name}" in names:
        return engine_name

    if is_default and prefix in names:
        return ""  # Flask-Migrate's name of the default database

    return None if any(name.startswith(prefix) for name in names) else engine_name


def _databases_of(function: t.Callable[..., t.Any]) -> list[str]:
    """The databases that a revision has two functions for."""
    names = getattr(function, "__globals__", {})
    return [
        name.removeprefix("upgrade_")
        for name in names
        if name.startswith("upgrade_")
        and f"downgrade_{name.removeprefix('upgrade_')}" in names
    ]


def _does_something(function: t.Callable[..., t.Any], name: str) -> bool:
    """Whether the function of a database is more than ``pass``: without a name in it,
    nothing can be called.
    """
    own = function.__globals__[f"{function.__name__}_{name}"]
    code = getattr(own, "__code__", None)
    return code is None or bool(code.co_names)
