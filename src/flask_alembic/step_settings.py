"""What a revision file says of how it is to be run."""

from __future__ import annotations

import typing as t

from .errors import ConfigurationError
from .errors import RevisionFileError
from .revisions.paths import display
from .steps import step_script

if t.TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext
    from alembic.runtime.migration import MigrationStep

    from .run_settings import RunSettings

_KEYS: t.Final[tuple[str, ...]] = ("ddl_lock_retries", "ddl_lock_timeout")


def step_settings(
    step: MigrationStep, settings: RunSettings, context: MigrationContext
) -> RunSettings:
    """The settings of a run, with those in the revision's file on top.

    :param step: The step.
    :param settings: The settings of the run.
    :param context: The context of the database, to name the file in an error.
    :return: The settings of the step.
    :raises RevisionFileError: If a value can't be used.
    """
    script = step_script(step)
    names = vars(script.module) if script is not None else {}
    own = {key: names[key] for key in _KEYS if key in names}

    if not own:
        return settings

    try:
        return settings.with_options(own)
    except ConfigurationError as error:
        path = str(t.cast(t.Any, script).path)
        location = context.script.dir if context.script else ""
        raise RevisionFileError(
            f"{display(path, location)}: {error.key} = {error.value!r} can't be used.",
            path=path,
            hint="ddl_lock_timeout is a number of seconds, 0 for no limit;"
            " ddl_lock_retries is a count.",
        ) from error
