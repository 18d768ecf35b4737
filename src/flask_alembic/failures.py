"""Say what a failed revision left behind: which database stands where."""

from __future__ import annotations

import typing as t

from sqlalchemy.exc import DBAPIError

from .databases import redact
from .errors import MigrationFailed
from .errors import PartialCommitError
from .revision_files import display

if t.TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext
    from alembic.runtime.migration import MigrationStep

    from .reports import AppliedStep

Contexts = t.Mapping[str, "MigrationContext"]
Standing = t.Mapping[str, tuple[str, ...]]


def migration_failed(
    error: Exception,
    step: MigrationStep,
    database: str,
    contexts: Contexts,
    applied: t.Sequence[AppliedStep],
    standing: Standing,
    kept: t.Sequence[str] = (),
) -> MigrationFailed:
    """Make the error for a revision that raised.

    :param error: What it raised.
    :param step: The step that failed.
    :param database: The database that it failed on.
    :param contexts: The contexts of all databases.
    :param applied: What was committed before.
    :param standing: Where each database stands.
    :param kept: The statements of this revision that can't be rolled back.
    :return: The error to raise.
    """
    name, path = _name_and_path(step)
    context = contexts[database]
    return MigrationFailed(
        f"Revision {name} failed on the database '{database}': "
        f"{describe(error, context)}",
        database=database,
        revision=name,
        path=path,
        applied=applied,
        standing=standing,
        kept=kept,
        hint=_hint(error, database, context, path, standing, kept),
    )


def commit_failed(
    error: Exception,
    step: MigrationStep,
    database: str,
    databases: t.Sequence[str],
    contexts: Contexts,
    applied: t.Sequence[AppliedStep],
    standing: Standing,
) -> MigrationFailed:
    """Make the error for a revision that ran and could not be committed everywhere.

    :param error: What the commit raised.
    :param step: The step.
    :param database: The database whose commit failed.
    :param databases: The databases that the step ran on, in the order of committing.
    :param contexts: The contexts of all databases.
    :param applied: What was committed before.
    :param standing: Where each database stands.
    :return: The error to raise.
    """
    name, path = _name_and_path(step)
    have = ", ".join(f"'{item}'" for item in databases[: databases.index(database)])

    if not have:
        return migration_failed(error, step, database, contexts, applied, standing)

    return PartialCommitError(
        f"Revision {name} was committed on {have}, but the commit on '{database}'"
        f" failed: {describe(error, contexts[database])}",
        database=database,
        revision=name,
        path=path,
        applied=applied,
        standing=standing,
        hint="Mend the cause and run the same command again: it completes the others.",
    )


def describe(error: BaseException, context: MigrationContext | None = None) -> str:
    """An exception in one sentence, without row data and without a password.

    :param error: Any exception.
    :param context: Where it was raised, if that was in a database.
    :return: What the driver said, or the type and the text.
    """
    if isinstance(error, DBAPIError) and error.orig is not None:
        text = " ".join(str(error.orig).split())
        kind = type(error.orig).__name__
    else:
        text, kind = str(error), type(error).__name__

    if context is not None and context.connection is not None:
        text = redact(text, context.connection.engine)

    return f"{kind}: {text}" if text else kind


def _name_and_path(step: MigrationStep) -> tuple[str, str | None]:
    script = getattr(step, "revision", None)

    if script is None:
        return ", ".join(step.to_revisions_no_deps) or "base", None

    return str(script.revision), str(script.path)


def _hint(
    error: Exception,
    database: str,
    context: MigrationContext,
    path: str | None,
    standing: Standing,
    kept: t.Sequence[str],
) -> str:
    if not standing.get(database) and "already exists" in str(error):
        return (
            f"The database '{database}' has tables but no revision. If they were made"
            " without migrations, run 'flask db stamp' with the revision they match."
        )

    file = "it"

    if path is not None and context.script is not None:
        file = display(path, context.script.dir)

    if kept:
        return (
            f"{_product(context)} can't roll back DDL. Undo by hand what was kept, mend"
            f" {file} and run the same command again."
        )

    return f"Nothing of this revision was kept. Mend {file} and run it again."


def _product(context: MigrationContext) -> str:
    is_mariadb = getattr(context.dialect, "is_mariadb", False)
    return (
        "MariaDB"
        if is_mariadb
        else {"mysql": "MySQL"}.get(context.dialect.name, context.dialect.name)
    )
