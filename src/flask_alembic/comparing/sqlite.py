"""Reads SQLite: each of SQLAlchemy's pragmas for all tables at once."""

from __future__ import annotations

import functools
import typing as t
from itertools import groupby

import sqlalchemy as sa
from sqlalchemy import Inspector

from .facts import Names
from .facts import TableFacts
from .facts import TableKey
from .freezing import Kinds
from .serving import answering
from .serving import serving

Rows = list[t.Sequence[t.Any]]

# SQLite has pragmas as functions, with generated columns, since.
_SINCE: t.Final = (3, 31)
# How many names stand in one statement.
_CHUNK: t.Final = 500
_OF_TABLES: t.Final = ("table_xinfo", "foreign_key_list", "index_list")
_OF_INDEXES: t.Final = "index_info"
# Methods of SQLAlchemy's dialect that all of its reflection goes through.
_NEEDED: t.Final = ("_get_table_pragma", "_get_table_sql")


class SQLiteReader:
    """Reads an SQLite database.

    :param connection: The connection to read on.
    """

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self._pragmas: dict[tuple[str, str | None, str], Rows] = {}
        self._texts: dict[TableKey, str] = {}
        self._kinds = Kinds()
        self._dialect = answering(connection.dialect, _Answering, reader=self)

    @classmethod
    def find(cls, connection: sa.Connection) -> SQLiteReader | None:
        """Make a reader.

        :param connection: The connection to read on.
        :return: ``None`` for an old SQLite, or if there are temporary tables, which may
            hide others.
        """
        is_old = (connection.dialect.server_version_info or ()) < _SINCE

        if is_old or not _has_hooks(connection.dialect):
            return None

        temporary = connection.exec_driver_sql("SELECT 1 FROM sqlite_temp_master")
        return None if temporary.first() else cls(connection)

    def read(
        self, schema: str | None, names: t.Sequence[str], *, all_of_them: bool
    ) -> dict[str, TableFacts]:
        """Read tables; see :class:`.facts.Reader`."""
        for start in range(0, len(names), _CHUNK):
            self._read_chunk(schema, names[start : start + _CHUNK])

        return {
            name: self._facts((schema, name))
            for name in names
            if (schema, name) in self._texts
        }

    def inspector(self, names: Names) -> Inspector:
        """What Alembic reflects with; see :class:`.facts.Reader`."""
        inspector = serving(self._connection, names)
        inspector.dialect = self._dialect
        return inspector

    def default(self, key: TableKey, column: str) -> str | None:
        """Alembic asks SQLite about no default; see :class:`.facts.Reader`."""
        return None

    def answer(self, pragma: str, schema: str | None, name: str) -> Rows | None:
        """What SQLite says, if it was asked already.

        :param pragma: The name of the pragma.
        :param schema: The schema; ``None`` for the default one.
        :param name: The table or index that the pragma is about.
        :return: Its rows.
        """
        if pragma == "table_info":
            # With one column more it is the other one.
            rows = self._pragmas.get(("table_xinfo", schema, name))
            return None if rows is None else [row for row in rows if row[6] != 1]

        return self._pragmas.get((pragma, schema, name))

    def text(self, schema: str | None, name: str) -> str | None:
        """The statement that created a table, if it was read.

        :param schema: The schema; ``None`` for the default one.
        :param name: The table.
        :return: Its ``CREATE TABLE``.
        """
        return self._texts.get((schema, name))

    def _read_chunk(self, schema: str | None, names: t.Sequence[str]) -> None:
        texts = self._select(schema, names, "m.name, m.sql", "m.type = 'table'")
        self._texts.update({(schema, name): sql for name, sql in texts})

        for pragma in _OF_TABLES:
            rows = self._select_pragma(schema, names, pragma, "m.type = 'table'")
            self._store(pragma, schema, names, rows)

        indexes = [
            row[1]
            for name in names
            for row in self._pragmas["index_list", schema, name]
        ]

        for start in range(0, len(indexes), _CHUNK):
            some = indexes[start : start + _CHUNK]
            rows = self._select_pragma(schema, some, _OF_INDEXES, "m.type = 'index'")
            self._store(_OF_INDEXES, schema, some, rows)

    def _store(
        self, pragma: str, schema: str | None, names: t.Sequence[str], rows: Rows
    ) -> None:
        for name in names:
            self._pragmas[pragma, schema, name] = []

        for name, group in groupby(rows, key=lambda row: row[0]):
            self._pragmas[pragma, schema, name].extend(row[1:] for row in group)

    def _select_pragma(
        self, schema: str | None, names: t.Sequence[str], pragma: str, condition: str
    ) -> Rows:
        of_schema = f"pragma_{pragma}(m.name, ?)"
        return self._select(
            schema, names, "m.name, p.*", condition, of_schema, schema or "main"
        )

    def _select(
        self,
        schema: str | None,
        names: t.Sequence[str],
        columns: str,
        condition: str,
        pragma: str | None = None,
        *arguments: str,
    ) -> Rows:
        quote = self._connection.dialect.identifier_preparer.quote_identifier
        source = f"{quote(schema or 'main')}.sqlite_master AS m"
        marks = ", ".join("?" * len(names))
        statement = (
            f"SELECT {columns} FROM {source}{f', {pragma} AS p' if pragma else ''}"
            f" WHERE {condition} AND m.name IN ({marks})"
        )
        result = self._connection.exec_driver_sql(statement, (*arguments, *names))
        return [tuple(row) for row in result]

    def _facts(self, key: TableKey) -> TableFacts:
        schema, name = key
        lists = self._pragmas["index_list", schema, name]
        keys = self._pragmas["foreign_key_list", schema, name]
        ask = functools.partial(self._ask, name, schema)
        # A unique constraint has an index of this name.
        automatic = any(row[1].startswith("sqlite_autoindex") for row in lists)
        return TableFacts(
            columns={
                row[1]: self._kinds.one(tuple(row[2:]) if not row[6] else None)
                for row in self._pragmas["table_xinfo", schema, name]
                if row[6] != 1
            },
            indexes=ask("get_indexes") if lists else (),
            unique_constraints=ask("get_unique_constraints") if automatic else (),
            foreign_keys=ask("get_foreign_keys") if keys else (),
        )

    def _ask(self, name: str, schema: str | None, method: str) -> t.Any:
        return getattr(self._dialect, method)(self._connection, name, schema=schema)


class _Answering:
    """The dialect, whose reflection takes what was read before. What it makes of it
    stays SQLAlchemy's.
    """

    reader: SQLiteReader

    def _get_table_pragma(
        self, connection: t.Any, pragma: str, table_name: str, schema: t.Any = None
    ) -> t.Any:
        rows = self.reader.answer(pragma, schema, table_name)

        if rows is not None:
            return rows

        return super()._get_table_pragma(  # type: ignore[misc]
            connection, pragma, table_name, schema=schema
        )

    def _get_table_sql(
        self, connection: t.Any, table_name: str, schema: t.Any = None, **kw: t.Any
    ) -> t.Any:
        found = self.reader.text(schema, table_name)

        if found is not None:
            return found

        return super()._get_table_sql(  # type: ignore[misc]
            connection, table_name, schema=schema, **kw
        )


def _has_hooks(dialect: sa.Dialect) -> bool:
    return all(hasattr(dialect, name) for name in _NEEDED)
