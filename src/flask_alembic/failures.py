"""Say what a failed revision left behind: which database stands where."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from sqlalchemy.exc import DBAPIError

from .async_driver import driver_error
from .offline_connection import how_to_write
from .redaction import redact
from .revision_files import display
from .revision_files import line_in
from .run_errors import MigrationFailed
from .run_errors import PartialCommitError
from .steps import step_name
from .steps import step_script

if t.TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext
    from alembic.runtime.migration import MigrationStep

    from .reports import AppliedStep

_HIDDEN: t.Final = "***"

# MySQL and MariaDB quote what is in the rows: Duplicate entry 'x' for key 'y'.
_ROW_DATA: t.Final = re.compile(r"(?<=(?:entry|alue:) )'.*?'(?= for )", re.DOTALL)

# A shorter parameter is found in any text.
_SHORTEST: t.Final = 3


@dataclass(frozen=True)
class Failure:
    """What is known of a failure when the databases have been rolled back."""

    error: BaseException
    step: MigrationStep
    database: str
    contexts: t.Mapping[str, MigrationContext]
    applied: t.Sequence[AppliedStep]
    standing: t.Mapping[str, tuple[str, ...]]
    have_it: t.Sequence[str] = ()
    kept: t.Sequence[str] = ()
    is_noted: bool = False
    """Whether the next run skips what was kept."""

    @property
    def context(self) -> MigrationContext:
        """The context of the database."""
        return self.contexts[self.database]

    @property
    def reason(self) -> str:
        """What was raised, in a sentence, without the password of any database."""
        text = describe(self.error)

        for context in self.contexts.values():
            if context.connection is not None and not context.as_sql:
                text = redact(text, context.connection.engine)

        return text

    @property
    def revision(self) -> str:
        """The id of the revision; for a stamp, where it leads."""
        return step_name(self.step)

    @property
    def path(self) -> str | None:
        """The file of the revision. A stamp has none."""
        script = step_script(self.step)
        return None if script is None else script.path


def migration_failed(failure: Failure) -> MigrationFailed:
    """Make the error for a revision that raised.

    :param failure: What is known.
    :return: The error to raise.
    """
    if failure.context.as_sql:
        return _not_written(failure)

    return _error(
        MigrationFailed,
        f"Revision {failure.revision} failed on the database '{failure.database}':"
        f" {failure.reason}",
        _hint(failure),
        failure,
    )


def _not_written(failure: Failure) -> MigrationFailed:
    """The error for a revision that can't be written: nothing was run anywhere."""
    reason = failure.reason
    hint = f"No script was written. Mend {_what_to_mend(failure)} and run it again."

    if cure := how_to_write(failure.error):
        reason = f"{_place(failure)} needs a connection, and a script has none."
        hint = f"{cure}, or run this revision without --sql."

    return MigrationFailed(
        f"Revision {failure.revision} can't be written as SQL for the database"
        f" '{failure.database}': {reason}",
        database=failure.database,
        revision=failure.revision,
        path=failure.path,
        hint=hint,
    )


def commit_failed(failure: Failure) -> MigrationFailed:
    """Make the error for a revision that ran and could not be committed everywhere.

    :param failure: What is known.
    :return: The error to raise.
    """
    if not failure.have_it:
        return migration_failed(failure)

    have = ", ".join(f"'{name}'" for name in failure.have_it)
    return _error(
        PartialCommitError,
        f"Revision {failure.revision} was committed on {have}, but the commit on"
        f" '{failure.database}' failed: {failure.reason}",
        "Mend the cause and run the same command again: it completes the others.",
        failure,
    )


def describe(error: BaseException) -> str:
    """An exception in one sentence, without row data.

    :param error: Any exception.
    :return: What the driver said, or the type and the text.
    """
    if isinstance(error, MigrationFailed):
        kind, text = type(error).__name__, str(error)
    elif isinstance(error, DBAPIError) and error.orig is not None:
        kind, text = type(driver_error(error)).__name__, _without_rows(error)
    else:
        kind, text = type(error).__name__, "" if error.args == (None,) else str(error)

    return f"{kind}: {text}" if text else kind


