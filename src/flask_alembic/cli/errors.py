"""Errors on the terminal: the cause in a line, the cure in a line, an exit code."""

from __future__ import annotations

import errno
import os
import sysconfig
import traceback
import typing as t
from pathlib import Path

import click
from alembic.util import CommandError
from flask import current_app
from sqlalchemy.exc import ArgumentError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import NoSuchModuleError
from sqlalchemy.exc import SQLAlchemyError

from ..descriptions import describe
from ..errors import FlaskAlembicError
from ..errors import without_passwords
from ..redaction import redact
from ..render import locks
from ..render import text
from ..run_errors import Interruption
from ..run_errors import interruption_of
from ..run_errors import MigrationFailed
from ..run_errors import TableLocked
from .signals import EXIT_CODE
from .signals import Terminated

if t.TYPE_CHECKING:
    from ..extension import Alembic

_SQL_LENGTH: t.Final = 500
_STANDARD_LIBRARY: t.Final = sysconfig.get_path("stdlib")
_PACKAGE: t.Final = str(Path(__file__).parent.parent)


class ToldError(click.ClickException):
    """What ends a command: Click prints it and exits.

    :param message: The cause.
    :param hint: The cure.
    :param exit_code: What the process exits with.
    """

    def __init__(self, message: str, hint: str | None, exit_code: int) -> None:
        super().__init__(message)
        self.hint = hint
        self.exit_code = exit_code  # type: ignore[misc]

    def show(self, file: t.IO[t.Any] | None = None) -> None:
        """Print it.

        :param file: Where to; stderr by default.
        """
        # Click asks its context for this, which is gone by now.
        color = False if os.environ.get("NO_COLOR") else None
        error = click.style("Error:", fg="red", bold=True)
        click.echo(f"{error} {self.message}", file=file, err=True, color=color)

        if self.hint:
            hint = click.style("Hint:", fg="cyan")
            click.echo(f"{hint} {self.hint}", file=file, err=True, color=color)


def end(error: BaseException, alembic: Alembic, *, full: bool) -> Exception | None:
    """Print what belongs to an error, and make the one that ends the command.

    :param error: What the command raised.
    :param alembic: The extension, for the passwords that must not be shown.
    :param full: Whether to print the whole traceback too.
    :return: What is to be raised instead; ``None`` for a bug, which is raised itself.
    """
    if isinstance(error, KeyboardInterrupt):
        return _interrupted(error, alembic)

    if not isinstance(error, (CommandError, SQLAlchemyError, OSError)):
        return None

    if full or _wants_traceback():
        click.echo(_without_secrets(traceback.format_exc(), alembic), err=True)
    elif isinstance(error, MigrationFailed):
        click.echo(_without_secrets(_own_frames(error), alembic), err=True, nl=False)

    if isinstance(error, MigrationFailed):
        _tell_applied(error, alembic)

    message, hint, exit_code = _explain(error)
    hint = hint and _without_secrets(hint, alembic)
    return ToldError(_without_secrets(message, alembic), hint, exit_code)


def _interrupted(error: KeyboardInterrupt, alembic: Alembic) -> Exception:
    """Say where things stand, and how the command ends."""
    message, hint, known = "", None, interruption_of(error)

    if known is not None:
        _tell_applied(known, alembic)
        message, hint = known.message, known.hint

    if isinstance(error, Terminated):
        return ToldError(f"Terminated. {message}".rstrip(), hint, EXIT_CODE)

    for line in filter(None, (message, hint)):
        click.echo(line, err=True)

    return click.Abort()


def _wants_traceback() -> bool:
    return current_app.debug or bool(os.environ.get("FLASK_ALEMBIC_TRACEBACK"))


def _explain(error: Exception) -> tuple[str, str | None, int]:
    if isinstance(error, FlaskAlembicError):
        return _with_sql(error), error.hint, error.exit_code

    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror or error}", _os_hint(error), 1

    if isinstance(error, DBAPIError):
        return (
            f"The database refused: {describe(error)}{_sql(error)}",
            "Has the user the right to do this, and is the database reachable?",
            1,
        )

    if isinstance(error, ArgumentError):
        return _url_problem(error), "Mend the database's URL in the app's config.", 1

    return f"{error}", None, 1


def _url_problem(error: ArgumentError) -> str:
    # Older SQLAlchemy quotes a URL that it can't read, with the password.
    is_quoted = "URL" in str(error) and not isinstance(error, NoSuchModuleError)
    return "The database's URL can't be read." if is_quoted else f"{error}"


def _os_hint(error: OSError) -> str | None:
    if isinstance(error, (FileExistsError, NotADirectoryError)):
        return (
            "It is in the way of the migrations folder. Move it, or set"
            " ALEMBIC['script_location']."
        )

    if isinstance(error, PermissionError) or error.errno == errno.EROFS:
        return "The folder can't be written to. Run this where the app is developed."

    return None


def _with_sql(error: FlaskAlembicError) -> str:
    cause = error.__cause__
    sql = _sql(cause) if isinstance(error, MigrationFailed) else ""
    blockers = error.blockers if isinstance(error, TableLocked) else ()
    return "\n".join([f"{error}", *locks.blocker_lines(blockers)]) + sql


def _sql(error: BaseException | None) -> str:
    """The statement, without its parameters: they are the users' data."""
    statement = getattr(error, "statement", None)

    if not isinstance(statement, str):
        return ""

    return f"\nSQL: {text.shorten(statement, _SQL_LENGTH)}"


def _own_frames(error: MigrationFailed) -> str:
    """The traceback from the revision's file on, without the frames of libraries."""
    cause = error.__cause__

    if cause is None or error.path is None:
        return ""

    frames = traceback.extract_tb(cause.__traceback__)
    path = Path(error.path)
    start = next((i for i, f in enumerate(frames) if Path(f.filename) == path), None)

    if start is None:
        return ""

    own = [frame for frame in frames[start:] if not _is_of_library(frame.filename)]
    return "Traceback (most recent call last):\n" + "".join(traceback.format_list(own))


def _is_of_library(filename: str) -> bool:
    """Whether a frame is of code that the user did not write. An installed app lies
    among the libraries. Alembic makes functions of strings, in the file "<string>".
    """
    # A virtual environment may lie in the app's folder.
    path = filename.removeprefix(current_app.root_path)

    if path != filename:
        return "site-packages" in path

    return "site-packages" in filename or filename.startswith(
        ("<", _PACKAGE, _STANDARD_LIBRARY)
    )


def _tell_applied(error: MigrationFailed | Interruption, alembic: Alembic) -> None:
    several = len(error.standing) > 1

    for line in text.step_lines(error.applied, several=several):
        click.echo(line)

    for database, ids in error.standing.items():
        click.echo(f"{database} is at {text.joined(ids)}.", err=True)

    name = error.database
    unanswered = getattr(error, "unanswered", None)
    _tell_statements(f"Kept on {name} of {error.kept_of}:", error.kept, alembic)
    _tell_statements(
        f"Not answered by {name}, and may be kept too:",
        [unanswered] if unanswered else [],
        alembic,
    )


def _tell_statements(title: str, statements: t.Sequence[str], alembic: Alembic) -> None:
    if statements:
        click.echo(title, err=True)

    for statement in statements:
        line = text.shorten(_without_secrets(statement, alembic), _SQL_LENGTH)
        click.echo(f"  {line}", err=True)


def _without_secrets(message: str, alembic: Alembic) -> str:
    try:
        databases = alembic.databases.values()
    except Exception:
        # The config is what is wrong; no engine was made of it.
        return without_passwords(message)

    for database in databases:
        message = redact(message, database.engine)

    return message
