"""What a revision that failed may leave in a database, and what takes it away: invalid
indexes of PostgreSQL, temporary tables of SQLite.
"""

from __future__ import annotations

import re
import typing as t
from functools import partial

import sqlalchemy as sa
from alembic.runtime.migration import MigrationContext

from .. import alembic_internals
from ..history import History
from ..history_reports import Finding
from .facade import Facade
from .findings import Found

# What Alembic's batch mode calls the table that it makes anew.
_TEMPORARY: t.Final = "_alembic_tmp_"

# What REINDEX CONCURRENTLY leaves, beside the index itself.
# https://www.postgresql.org/docs/current/sql-reindex.html
_OF_REINDEX: t.Final = re.compile(r"_cc(?:new|old)\d*$")

# An index that is being built is not valid yet. A partitioned one may lack a part,
# which is no fault.
_INVALID: t.Final = sa.text(
    """
    SELECT n.nspname, c.relname, t.relname, o.oid IS NOT NULL
    FROM pg_index AS i
    JOIN pg_class AS c ON c.oid = i.indexrelid
    JOIN pg_class AS t ON t.oid = i.indrelid
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    LEFT JOIN pg_constraint AS o ON o.conindid = i.indexrelid
    WHERE NOT i.indisvalid
    AND c.relkind = 'i'
    AND n.nspname <> 'pg_toast'
    AND NOT EXISTS (
        SELECT FROM pg_stat_progress_create_index AS p
        WHERE p.datname = current_database()
        -- Of another user's session only that it builds is known.
        AND coalesce(p.relid = i.indrelid, true)
    )
    ORDER BY n.nspname, c.relname
    """
)


def find_leftovers(
    alembic: Facade, name: str, context: MigrationContext, heads: tuple[str, ...]
) -> t.Iterator[Found]:
    """Look for what a revision that failed left.

    :param alembic: The extension.
    :param name: Name of a database.
    :param context: Its context.
    :param heads: The ids in its version table.
    :return: What was found.
    """
    if context.dialect.name == "postgresql":
        is_behind = set(heads) != set(History(alembic.script_directory).effective_heads)
        yield from _indexes(name, context, is_behind)
    elif context.dialect.name == "sqlite":
        yield from _temporary_tables(name, context)


def _indexes(
    name: str, context: MigrationContext, is_behind: bool
) -> t.Iterator[Found]:
    connection = t.cast(sa.Connection, context.connection)
    quote = context.dialect.identifier_preparer.quote
    # Neither cure can be in a transaction.
    can_mend = not alembic_internals.in_external_transaction(context)

    for schema, index, table, is_constraint in connection.execute(_INVALID).all():
        # A revision that is yet to come makes it again; otherwise it is missed.
        drop = _OF_REINDEX.search(index) or (is_behind and not is_constraint)
        verb = "DROP INDEX" if drop else "REINDEX INDEX"
        sql = f"{verb} CONCURRENTLY {quote(schema)}.{quote(index)}"
        cure = "drop" if drop else "reindex"
        yield Found(
            Finding(name, "invalid index", index, table, cure if can_mend else ""),
            partial(_outside_of_transaction, context, sql),
        )


def _outside_of_transaction(context: MigrationContext, sql: str) -> None:
    with context.autocommit_block():
        t.cast(sa.Connection, context.connection).exec_driver_sql(sql)


def _temporary_tables(name: str, context: MigrationContext) -> t.Iterator[Found]:
    connection = t.cast(sa.Connection, context.connection)
    tables = sa.inspect(connection).get_table_names()
    quote = context.dialect.identifier_preparer.quote

    for table in tables:
        original = table.removeprefix(_TEMPORARY)

        if original != table:
            # Without the original, the rows are in this one.
            cure = "drop" if original in tables else ""
            yield Found(
                Finding(name, "temporary table", table, original, cure),
                partial(connection.exec_driver_sql, f"DROP TABLE {quote(table)}"),
            )
