"""The schema of a PostgreSQL database, put together: reading it, and loading it."""

from __future__ import annotations

import re
import typing as t
from functools import cached_property

from sqlalchemy.exc import DBAPIError

from ..kinds import ask
from ..kinds import execute
from ..kinds import insert_statements
from ..kinds import text_literal
from ..text import Statement
from .catalog import loading
from .catalog import name_of
from .catalog import reading
from .catalog import users
from .extras import extras
from .facts import facts
from .objects import first_statements
from .objects import items
from .objects import needs
from .objects import refreshes
from .order import in_circles
from .order import ordered
from .rights import comments
from .rights import rights
from .tables import Tables
from .uncovered import refuse_uncovered

if t.TYPE_CHECKING:
    import sqlalchemy as sa

    from ..kinds import Name

# These run all that is in one text, in one round trip.
_DRIVERS: t.Final = ("psycopg", "psycopg2")

_END: t.Final = ";\n"

PART: t.Final = 200
"""How many statements are one transaction at most: a server has room for so many locks
only, by default 6400 for all, and a table takes about seven.
"""

_TITLE: t.Final = re.compile(
    r"(?P<kind>table|view|materialized view|sequence|function|procedure|domain|type"
    r"|collation) (?P<name>.+)",
    re.DOTALL,
)

# What belongs to a table of ours has a dependency on it.
_OBJECTS: t.Final = f"""
    SELECT n.nspname AS schema, c.relname AS name
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'c')
    AND {users("pg_class", "c", "relnamespace")}
    UNION ALL SELECT n.nspname, c.relname
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind = 'S' AND {users("pg_class", "c", "relnamespace")}
    AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.objid = c.oid
        AND d.classid = 'pg_class'::regclass AND d.deptype IN ('a', 'i'))
    UNION ALL SELECT n.nspname, p.proname
    FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
    WHERE {users("pg_proc", "p", "pronamespace")}
    UNION ALL SELECT n.nspname, y.typname
    FROM pg_type AS y JOIN pg_namespace AS n ON n.oid = y.typnamespace
    WHERE y.typtype IN ('d', 'e', 'r') AND {users("pg_type", "y", "typnamespace")}
"""
_ROW_TABLES: t.Final = f"""
    SELECT c.oid, {name_of("c", "relname", "relnamespace")} AS name
    FROM pg_class AS c
    WHERE c.relkind = 'r' AND {users("pg_class", "c", "relnamespace")} ORDER BY name
"""
_COLUMNS: t.Final = """
    SELECT quote_ident(a.attname) AS name, a.attidentity = 'a' AS is_always,
        array_position(i.indkey::int2[], a.attnum) AS key
    FROM pg_attribute AS a
    LEFT JOIN pg_index AS i ON i.indrelid = a.attrelid AND i.indisprimary
    WHERE a.attrelid = '{}'::regclass AND a.attnum > 0 AND NOT a.attisdropped
    AND a.attgenerated = '' ORDER BY a.attnum
"""
_COUNTERS: t.Final = f"""
    SELECT {name_of("s", "relname", "relnamespace")} AS name
    FROM pg_depend AS d JOIN pg_class AS s ON s.oid = d.objid AND s.relkind = 'S'
    WHERE d.refclassid = 'pg_class'::regclass AND d.classid = 'pg_class'::regclass
    AND d.refobjid = '{{}}'::regclass AND d.deptype IN ('a', 'i') ORDER BY name
"""


