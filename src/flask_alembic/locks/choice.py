"""Which lock a database has."""

from __future__ import annotations

import logging
import typing as t

from .kinds import Lock
from .mysql import MySQLLock
from .postgresql import postgresql_lock
from .sqlite import sqlite_lock
from .users import OwnLock

if t.TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext

    from ..run_settings import UsersLock

_KINDS: t.Final[dict[str, t.Callable[[MigrationContext, str], Lock | None]]] = {
    "mariadb": MySQLLock,
    "mysql": MySQLLock,
    "postgresql": postgresql_lock,
    "sqlite": sqlite_lock,
}

_log = logging.getLogger("flask_alembic")
_warned: set[str] = set()


def find_lock(
    context: MigrationContext, database: str, lock: bool | UsersLock
) -> Lock | None:
    """The lock that keeps other runs off a database. To find out its name, the database
    may be asked.

    :param context: The context of the database.
    :param database: Its name.
    :param lock: The user's setting.
    :return: The lock, or ``None`` if it has none.
    """
    if lock is False or context.as_sql or context.connection is None:
        return None

    if lock is not True:
        return OwnLock(context, database, lock)

    make = _KINDS.get(context.dialect.name)

    if make is None:
        _warn(context.dialect.name)
        return None

    return make(context, database)


def _warn(dialect: str) -> None:
    if dialect not in _warned:
        _warned.add(dialect)
        _log.warning(
            "There is no lock for databases of the kind '%s', so nothing keeps two"
            " runs apart. Set ALEMBIC['lock'] to a function that does, or to False.",
            dialect,
        )
