"""The errors of a run: what keeps it from beginning, and what ends it.

::

    FlaskAlembicError
    ├── RunLocked                           another run did not end in time: exit code 3
    ├── LockLost                            the lock of this run was taken away
    ├── ProtectedDatabaseError              it has to be confirmed
    ├── ChangedRevisionError                a file was edited after it was applied
    ├── HalfDoneError                       statements of a revision are kept, and ...
    │   ├── ChangedStatementError           ... its file has others now
    │   └── UndecidedError                  ... nobody knows whether the last one is
    └── MigrationFailed                     a revision raised while it ran
        ├── PartialCommitError              some databases committed, one did not
        ├── TableLocked                     others kept a table for long: exit code 3
        └── ConnectionLost                  the database went away meanwhile
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from dataclasses import field

from .errors import FlaskAlembicError
from .reports import MigrationReport

if t.TYPE_CHECKING:
    from .history_reports import ChangedRevision
    from .lock_reports import Blocker
    from .lock_reports import LockHolder
    from .reports import AppliedStep


class RunLocked(FlaskAlembicError):
    """Another run is at work on a database, and did not end in time.

    :param message: The cause, which says who it is.
    :param database: The name of the database.
    :param holder: Who holds the lock, where the database tells.
    :param hint: The cure.

    .. versionadded:: 4.0
    """

    exit_code: t.ClassVar[int] = 3

    def __init__(
        self,
        message: str,
        *,
        database: str | None,
        holder: LockHolder | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.database: str | None = database
        self.holder: LockHolder | None = holder


class LockLost(FlaskAlembicError):
    """The lock that keeps other runs off a database was taken away from this one.

    :param message: The cause.
    :param database: The name of the database.
    :param hint: The cure.

    .. versionadded:: 4.0
    """

    def __init__(self, message: str, *, database: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.database: str = database


class ProtectedDatabaseError(FlaskAlembicError):
    """A downgrade or a purge of a protected database has to be confirmed. Nothing was
    done.

    :param message: The cause.
    :param undone: For each database the ids that would be undone, or taken out of its
        version table, in this order.
    :param hint: The cure.

    .. versionadded:: 4.0
    """

    def __init__(
        self,
        message: str,
        *,
        undone: t.Mapping[str, tuple[str, ...]],
        hint: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.databases: tuple[str, ...] = tuple(undone)
        self.undone: dict[str, tuple[str, ...]] = dict(undone)


class ChangedRevisionError(FlaskAlembicError):
    """The files of revisions that are applied are not what they were. It is raised
    before anything runs, and only if ``ALEMBIC["changed_revisions"]`` is ``"error"``.

    :param message: The cause.
    :param changes: What changed.
    :param hint: The cure.

    .. versionadded:: 4.0
    """

    def __init__(
        self,
        message: str,
        *,
        changes: t.Sequence[ChangedRevision],
        hint: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.changes: tuple[ChangedRevision, ...] = tuple(changes)


class HalfDoneError(FlaskAlembicError):
    """Some statements of a revision took effect and can't be rolled back, and it can't
    go on by itself.

    :param message: The cause.
    :param database: The name of the database.
    :param revision: The id of the revision.
    :param position: Which of its statements is meant; the first is 1.
    :param statement: What was run there.
    :param hint: The cure.

    .. versionadded:: 4.0
    """

    def __init__(
        self,
        message: str,
        *,
        database: str,
        revision: str,
        position: int,
        statement: str,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.database: str = database
        self.revision: str = revision
        self.position: int = position
        self.statement: str = statement


class ChangedStatementError(HalfDoneError):
    """The file of a half done revision was changed before the point that it reached.

    :param now: What the file has there now.

    .. versionadded:: 4.0
    """

    def __init__(self, message: str, *, now: str | None, **data: t.Any) -> None:
        super().__init__(message, **data)
        self.now: str | None = now


class UndecidedError(HalfDoneError):
    """A statement may or may not have taken effect, and the schema does not tell.

    .. versionadded:: 4.0
    """


class MigrationFailed(FlaskAlembicError):
    """A revision raised while it ran. The cause is ``__cause__``.

    If the database refused something, this is SQLAlchemy's error for it too, with its
    ``orig``: a retry loop that waits for a lock catches ``OperationalError``.

    :param message: Which revision failed, on which database, and why.
    :param database: The name of the database that it failed on.
    :param revision: The id of the revision.
    :param path: The revision's file.
    :param applied: The steps that were committed before it, oldest first.
    :param standing: For each database the ids that it stands at now.
    :param kept: The statements of this revision that took effect on the database and
        could not be rolled back, without their parameters.
    :param kept_of: The id of the revision that these are of. It is another one only
        where the whole run is one transaction.
    :param hint: The cure.

    .. versionadded:: 4.0
    """

    def __init__(
        self,
        message: str,
        *,
        database: str,
        revision: str,
        path: str | None,
        applied: t.Sequence[AppliedStep] = (),
        standing: t.Mapping[str, tuple[str, ...]] | None = None,
        kept: t.Sequence[str] = (),
        kept_of: str | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.database: str = database
        self.revision: str = revision
        self.path: str | None = path
        self.applied: tuple[AppliedStep, ...] = tuple(applied)
        self.standing: dict[str, tuple[str, ...]] = dict(standing or {})
        self.kept: tuple[str, ...] = tuple(kept)
        self.kept_of: str = kept_of or revision


class PartialCommitError(MigrationFailed):
    """A revision was committed on some databases, then a commit failed.

    .. versionadded:: 4.0
    """


class TableLocked(MigrationFailed):
    """A revision gave up, because others kept a table that it needs for too long.

    :param blockers: The sessions that were in the way, where the database tells.

    .. versionadded:: 4.0
    """

    exit_code: t.ClassVar[int] = 3

    def __init__(
        self, message: str, *, blockers: t.Sequence[Blocker] = (), **data: t.Any
    ) -> None:
        super().__init__(message, **data)
        self.blockers: tuple[Blocker, ...] = tuple(blockers)


class ConnectionLost(MigrationFailed):
    """The connection to a database was lost while a revision ran.

    .. versionadded:: 4.0
    """


INTERRUPTION: t.Final = "flask_alembic_interruption"
"""Where an exception that is no error has what is known of the run that it ended."""


@dataclass(frozen=True)
class Interruption:
    """What is known when the databases have been rolled back."""

    message: str
    hint: str
    applied: t.Sequence[AppliedStep] = ()
    standing: t.Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    database: str | None = None
    kept: t.Sequence[str] = ()
    kept_of: str | None = None
    unanswered: str | None = None
    """The statement that the server may still be at work on, if that will last."""


def interruption_of(error: BaseException) -> Interruption | None:
    """What is known of a run that an exception ended.

    :param error: Such as a ``KeyboardInterrupt``.
    :return: What is known, or ``None`` if no run was under way.
    """
    found: Interruption | None = vars(error).get(INTERRUPTION)
    return found


def report_of(error: BaseException) -> MigrationReport | None:
    """What was applied all the same by a run that an exception ended.

    :param error: Any exception.
    :return: The report, or ``None`` if nothing is known.
    """
    failed = error if isinstance(error, MigrationFailed) else interruption_of(error)
    return MigrationReport(tuple(failed.applied), failed.standing) if failed else None