class PostgreSQLSchema:
    """What is in a database.

    :param connection: A connection to it.
    """

    def __init__(self, connection: sa.Connection) -> None:
        self.connection = connection
        self._filled: t.Collection[str] = ()

    def is_empty(self, own: t.Collection[Name]) -> bool:
        """Whether there is nothing but tables of ours, in any schema.

        :param own: Those tables.
        :return: ``True`` if so.
        """
        found = {(row.schema, row.name) for row in ask(self.connection, _OBJECTS)}
        return found <= set(own)

    def before_rows(self, filled: t.Collection[str] = ()) -> list[Statement]:
        """What makes all that can be there while tables are empty.

        :param filled: The tables that get rows.
        """
        self._filled = filled

        with reading(self.connection):
            refuse_uncovered(self.connection)
            return [*first_statements(self.connection), *self._ordered]

    def after_rows(self) -> list[Statement]:
        """What makes indexes, foreign keys, triggers, rights and comments."""
        with reading(self.connection):
            return [
                *self._tables.owned_sequences(),
                *extras(self.connection, self._tables.constraints),
                *refreshes(self.connection, self._ordered),
                *comments(self.connection),
                *rights(self.connection),
            ]

    def tables_with_rows(self) -> list[str]:
        """The tables that are not empty."""
        with reading(self.connection):
            return [
                row.name
                for row in ask(self.connection, _ROW_TABLES)
                if ask(self.connection, f"SELECT 1 FROM ONLY {row.name} LIMIT 1")
            ]

    def rows_of(self, table: str) -> list[Statement]:
        """What writes the rows of a table.

        :param table: The table.
        :return: Statements.
        """
        with reading(self.connection):
            found = ask(self.connection, _COLUMNS.format(table.replace("'", "''")))
            columns = [row.name for row in found]
            literals = ", ".join(f"quote_nullable({name}::text)" for name in columns)
            keys = [r.name for r in sorted(found, key=lambda r: r.key or 0) if r.key]
            # Not every type can be sorted; each has a text.
            order = ", ".join(keys or [f'{name}::text COLLATE "C"' for name in columns])
            query = f"SELECT {literals} FROM ONLY {table} ORDER BY {order}"
            rows = ask(self.connection, query)
            is_always = any(row.is_always for row in found)
            more = "OVERRIDING SYSTEM VALUE " if is_always else ""
            return [
                *insert_statements(f"rows {table}", table, columns, rows, more=more),
                *self._counters(table),
            ]

    def facts(self) -> dict[str, str]:
        """All that is known of the schema, to compare: what it is of, and a text."""
        with reading(self.connection):
            return facts(self.connection)

    @cached_property
    def _tables(self) -> Tables:
        return Tables(self.connection, self._filled)

    @cached_property
    def _ordered(self) -> list[Statement]:
        tables = self._tables
        others = list(items(self.connection, tables.sequences))
        found = needs(self.connection)
        tables.part(in_circles([*tables.items(), *others], found))
        return ordered([*tables.items(), *others], found)

    def _counters(self, table: str) -> t.Iterator[Statement]:
        """Where the sequences of columns go on."""
        query = _COUNTERS.format(table.replace("'", "''"))

        for row in ask(self.connection, query):
            state = ask(
                self.connection, f"SELECT last_value, is_called FROM {row.name}"
            )
            value, is_called = state[0]
            name, called = text_literal(row.name), str(is_called).lower()
            sql = f"SELECT setval({name}, {value}, {called})"
            yield Statement(f"counter {row.name}", sql)


def load(connection: sa.Connection, statements: t.Sequence[Statement]) -> None:
    """Run the statements of a snapshot. Where no transaction is around it, each part is
    one.

    :param connection: A connection to an empty database.
    :param statements: The statements.
    """
    with loading(connection):
        _run(connection, [statement.sql for statement in statements])


def drop(connection: sa.Connection, titles: t.Iterable[str]) -> None:
    """Drop what a snapshot makes, as far as it is there.

    :param connection: A connection.
    :param titles: What the statements of the snapshot are called.
    """
    found = (_TITLE.match(title) for title in titles)
    drops = [
        f"DROP {match['kind'].upper()} IF EXISTS {match['name']} CASCADE"
        for match in found
        if match
    ]
    _run(connection, drops[::-1])


def _run(connection: sa.Connection, statements: t.Sequence[str]) -> None:
    if connection.dialect.driver not in _DRIVERS:
        for statement in statements:
            execute(connection, statement)

        return

    for start in range(0, len(statements), PART):
        part = statements[start : start + PART]

        try:
            execute(connection, _END.join(part))
        except DBAPIError as error:
            _name_statement(error, part)
            raise


def _name_statement(error: DBAPIError, statements: t.Iterable[str]) -> None:
    """Name one of several in an error, where the server tells at what it was."""
    tells = getattr(error.orig, "diag", None)

    # Of characters in all of the text, counted from 1.
    if tells is not None and tells.statement_position is not None:
        left = int(tells.statement_position)

        for statement in statements:
            if left <= len(statement):
                error.statement = statement
                return

            left -= len(statement) + len(_END)
