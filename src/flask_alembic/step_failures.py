"""The error for a revision that could not go on because of others: they kept a table,
or the connection is lost.
"""

from __future__ import annotations

import typing as t

from .blockers import find_blockers
from .blockers import Found
from .connections import is_gone
from .failures import commit_failed
from .failures import Failure
from .failures import make_error
from .failures import migration_failed
from .failures import product
from .run_errors import ConnectionLost
from .run_errors import MigrationFailed
from .run_errors import PartialCommitError
from .run_errors import TableLocked

if t.TYPE_CHECKING:
    import sqlalchemy as sa

    from .retries import Tries
    from .run_settings import RunSettings


def revision_failed(failure: Failure) -> MigrationFailed:
    """Make the error for a revision that raised.

    :param failure: What is known.
    :return: The error to raise.
    """
    if not _is_lost(failure):
        return migration_failed(failure)

    return make_error(
        ConnectionLost,
        f"The connection to the database '{failure.database}' was lost while revision"
        f" {failure.revision} ran: {failure.reason}",
        _hint_lost(failure),
        failure,
    )


def not_committed(failure: Failure) -> MigrationFailed:
    """Make the error for a revision that ran and could not be committed everywhere.

    :param failure: What is known.
    :return: The error to raise.
    """
    if not _is_lost(failure):
        return commit_failed(failure)

    message = (
        f"The connection to the database '{failure.database}' was lost while revision"
        f" {failure.revision} was committed, so that nobody knows whether it was:"
        f" {failure.reason}"
    )
    hint = "Run the same command again: it finds out, and goes on from there."
    kind: type[MigrationFailed] = ConnectionLost

    if failure.have_it:
        kind = PartialCommitError
        have = ", ".join(f"'{name}'" for name in failure.have_it)
        message = (
            f"Revision {failure.revision} was committed on {have}, but the commit on"
            f" '{failure.database}' failed: the connection was lost, so that nobody"
            f" knows whether it is committed there: {failure.reason}"
        )
        hint = "Run the same command again: it finds out, and completes the others."

    return make_error(kind, message, hint, failure)


def table_locked(
    failure: Failure, tries: Tries, settings: RunSettings
) -> MigrationFailed:
    """Make the error for a revision that has waited for a table for too long.

    :param failure: What is known. Its databases are rolled back.
    :param tries: How often it was tried, and for how long.
    :param settings: Whether queries may be shown.
    :return: The error to raise.
    """
    show = failure.without_secrets if settings.show_queries else None
    connection = t.cast(t.Any, failure.context.connection)
    statement = getattr(failure.error, "statement", None) or ""
    found = find_blockers(connection, statement, show)
    often = "once" if tries.count == 1 else f"{tries.count} times"
    return make_error(
        TableLocked,
        f"Revision {failure.revision} gave up on the database '{failure.database}':"
        f" {_what(failure)}. It was tried {often}, in"
        f" {tries.seconds:.1f} s. {_who(found, failure)}",
        _hint(
            failure,
            "end the session that is in the way, or wait for a quiet time, and run the"
            f" same command again. {_how_long(failure)}",
        ),
        failure,
        blockers=found.blockers,
    )


def _what(failure: Failure) -> str:
    if failure.context.dialect.name == "sqlite":
        return "others kept writing to it"

    return "others kept a table that it needs"


def _how_long(failure: Failure) -> str:
    if failure.context.dialect.name == "sqlite":
        return (
            "The 'timeout' of the driver and ALEMBIC['ddl_lock_retries'] say how long"
            " it waits"
        )

    return (
        "ALEMBIC['ddl_lock_timeout'] and ALEMBIC['ddl_lock_retries'] say how long it"
        " waits"
    )


def _who(found: Found, failure: Failure) -> str:
    count = len(found.blockers)

    if not found.is_told:
        return "Who it was, SQLite does not tell."

    if not found.is_known:
        return "Who it was, this user may not ask the database."

    if not found.is_certain:
        what = "no other transaction is" if not count else "these transactions are"
        return f"Who it was, {product(failure.context)} does not tell; {what} open now."

    if not count:
        return "Whoever it was has let go by now."

    return "This session is in the way." if count == 1 else "These are in the way."


def _hint_lost(failure: Failure) -> str:
    cure = "run the same command again"
    may_be_kept = bool(failure.kept) or not failure.context.impl.transactional_ddl

    if may_be_kept and failure.is_noted:
        return (
            f"{failure.why_kept} Run the same command again: it finds out what took"
            " effect, and goes on from there."
        )

    if failure.kept or not may_be_kept:
        return _hint(failure, cure)

    return (
        f"{failure.why_kept} See whether the last statement took effect, undo it if it"
        f" did, and {cure}."
    )


def _hint(failure: Failure, cure: str) -> str:
    if failure.kept and failure.is_noted:
        then = f"{cure[0].upper()}{cure[1:]}"
        return f"{failure.why_kept} What was kept is noted, and not run again. {then}."

    if failure.kept:
        return f"{failure.why_kept} Undo by hand what was kept; then {cure}."

    if failure.have_it:
        have = ", ".join(f"'{name}'" for name in failure.have_it)
        verb = "has" if len(failure.have_it) == 1 else "have"
        return (
            f"Nothing of this revision was kept on '{failure.database}', but {have}"
            f" {verb} it. To complete the others, {cure}."
        )

    return f"Nothing of this revision was kept. To go on, {cure}."


def _is_lost(failure: Failure) -> bool:
    """Whether our own connection is lost: a revision may use others too."""
    connection = failure.context.connection

    if connection is None or failure.context.as_sql:
        return False

    if connection.invalidated:
        return is_gone(failure.error)

    return _has_ended(connection)


def _has_ended(connection: sa.Connection) -> bool:
    """Whether a connection of asyncpg's has ended. SQLAlchemy 2.0 does not see that by
    all that asyncpg raises then.
    """
    is_closed = getattr(connection.connection.driver_connection, "is_closed", None)
    return is_closed is not None and bool(is_closed())
