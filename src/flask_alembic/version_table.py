"""Reading the version table, which may be another program's."""

from __future__ import annotations

import typing as t

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from . import alembic_internals
from .errors import FlaskAlembicError
from .sqlite import is_busy

if t.TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext


def read_heads(context: MigrationContext, database: str) -> tuple[str, ...]:
    """The ids in the version table.

    :param context: The context of a database.
    :param database: Its name.
    :return: The ids; none if there is no such table.
    :raises FlaskAlembicError: If the table has other columns.
    """
    try:
        return tuple(context.get_current_heads())
    except DBAPIError as error:
        if is_busy(error):
            raise

        column = alembic_internals.version_column(context)

        if column.name in _columns(context, column.table):
            raise

        raise FlaskAlembicError(
            f"The table '{column.table.name}' of the database '{database}' has no"
            f" column '{column.name}': it is another program's.",
            hint="Choose another name: ALEMBIC_CONTEXT['version_table'].",
        ) from error


def is_there(context: MigrationContext) -> bool:
    """Whether a database has a version table.

    :param context: The context of the database.
    :return: ``True`` if it has.
    """
    table = alembic_internals.version_column(context).table
    inspector = sa.inspect(t.cast(sa.Connection, context.connection))
    return inspector.has_table(str(table.name), schema=table.schema)


def column_length(context: MigrationContext) -> int | None:
    """How long an id may be. The column may have been altered since it was made.

    :param context: The context of a database.
    :return: Number of characters, or ``None`` if there is no limit.
    """
    column = alembic_internals.version_column(context)
    columns = {} if context.as_sql else _columns(context, column.table)
    found = columns.get(column.name, column.type)
    return getattr(found, "length", None)


def _columns(context: MigrationContext, table: t.Any) -> dict[str, t.Any]:
    connection = t.cast(sa.Connection, context.connection)

    # PostgreSQL answers nothing after an error, until that is rolled back.
    if not alembic_internals.in_external_transaction(context):
        connection.rollback()

    inspector = sa.inspect(connection)

    if not inspector.has_table(table.name, schema=table.schema):
        return {}

    columns = inspector.get_columns(table.name, schema=table.schema)
    return {column["name"]: column["type"] for column in columns}
