"""Say what a failed revision left behind: which database stands where."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from sqlalchemy.exc import DBAPIError

from .descriptions import describe
from .errors import FlaskAlembicError
from .load_step import LoadStep
from .offline_connection import how_to_write
from .redaction import redact
from .revision_files import line_in
from .revisions.paths import display
from .run_errors import MigrationFailed
from .run_errors import PartialCommitError
from .steps import step_name
from .steps import step_script

if t.TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext
    from alembic.runtime.migration import MigrationStep

    from .reports import AppliedStep


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
    kept_of: str | None = None
    is_whole_run: bool = False
    is_noted: bool = False
    """Whether the next run skips what was kept."""

    @property
    def context(self) -> MigrationContext:
        """The context of the database."""
        return self.contexts[self.database]

    @property
    def reason(self) -> str:
        """What was raised, in a sentence, without the password of any database."""
        return self.without_secrets(describe(self.error))

    def without_secrets(self, text: str) -> str:
        """A text without the password of any database.

        :param text: Such as a driver's message.
        :return: The text, with ``***`` in its place.
        """
        for context in self.contexts.values():
            if context.connection is not None and not context.as_sql:
                text = redact(text, context.connection.engine)

        return text

    @property
    def why_kept(self) -> str:
        """Why statements of the revision were kept, in a sentence."""
        if self.context.impl.transactional_ddl:
            return (
                "What ran in autocommit_block(), and before it, can't be rolled back."
            )

        return f"{product(self.context)} can't roll back DDL."

    @property
    def what_is_undone(self) -> str:
        """What was rolled back."""
        return "run" if self.is_whole_run and not self.applied else "revision"

    @property
    def revision(self) -> str:
        """The id of the revision; for a stamp, where it leads."""
        return step_name(self.step)

    @property
    def subject(self) -> str:
        """Begins a sentence about what failed."""
        what = "The snapshot of" if isinstance(self.step, LoadStep) else "Revision"
        return f"{what} {self.revision}"

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

    return make_error(
        MigrationFailed,
        f"{failure.subject} failed on the database '{failure.database}':"
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
    return make_error(
        PartialCommitError,
        f"Revision {failure.revision} was committed on {have}, but the commit on"
        f" '{failure.database}' failed: {failure.reason}",
        "Mend the cause and run the same command again: it completes the others.",
        failure,
    )


def make_error(
    kind: type[MigrationFailed],
    message: str,
    hint: str,
    failure: Failure,
    **more: t.Any,
) -> MigrationFailed:
    """Make an error that is SQLAlchemy's too, if the cause is.

    :param kind: The class.
    :param message: The cause.
    :param hint: The cure.
    :param failure: What is known.
    :param more: What the class takes besides.
    :return: The error to raise.
    """
    cause, data = failure.error, {**_data(failure), **more}

    if not isinstance(cause, DBAPIError):
        return kind(message, hint=hint, **data)

    # SQLAlchemy's error too, for those who wait for a lock by catching that.
    both = type(kind.__name__, (kind, _sqlalchemy_class(cause)), {})
    both.__module__ = kind.__module__
    error = t.cast(MigrationFailed, both(message, hint=hint, **data))
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
        "kept_of": failure.kept_of,
    }


def _cure(error: BaseException) -> str | None:
    """What our own errors tell, but for one of a revision that another one ran."""
    if isinstance(error, FlaskAlembicError) and not isinstance(error, MigrationFailed):
        return error.hint

    return None


def _hint(failure: Failure) -> str:
    if isinstance(failure.step, LoadStep):
        return failure.step.cure(is_noted=failure.is_noted)

    place = _what_to_mend(failure)
    database = failure.database

    if failure.kept:
        if failure.is_noted:
            what = place if place == _CAUSE else f"{place} from there on"
            return (
                f"{failure.why_kept} Mend {what}, and run the same command again: it"
                " goes on at the statement that failed."
            )

        return (
            f"{failure.why_kept} Undo by hand what was kept, mend {place} and run the"
            " same command again."
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

    if cure := _cure(failure.error):
        return f"Nothing of this revision was kept. {cure}"

    again = "run the same command again" if place == _CAUSE else "run it again"
    what = failure.what_is_undone
    return f"Nothing of this {what} was kept. Mend {place} and {again}."


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


def product(context: MigrationContext) -> str:
    """What a database calls itself.

    :param context: Its context.
    :return: The name.
    """
    if getattr(context.dialect, "is_mariadb", False):
        return "MariaDB"

    return "MySQL" if context.dialect.name == "mysql" else context.dialect.name