def _without_rows(error: DBAPIError) -> str:
    # The first line is the sentence. PostgreSQL's others quote rows.
    text = next(iter(str(driver_error(error)).strip().splitlines()), "")
    text = _ROW_DATA.sub(f"'{_HIDDEN}'", text)

    for value in _texts(error.params):
        text = text.replace(value, _HIDDEN)

    return text


def _texts(parameters: object) -> t.Iterator[str]:
    if isinstance(parameters, str):
        if len(parameters) >= _SHORTEST:
            yield parameters
    elif isinstance(parameters, t.Mapping):
        yield from _texts(list(parameters.values()))
    elif isinstance(parameters, (list, tuple)):
        for item in parameters:
            yield from _texts(item)


def _error(
    kind: type[MigrationFailed], message: str, hint: str, failure: Failure
) -> MigrationFailed:
    cause = failure.error

    if not isinstance(cause, DBAPIError):
        return kind(message, hint=hint, **_data(failure))

    # SQLAlchemy's error too, for those who wait for a lock by catching that.
    both = type(kind.__name__, (kind, _sqlalchemy_class(cause)), {})
    both.__module__ = kind.__module__
    error = t.cast(MigrationFailed, both(message, hint=hint, **_data(failure)))
    vars(error).update({**vars(cause), **vars(error)})
    return error


def _sqlalchemy_class(error: DBAPIError) -> type:
    """SQLAlchemy's own, also where the error is such a one of a revision within."""
    module = DBAPIError.__module__
    return next(found for found in type(error).__mro__ if found.__module__ == module)


def _data(failure: Failure) -> dict[str, t.Any]:
    return {
        "database": failure.database,
        "revision": failure.revision,
        "path": failure.path,
        "applied": failure.applied,
        "standing": failure.standing,
        "kept": failure.kept,
    }


def _hint(failure: Failure) -> str:
    place = _what_to_mend(failure)
    database = failure.database

    if failure.kept:
        why = f"{_product(failure.context)} can't roll back DDL."

        if failure.context.impl.transactional_ddl:
            why = "What ran in autocommit_block(), and before it, can't be rolled back."

        if failure.is_noted:
            what = place if place == _CAUSE else f"{place} from there on"
            return (
                f"{why} Mend {what}, and run the same command again: it goes on at the"
                " statement that failed."
            )

        return (
            f"{why} Undo by hand what was kept, mend {place} and run the same command"
            " again."
        )

    if not failure.standing.get(database) and "already exists" in str(failure.error):
        return (
            f"The database '{database}' has tables but no revision. If another process"
            " is migrating it, run the command again. If they were made without"
            " migrations, run 'flask db stamp' with the revision they match."
        )

    if failure.have_it:
        have = ", ".join(f"'{name}'" for name in failure.have_it)
        verb = "has" if len(failure.have_it) == 1 else "have"
        return (
            f"Nothing of this revision was kept on '{database}', but {have} {verb} it."
            f" Mend {place} and run the same command again: it completes the others."
        )

    again = "run the same command again" if place == _CAUSE else "run it again"
    return f"Nothing of this revision was kept. Mend {place} and {again}."


_CAUSE: t.Final = "the cause"


def _what_to_mend(failure: Failure) -> str:
    """The file, if the exception came out of it."""
    return (
        _CAUSE if line_in(failure.error, str(failure.path)) is None else _file(failure)
    )


def _place(failure: Failure) -> str:
    line = line_in(failure.error, str(failure.path))
    return "it" if line is None else f"{_file(failure)}, line {line},"


def _file(failure: Failure) -> str:
    script, path = failure.context.script, str(failure.path)
    return display(path, script.dir) if script else path


def _product(context: MigrationContext) -> str:
    if getattr(context.dialect, "is_mariadb", False):
        return "MariaDB"

    return "MySQL" if context.dialect.name == "mysql" else context.dialect.name
