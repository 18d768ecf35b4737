"""The schema of a SQLite database. SQLite has kept the statements that made it."""

from __future__ import annotations

import typing as t
from functools import cached_property

from ..sql_words import quoted
from .kinds import ask
from .kinds import execute
from .kinds import execute_all
from .kinds import insert_statements
from .kinds import text_literal
from .text import Statement

if t.TYPE_CHECKING:
    import sqlalchemy as sa

    from .kinds import Name

# Zero by default.
_PRAGMAS: t.Final = ("user_version", "application_id")

# What makes an index by itself has no text, and "sqlite_" is SQLite's own.
_OBJECTS: t.Final = """
    SELECT type, name, tbl_name, sql FROM main.sqlite_master
    WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
    ORDER BY lower(tbl_name), type <> 'table', lower(name), name
"""
_SHADOWS: t.Final = (
    "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'shadow'"
)

# A text with a NUL in it is cut by quote().
_LITERAL: t.Final = """
    CASE WHEN typeof({0}) = 'text' AND instr({0}, char(0))
    THEN 'CAST(X''' || hex({0}) || ''' AS TEXT)' ELSE quote({0}) END
"""


class SQLiteSchema:
    """What is in a database.

    :param connection: A connection to it.
    """

    def __init__(self, connection: sa.Connection) -> None:
        self.connection = connection

    @cached_property
    def _objects(self) -> list[t.Any]:
        shadows = {row[0] for row in ask(self.connection, _SHADOWS)}
        rows = ask(self.connection, _OBJECTS)
        return [row for row in rows if row.name not in shadows]

    def is_empty(self, own: t.Collection[Name]) -> bool:
        """Whether there is nothing but tables of ours.

        :param own: Those tables.
        :return: ``True`` if so.
        """
        names = {name for _, name in own}
        return all(row.tbl_name in names for row in self._objects)

    def before_rows(self, filled: t.Collection[str] = ()) -> list[Statement]:
        """What makes tables, indexes and views.

        :param filled: The tables that get rows, which is the same here.
        """
        settings = [
            Statement(f"pragma {name}", f"PRAGMA {name} = {value}")
            for name in _PRAGMAS
            if (value := ask(self.connection, f"PRAGMA {name}")[0][0])
        ]
        tables = self._made("table", "index")
        return [*settings, *tables, *self._made("view")]

    def after_rows(self) -> list[Statement]:
        """What makes triggers, which the rows are not to start."""
        return self._made("trigger")

    def tables_with_rows(self) -> list[str]:
        """The tables that are not empty."""
        return [
            row.name
            for row in self._objects
            if row.type == "table"
            and ask(self.connection, f"SELECT 1 FROM {quoted(row.name)} LIMIT 1")
        ]

    def rows_of(self, table: str) -> list[Statement]:
        """What writes the rows of a table.

        :param table: The table.
        :return: Statements.
        """
        info = ask(self.connection, f"PRAGMA table_info({quoted(table)})")
        columns = [quoted(row.name) for row in info]
        literals = ", ".join(map(_LITERAL.format, columns))
        keys = [quoted(r.name) for r in sorted(info, key=lambda r: r.pk) if r.pk]
        order = ", ".join(keys or columns)
        query = f"SELECT {literals} FROM {quoted(table)} ORDER BY {order}"
        rows = ask(self.connection, query)
        return [
            *insert_statements(f"rows {table}", quoted(table), columns, rows),
            *self._counter(table),
        ]

    def facts(self) -> dict[str, str]:
        """All that is known of the schema, to compare: what it is of, and a text."""
        pragmas = (*_PRAGMAS, "encoding", "auto_vacuum", "journal_mode")
        found = {
            f"pragma {name}": str(ask(self.connection, f"PRAGMA {name}")[0][0])
            for name in pragmas
        }
        return found | {f"{row.type} {row.name}": row.sql for row in self._objects}

    def _made(self, *kinds: str) -> list[Statement]:
        return [
            Statement(f"{row.type} {row.name}", row.sql)
            for row in self._objects
            if row.type in kinds
        ]

    def _counter(self, table: str) -> list[Statement]:
        """Where ``AUTOINCREMENT`` goes on, as rows may have been deleted."""
        known = "SELECT 1 FROM main.sqlite_master WHERE name = 'sqlite_sequence'"
        name = text_literal(table)

        if not ask(self.connection, known):
            return []

        question = f"SELECT seq FROM sqlite_sequence WHERE name = {name}"
        return [
            Statement(
                f"counter {table}",
                f"UPDATE sqlite_sequence SET seq = {row.seq} WHERE name = {name}",
            )
            for row in ask(self.connection, question)
        ]


def load(connection: sa.Connection, statements: t.Iterable[Statement]) -> None:
    """Run the statements of a snapshot.

    :param connection: A connection to an empty database, in a transaction.
    :param statements: The statements.
    """
    execute_all(connection, (statement.sql for statement in statements))


def drop(connection: sa.Connection, titles: t.Iterable[str]) -> None:
    """Drop tables that a snapshot makes.

    :param connection: A connection.
    :param titles: What the statements of the snapshot are called.
    """
    for title in titles:
        name = quoted(title.removeprefix("table "))
        execute(connection, f"DROP TABLE IF EXISTS {name}")
