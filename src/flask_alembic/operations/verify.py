"""Whether the schema of a database is that of a revision."""

from __future__ import annotations

import typing as t

from alembic.runtime.migration import MigrationContext
from alembic.runtime.migration import MigrationStep

from .. import alembic_internals
from ..adopt_reports import Verification
from ..databases import default_name
from ..databases import identifier
from ..descriptions import describe as describe_error
from ..errors import FlaskAlembicError
from ..errors import SchemaMismatchError
from ..redaction import redact
from ..reports import Change
from ..step_settings import step_settings
from ..steps import call_step
from ..steps import step_name
from ..table_locks import table_locks
from .compare import produced
from .describe import describe
from .facade import Facade
from .facade import name_of
from .trial import begin_trial
from .trial import can_try
from .trial import Trial


def check_schema(alembic: Facade, ids: tuple[str, ...]) -> None:
    """Check that the schema of each database is that of some revisions.

    :param alembic: The extension.
    :param ids: The ids of the revisions; none for ``base``.
    :raises SchemaMismatchError: If that of any database isn't.
    """
    found: dict[str, Verification] = {}

    def work(heads: tuple[str, ...], context: MigrationContext) -> None:
        name = name_of(alembic, context)
        found[name] = verify(alembic, name, context, ids)

    alembic.run_migrations(work)
    wrong = [verification for verification in found.values() if not verification.ok]

    if wrong:
        at = ", ".join(ids) or "base"
        raise SchemaMismatchError(
            f"The schema of '{wrong[0].database}' is not that of {at}. Nothing was"
            " stamped.",
            verifications=tuple(found.values()),
            hint="Name the revision that the tables match, or mend the tables. If the"
            " models changed since the last revision, write that revision first.",
        )


def verify(
    alembic: Facade, name: str, context: MigrationContext, ids: tuple[str, ...]
) -> Verification:
    """Compare one database to its models, after the revisions above some others were
    tried on it. Nothing lasts.

    :param alembic: The extension.
    :param name: Name of the database.
    :param context: Its context.
    :param ids: The ids of the others.
    :return: What was found.
    """
    script = alembic.script_directory
    steps = alembic_internals.upgrade_steps(script, "heads", ids)

    if not steps:
        return Verification(name, ids, changes_of(context, name))

    _check_can_try(context, name, ids)

    is_external = alembic_internals.in_external_transaction(context)
    locks = table_locks(None if is_external else context.connection)

    with locks.running(), begin_trial(context) as trial:
        for step in steps:
            settings = step_settings(step, alembic.settings.run, context)

            with locks.limited(settings.ddl_lock_timeout):
                reason = _try(alembic, name, trial, step)

            if reason:
                return Verification(name, ids, failed=step_name(step), reason=reason)

        return Verification(name, ids, changes_of(context, name))


def changes_of(context: MigrationContext, name: str) -> tuple[Change, ...]:
    """What differs between a database and its models.

    :param context: The context of the database.
    :param name: Its name.
    :return: The changes that would bring it to the models.
    """
    operations = produced(context).upgrade_ops_list
    return tuple(change for ops in operations for change in describe(ops, name))


def _try(alembic: Facade, name: str, trial: Trial, step: MigrationStep) -> str:
    """Run a revision, and tell why it failed; nothing if it did not."""
    databases = alembic.databases
    reason = ""

    try:
        call_step(
            step,
            {},
            engine_name=identifier(name),
            is_default=name == default_name(databases),
            several=len(databases) > 1,
        )
        trial.check()
    # SystemExit too: a revision that calls sys.exit() has failed.
    except (Exception, SystemExit) as error:
        reason = redact(describe_error(error), trial.connection.engine)

    if trial.was_left():
        raise FlaskAlembicError(
            f"Revision {step_name(step)} commits or rolls back by itself, so it can't"
            f" be tried on the database '{name}'. Nothing was stamped.",
            hint="Only a revision above it can be verified. Or compare by hand, and"
            " stamp without --verify.",
        )

    return reason


def _check_can_try(
    context: MigrationContext, name: str, ids: t.Collection[str]
) -> None:
    if not can_try(context):
        raise FlaskAlembicError(
            f"The database '{name}' can't roll back DDL, so only the heads can be"
            f" verified there, not {', '.join(ids) or 'base'}.",
            hint="Compare by hand, and stamp without --verify; or upgrade a copy of the"
            " database, and run 'flask db check' there.",
        )
