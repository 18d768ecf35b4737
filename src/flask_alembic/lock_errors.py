"""Whether a statement gave up because of others."""

from __future__ import annotations

import typing as t

from sqlalchemy.exc import DBAPIError

from .async_driver import driver_error
from .run_errors import MigrationFailed
from .sqlite import is_busy

# lock_not_available, deadlock_detected:
# https://www.postgresql.org/docs/current/errcodes-appendix.html
_SQLSTATES: t.Final = frozenset({"55P03", "40P01"})
# ER_LOCK_WAIT_TIMEOUT, ER_LOCK_DEADLOCK: https://mariadb.com/kb/en/mariadb-error-codes/
_NUMBERS: t.Final = frozenset({1205, 1213})

_MYSQL: t.Final = ("mariadb", "mysql")


def is_lock_error(error: BaseException, dialect: str) -> bool:
    """Whether a statement gave up because of others, so that it is worth a new try.

    :param error: What was raised.
    :param dialect: The name of the dialect.
    :return: ``True`` for a lock timeout and a deadlock; on SQLite where others write.
    """
    # That of a revision within a revision has been tried often enough.
    if not isinstance(error, DBAPIError) or isinstance(error, MigrationFailed):
        return False

    orig = driver_error(error)

    if dialect in _MYSQL:
        return next(iter(getattr(orig, "args", ())), None) in _NUMBERS

    if dialect == "sqlite":
        return is_busy(error)

    return dialect == "postgresql" and _sqlstate(orig) in _SQLSTATES


def _sqlstate(orig: object) -> object:
    # psycopg and asyncpg, psycopg2, pg8000.
    state = getattr(orig, "sqlstate", None) or getattr(orig, "pgcode", None)
    details = next(iter(getattr(orig, "args", ())), None)
    return state or (details.get("C") if isinstance(details, dict) else None)
