"""The error tree. What went wrong, the cure, and the exit code travel together.

::

    FlaskAlembicError (alembic.util.CommandError)
    ├── ConfigurationError (RuntimeError)   a config key or a constructor argument
    │   └── AppContextError                 no app context, or an app without Alembic
    ├── RevisionFileError                   a file that can't be loaded as a revision
    ├── HistoryError                        ids that don't add up to one history
    ├── TemplateError                       script.py.mako, or what it rendered
    ├── TargetError                         a revision argument
    │   ├── UnknownRevisionError            nothing, or more than one, is called so
    │   └── MultipleHeadsError              one head is needed, there are several
    ├── OutOfDateError                      the database is behind the files
    ├── EmptyMetadataError                  no models, yet tables would be dropped
    ├── SchemaMismatchError                 the schema is not that of the revision
    ├── ConnectionFailed                    the database can't be reached
    └── those of a run, in run_errors.py
"""

from __future__ import annotations

import re
import typing as t

from alembic.util import CommandError
from sqlalchemy.exc import OperationalError

if t.TYPE_CHECKING:
    from .adopt_reports import Verification

# The password ends at the last "@", as one in it may not be quoted.
_PASSWORD: t.Final = re.compile(r"(\b[\w+.-]+://[^\s:/@]*:)\S+@")


def without_passwords(text: str) -> str:
    """Hide the passwords of the URLs in a text, whose ever they are.

    :param text: Such as a message, which may quote what a user took for a name.
    :return: The text, with ``***`` in their place.
    """
    return _PASSWORD.sub(r"\1***@", text)


class FlaskAlembicError(CommandError):
    """Base of all errors that this extension raises.

    :param message: The cause, in one sentence.
    :param hint: The cure, as a command where there is one.

    .. versionadded:: 4.0
    """

    exit_code: t.ClassVar[int] = 1
    """What ``flask db`` exits with."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        message = without_passwords(message)
        # Not super(): an error may be one of SQLAlchemy's too, which takes more.
        Exception.__init__(self, message)
        self.message: str = message
        self.hint: str | None = hint

    def __str__(self) -> str:
        return self.message


class ConfigurationError(FlaskAlembicError, RuntimeError):
    """A config key or an argument of the extension can't be used.

    :param message: The cause.
    :param hint: The cure.
    :param key: The config key, as the user wrote it.
    :param value: What the key was set to.

    .. versionadded:: 4.0
    """

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        key: str | None = None,
        value: object = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.key: str | None = key
        self.value: object = value


class AppContextError(ConfigurationError):
    """There is no app context, or its app has no Alembic extension.

    .. versionadded:: 4.0
    """


class RevisionFileError(FlaskAlembicError):
    """A file in a version location can't be loaded as a revision.

    :param message: The cause, which begins with the file.
    :param path: The file.
    :param line: The line in it, where one is known.
    :param hint: The cure.

    .. versionadded:: 4.0
    """

    def __init__(
        self,
        message: str,
        *,
        path: str,
        line: int | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.path: str = path
        self.line: int | None = line


class HistoryError(FlaskAlembicError):
    """The revisions don't form one history: an id twice, a cycle, a missing parent.

    .. versionadded:: 4.0
    """


class TemplateError(FlaskAlembicError):
    """``script.py.mako`` can't be rendered, or does not give a revision.

    .. versionadded:: 4.0
    """


class TargetError(FlaskAlembicError):
    """A revision argument can't be used for what it was given to.

    :param message: The cause.
    :param target: The argument, as the user wrote it.
    :param hint: The cure.

    .. versionadded:: 4.0
    """

    def __init__(self, message: str, *, target: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.target: str = target


class UnknownRevisionError(TargetError):
    """No revision, or more than one, is called so.

    :param message: The cause.
    :param target: The argument, as the user wrote it.
    :param candidates: Ids that it may have meant.
    :param hint: The cure.

    .. versionadded:: 4.0
    """

    def __init__(
        self,
        message: str,
        *,
        target: str,
        candidates: t.Sequence[str] = (),
        hint: str | None = None,
    ) -> None:
        super().__init__(message, target=target, hint=hint)
        self.candidates: tuple[str, ...] = tuple(candidates)


class MultipleHeadsError(TargetError):
    """One head is needed and there are several.

    :param message: The cause.
    :param target: The argument, as the user wrote it.
    :param heads: The ids of the heads.
    :param hint: The cure.

    .. versionadded:: 4.0
    """

    def __init__(
        self,
        message: str,
        *,
        target: str,
        heads: t.Sequence[str],
        hint: str | None = None,
    ) -> None:
        super().__init__(message, target=target, hint=hint)
        self.heads: tuple[str, ...] = tuple(heads)


class OutOfDateError(FlaskAlembicError):
    """A database is behind the revision files, so models can't be compared to it.

    :param message: The cause.
    :param database: The name of the database.
    :param hint: The cure.

    .. versionadded:: 4.0
    """

    def __init__(self, message: str, *, database: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.database: str = database


class EmptyMetadataError(FlaskAlembicError):
    """The metadata has no tables, and the revision would drop those that exist.

    :param message: The cause.
    :param database: The name of the database.
    :param tables: The tables that would have been dropped.
    :param hint: The cure.

    .. versionadded:: 4.0
    """

    def __init__(
        self,
        message: str,
        *,
        database: str,
        tables: t.Sequence[str],
        hint: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.database: str = database
        self.tables: tuple[str, ...] = tuple(tables)


class SchemaMismatchError(FlaskAlembicError):
    """The schema of a database is not that of the revision to stamp.

    :param message: The cause.
    :param verifications: What was found on each database.
    :param hint: The cure.

    .. versionadded:: 4.0
    """

    def __init__(
        self,
        message: str,
        *,
        verifications: t.Sequence[Verification],
        hint: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.verifications: tuple[Verification, ...] = tuple(verifications)


class ConnectionFailed(FlaskAlembicError, OperationalError):
    """A database can't be connected to.

    It is SQLAlchemy's ``OperationalError`` too, so that a retry loop that waits
    for a database catches it.

    :param message: The cause, without a password.
    :param database: The name of the database.
    :param orig: What the driver raised.
    :param reason: What it said, without a password.
    :param hint: The cure.

    .. versionadded:: 4.0
    """

    def __init__(
        self,
        message: str,
        *,
        database: str,
        orig: BaseException,
        reason: str = "",
        hint: str | None = None,
    ) -> None:
        OperationalError.__init__(self, None, None, orig)
        self.args: tuple[t.Any, ...] = (message,)
        self.message = message
        self.hint = hint
        self.database: str = database
        self.reason: str = reason

    def __str__(self) -> str:
        return self.message
