"""What a database of SQLite has: a table, what hangs on it, and what can't be used."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from sqlalchemy.exc import DBAPIError

from ..sql_words import quoted
from ..sqlite_ddl.tokens import folded

if t.TYPE_CHECKING:
    import sqlalchemy as sa


def run(connection: sa.Connection, statement: str, *values: t.Any) -> t.Sequence[t.Any]:
    """Run a statement.

    :param connection: A connection to SQLite.
    :param statement: The statement.
    :param values: Its parameters.
    :return: Its rows.
    """
    result = connection.exec_driver_sql(statement, values)
    return result.all() if result.returns_rows else ()


def prefix(schema: str | None) -> str:
    """What stands before a name to say in which database it is.

    :param schema: The name of an attached database; ``None`` for the main one.
    :return: The name and a dot, or nothing.
    """
    return "" if schema is None else f"{quoted(schema)}."


def qualified(schema: str | None, name: str) -> str:
    """A name as it may stand in any statement.

    :param schema: The name of an attached database; ``None`` for the main one.
    :param name: The name of a table.
    :return: The name in quotes.
    """
    return prefix(schema) + quoted(name)


def master(schema: str | None) -> str:
    """The table that tells what there is.

    :param schema: The name of an attached database; ``None`` for the main one.
    :return: Its name, in quotes.
    """
    return qualified(schema, "sqlite_master")


@dataclass(frozen=True)
class Found:
    """A table, and what hangs on it.

    :param connection: The connection to its database.
    :param schema: The name of an attached database; ``None`` for the main one.
    :param name: The name of the table.
    :param sql: What made it.
    :param indexes: Name to what made it.
    :param triggers: Name to what made it.
    :param sequence: The highest number that ``AUTOINCREMENT`` gave.
    :param rows: How many there are.
    :param broken: What in the database can't be used, and why.
    """

    connection: sa.Connection
    schema: str | None
    name: str
    sql: str
    indexes: dict[str, str]
    triggers: dict[str, str]
    sequence: int | None
    rows: int
    broken: set[tuple[str, str]]

    def run(self, statement: str, *values: t.Any) -> t.Sequence[t.Any]:
        """Run a statement.

        :param statement: The statement.
        :param values: Its parameters.
        :return: Its rows.
        """
        return run(self.connection, statement, *values)

    def made(self) -> str:
        """What made the table that is there now.

        :return: Its ``CREATE TABLE``.
        """
        asked = f"SELECT sql FROM {master(self.schema)} WHERE type = 'table'"
        rows = self.run(f"{asked} AND name = ? COLLATE NOCASE", self.name)
        return str(rows[0][0])


def find(connection: sa.Connection, schema: str | None, table: str) -> Found | None:
    """Look at a table.

    :param connection: A connection to SQLite.
    :param schema: The name of an attached database; ``None`` for the main one.
    :param table: The name of the table.
    :return: What was found, or ``None`` if there is no such table.
    """
    own = [
        row
        for row in run(
            connection,
            f"SELECT type, name, tbl_name, sql FROM {master(schema)} ORDER BY rowid",
        )
        if folded(row[2]) == folded(table) and row[3] is not None
    ]
    by_type: dict[str, dict[str, str]] = {"table": {}, "index": {}, "trigger": {}}

    for kind, name, _, sql in own:
        by_type.setdefault(kind, {})[name] = sql

    if not by_type["table"]:
        return None

    (name, sql), *_ = by_type["table"].items()
    rows = run(connection, f"SELECT count(*) FROM {qualified(schema, name)}")[0][0]
    return Found(
        connection,
        schema,
        name,
        sql,
        by_type["index"],
        by_type["trigger"],
        _sequence(connection, schema, name),
        rows,
        broken(connection, schema),
    )


def _sequence(connection: sa.Connection, schema: str | None, name: str) -> int | None:
    asked = f"SELECT 1 FROM {master(schema)} WHERE name = 'sqlite_sequence'"

    if not run(connection, asked):
        return None

    target = qualified(schema, "sqlite_sequence")
    rows = run(connection, f"SELECT seq FROM {target} WHERE name = ?", name)
    return rows[0][0] if rows else None


def broken(connection: sa.Connection, schema: str | None) -> set[tuple[str, str]]:
    """Find the views and triggers that can't be used.

    :param connection: A connection to SQLite.
    :param schema: The name of an attached database; ``None`` for the main one.
    :return: The names of views, and of tables that have such a trigger, each with what
        SQLite says.
    """
    used = run(
        connection,
        f"SELECT type, name FROM {master(schema)} AS o WHERE type = 'view' OR EXISTS ("
        f"SELECT 1 FROM {master(schema)} WHERE type = 'trigger'"
        " AND tbl_name = o.name COLLATE NOCASE AND o.type = 'table')",
    )
    return {
        (name, error)
        for kind, name in used
        for error in errors_of(connection, schema, kind, name)
    }


def errors_of(
    connection: sa.Connection, schema: str | None, kind: str, name: str
) -> list[str]:
    """Have SQLite compile each kind of statement on a table or a view, and so the
    triggers. Nothing is run.

    :param connection: A connection to SQLite.
    :param schema: The name of an attached database; ``None`` for the main one.
    :param kind: ``table`` or ``view``.
    :param name: Its name.
    :return: What SQLite says.
    """
    target = qualified(schema, name)

    try:
        columns = run(connection, f"PRAGMA {prefix(schema)}table_xinfo({quoted(name)})")
    except DBAPIError as error:
        return [str(error.orig)]

    # What is computed can't be set.
    names = [quoted(row[1]) for row in columns if row[6] == 0]
    values = ", ".join(f"{name} = {name}" for name in names)
    statements = [
        f"SELECT * FROM {target}",
        f"INSERT INTO {target} DEFAULT VALUES",
        f"UPDATE {target} SET {values}",
        f"DELETE FROM {target}",
    ]
    said = [_error(connection, statement) for statement in statements]
    return [text for text in said if text is not None]


def _error(connection: sa.Connection, statement: str) -> str | None:
    try:
        run(connection, f"EXPLAIN {statement}")
    except DBAPIError as error:
        return str(error.orig)

    return None
