"""What the kinds of databases have in common: what is asked of a schema, and how rows
are written.
"""

from __future__ import annotations

import typing as t
from contextlib import contextmanager

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from ..own_statements import own
from .text import Statement

Name = tuple[str, str]
"""The schema and the name of a table. A database without schemas is one itself."""

# How many rows one statement writes.
_ROWS: t.Final = 200

# A driver that gets parameters, and be it none, takes a percent sign for one.
_PLAIN: t.Final = {"no_parameters": True}


class Schema(t.Protocol):
    """What is in a database, as statements that make it anew."""

    def is_empty(self, own: t.Collection[Name]) -> bool:
        """Whether there is nothing but some tables."""

    def before_rows(self, filled: t.Collection[str] = ()) -> list[Statement]:
        """What can be made while tables are empty, some of which get rows."""

    def after_rows(self) -> list[Statement]:
        """What is made when they have their rows."""

    def tables_with_rows(self) -> list[str]:
        """The tables that are not empty."""

    def rows_of(self, table: str) -> list[Statement]:
        """What writes the rows of a table."""

    def facts(self) -> dict[str, str]:
        """All that is known of the schema, to compare: what it is of, and a text."""


def ask(connection: sa.Connection, query: str) -> t.Sequence[t.Any]:
    """Ask a database.

    :param connection: A connection.
    :param query: The question, in which a percent sign means itself.
    :return: The answer.
    """
    with own():
        result = connection.exec_driver_sql(query, execution_options=_PLAIN)
        return result.all()


def ask_row(connection: sa.Connection, query: str) -> t.Mapping[str, t.Any]:
    """Ask for one row.

    :param connection: A connection.
    :param query: The question.
    :return: Column to value.
    """
    with own():
        result = connection.exec_driver_sql(query, execution_options=_PLAIN)
        return t.cast("t.Mapping[str, t.Any]", result.mappings().one())


def execute(connection: sa.Connection, statement: str) -> None:
    """Run what answers nothing, and is no statement of a revision.

    :param connection: A connection.
    :param statement: The statement, in which a percent sign means itself.
    """
    with own():
        connection.exec_driver_sql(statement, execution_options=_PLAIN).close()


def execute_all(connection: sa.Connection, statements: t.Iterable[str]) -> None:
    """Run many statements by the driver alone: what SQLAlchemy adds to each may take as
    long as the statement.

    :param connection: A connection.
    :param statements: The statements, in which a percent sign means itself.
    """
    cursor = connection.connection.cursor()

    try:
        for statement in statements:
            with _errors_of(connection, cursor, statement):
                cursor.execute(statement)

                if cursor.description is not None:
                    # Some drivers take nothing else before.
                    cursor.fetchall()
    finally:
        # It is closed with a connection that is given up.
        if not connection.invalidated:
            cursor.close()


@contextmanager
def _errors_of(
    connection: sa.Connection, cursor: t.Any, statement: str
) -> t.Iterator[None]:
    """Let errors of the driver be those of SQLAlchemy."""
    dialect: t.Any = connection.dialect

    try:
        yield
    except dialect.dbapi.Error as error:
        driver = connection.connection.dbapi_connection
        is_lost = dialect.is_disconnect(error, driver, cursor)

        if is_lost:
            connection.invalidate(error)

        raise DBAPIError.instance(
            statement,
            None,
            error,
            dialect.dbapi.Error,
            connection_invalidated=is_lost,
            dialect=dialect,
        ) from error
    except Exception:
        raise
    except BaseException:
        # An answer may still be under way.
        connection.invalidate()
        raise


def insert_statements(
    title: str,
    table: str,
    columns: t.Sequence[str],
    rows: t.Sequence[t.Sequence[str]],
    *,
    more: str = "",
) -> t.Iterator[Statement]:
    """What writes rows, a line each.

    :param title: What to call it.
    :param table: The table, quoted.
    :param columns: Its columns, quoted.
    :param rows: Literals.
    :param more: What stands before ``VALUES``.
    :return: Statements of not too many rows.
    """
    head = f"INSERT INTO {table} ({', '.join(columns)}) {more}VALUES\n"

    for start in range(0, len(rows), _ROWS):
        lines = (f"    ({', '.join(row)})" for row in rows[start : start + _ROWS])
        yield Statement(title, head + ",\n".join(lines))


def text_literal(text: str) -> str:
    """A text as standard SQL has it.

    :param text: Any text.
    :return: The literal.
    """
    return "'" + text.replace("'", "''") + "'"
