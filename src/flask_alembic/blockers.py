"""Who was in the way of a statement that gave up waiting: asks PostgreSQL, MySQL and
MariaDB, after the rollback.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from .lock_needs import blocks_reads
from .lock_reports import Blocker
from .statements import names_in

Show = t.Callable[[str], str]

_LENGTH: t.Final = 80

# The tables of what a statement names, and those that a foreign key ties to them.
# https://www.postgresql.org/docs/current/view-pg-locks.html
_POSTGRESQL: t.Final = """
WITH named AS (
    SELECT oid FROM pg_catalog.pg_class WHERE relname IN :names
), tables AS (
    SELECT oid FROM named
    UNION SELECT indrelid FROM pg_catalog.pg_index
        WHERE indexrelid IN (SELECT oid FROM named)
    UNION SELECT confrelid FROM pg_catalog.pg_constraint
        WHERE contype = 'f' AND conrelid IN (SELECT oid FROM named)
    UNION SELECT conrelid FROM pg_catalog.pg_constraint
        WHERE contype = 'f' AND confrelid IN (SELECT oid FROM named)
), holders AS (
    SELECT DISTINCT pid FROM pg_catalog.pg_locks
    WHERE locktype = 'relation' AND granted AND pid <> pg_backend_pid()
        AND database = (
            SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database()
        )
        AND relation IN (SELECT oid FROM tables)
        AND (mode <> 'AccessShareLock' OR :blocks_reads)
)
SELECT pid, usename, application_name, state,
    extract(epoch FROM clock_timestamp() - coalesce(xact_start, query_start)), query
FROM holders JOIN pg_catalog.pg_stat_activity USING (pid)
ORDER BY coalesce(xact_start, query_start), pid
"""

# Who holds metadata locks, where that is watched.
# https://dev.mysql.com/doc/refman/8.4/en/performance-schema-metadata-locks-table.html
_IS_WATCHED: t.Final = """
SELECT COUNT(*) FROM performance_schema.setup_instruments
WHERE NAME = 'wait/lock/metadata/sql/mdl' AND ENABLED = 'YES'
AND @@performance_schema = 1
"""
_METADATA_LOCKS: t.Final = """
SELECT DISTINCT t.PROCESSLIST_ID, t.PROCESSLIST_USER, NULL, t.PROCESSLIST_COMMAND,
    t.PROCESSLIST_TIME, t.PROCESSLIST_INFO
FROM performance_schema.metadata_locks AS m
JOIN performance_schema.threads AS t ON t.THREAD_ID = m.OWNER_THREAD_ID
WHERE m.OBJECT_TYPE = 'TABLE' AND m.OBJECT_SCHEMA = DATABASE()
    AND m.OBJECT_NAME IN :names AND m.LOCK_STATUS = 'GRANTED'
    AND t.PROCESSLIST_ID <> CONNECTION_ID()
ORDER BY t.PROCESSLIST_TIME DESC, t.PROCESSLIST_ID
"""
_TRANSACTIONS: t.Final = """
SELECT p.ID, p.USER, NULL, p.COMMAND,
    TIMESTAMPDIFF(MICROSECOND, x.trx_started, SYSDATE()) / 1000000, p.INFO
FROM information_schema.INNODB_TRX AS x
JOIN information_schema.PROCESSLIST AS p ON p.ID = x.trx_mysql_thread_id
WHERE p.ID <> CONNECTION_ID()
ORDER BY x.trx_started, p.ID
"""


@dataclass(frozen=True)
class Found:
    """Who may have been in the way."""

    blockers: tuple[Blocker, ...] = ()
    is_certain: bool = True
    """Whether they hold a lock that was waited for; otherwise it is known only that
    they are in a transaction."""
    is_known: bool = True
    """Whether this user was told."""
    is_told: bool = True
    """Whether the database tells anybody."""


def find_blockers(
    connection: sa.Connection, statement: str, show: Show | None
) -> Found:
    """Find out who was in the way of a statement.

    :param connection: The connection that it ran on, not in a transaction.
    :param statement: What gave up.
    :param show: Takes secrets out of a query; ``None`` if queries are not shown.
    :return: Those who are still there.
    """
    if connection.dialect.name == "sqlite":
        return Found(is_told=False)

    if connection.closed or connection.invalidated:
        return Found(is_known=False)

    ask = _postgresql if connection.dialect.name == "postgresql" else _mysql

    try:
        return ask(connection, statement, show)
    except SQLAlchemyError:
        # Such as a user who may not look at others.
        return Found(is_known=False)
    finally:
        connection.rollback()


def _postgresql(connection: sa.Connection, statement: str, show: Show | None) -> Found:
    values = {
        "names": sorted(names_in(statement, "postgresql")),
        "blocks_reads": blocks_reads(statement),
    }
    rows = connection.execute(_with_names(_POSTGRESQL), values)
    return Found(_blockers(rows, show))


def _mysql(connection: sa.Connection, statement: str, show: Show | None) -> Found:
    if not _is_watched(connection):
        rows = connection.execute(sa.text(_TRANSACTIONS))
        return Found(_blockers(rows, show), is_certain=False)

    names = sorted(names_in(statement, connection.dialect.name))
    rows = connection.execute(_with_names(_METADATA_LOCKS), {"names": names})
    return Found(_blockers(rows, show))


def _with_names(question: str) -> sa.TextClause:
    return sa.text(question).bindparams(sa.bindparam("names", expanding=True))


def _is_watched(connection: sa.Connection) -> bool:
    try:
        return bool(connection.scalar(sa.text(_IS_WATCHED)))
    except SQLAlchemyError:
        # There is no such schema, or this user may not read it.
        return False


def _blockers(rows: t.Iterable[t.Any], show: Show | None) -> tuple[Blocker, ...]:
    return tuple(
        Blocker(
            session=int(session),
            user=user or None,
            application=application or None,
            state=state or None,
            seconds=None if seconds is None else float(seconds),
            query=None if show is None else _beginning(show(query or "")),
        )
        for session, user, application, state, seconds, query in rows
    )


def _beginning(query: str) -> str | None:
    return " ".join(query.split())[:_LENGTH] or None
