"""Reads MariaDB and MySQL, by ``SHOW CREATE TABLE``, as SQLAlchemy does. Columns are
parsed only where Alembic compares the table.
"""

from __future__ import annotations

import functools
import re
import typing as t
from contextlib import closing

import sqlalchemy as sa
from sqlalchemy import Inspector

from .facts import Names
from .facts import TableFacts
from .facts import TableKey
from .freezing import Kinds
from .serving import answering
from .serving import serving

_GENERATED: t.Final = re.compile(r" (?:GENERATED|AS) ")
_PRIMARY: t.Final = "  PRIMARY KEY "
_NEEDED: t.Final = ("_tabledef_parser", "_parsed_state_or_create")


class MySQLReader:
    """Reads a MariaDB or MySQL database.

    :param connection: The connection to read on.
    """

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self._dialect = answering(connection.dialect, _Answering)
        preparer = connection.dialect.identifier_preparer
        self._quote = preparer.quote_identifier
        self._start = "  " + preparer.initial_quote
        mark = re.escape(preparer.initial_quote)
        self._column = re.compile(rf"  {mark}((?:[^{mark}]|{mark}{mark})+){mark} (.*)")
        self._doubled = preparer.initial_quote
        self._kinds = Kinds()

    @classmethod
    def find(cls, connection: sa.Connection) -> MySQLReader | None:
        """Make a reader.

        :param connection: The connection to read on.
        :return: ``None`` if SQLAlchemy reads in a way that is not known here.
        """
        dialect = connection.dialect
        is_known = all(hasattr(dialect, name) for name in _NEEDED)
        return cls(connection) if is_known else None

    def read(
        self, schema: str | None, names: t.Sequence[str], *, all_of_them: bool
    ) -> dict[str, TableFacts]:
        """Read tables; see :class:`.facts.Reader`."""
        return {name: self._facts(schema, name) for name in names}

    def inspector(self, names: Names) -> Inspector:
        """What Alembic reflects with; see :class:`.facts.Reader`."""
        return serving(self._connection, names)

    def default(self, key: TableKey, column: str) -> str | None:
        """Alembic asks these servers about no default; see :class:`.facts.Reader`."""
        return None

    def _facts(self, schema: str | None, name: str) -> TableFacts:
        lines = re.split(r"\r?\n", self._create_table(schema, name))
        columns = [line for line in lines if line.startswith(self._start)]
        rest = [line for line in lines if not line.startswith(self._start)]
        primary = "".join(line for line in rest if line.startswith(_PRIMARY))
        # SQLAlchemy reads all but the columns, of which there are most.
        self._dialect.parse("\n".join(filter(_is_needed, rest)))
        ask = functools.partial(self._ask, name, schema)
        return TableFacts(
            columns=dict(self._column_of(line, primary) for line in columns),
            indexes=ask("get_indexes"),
            unique_constraints=ask("get_unique_constraints"),
            foreign_keys=ask("get_foreign_keys"),
            comment=ask("get_table_comment").get("text"),
        )

    def _create_table(self, schema: str | None, name: str) -> str:
        path = ".".join(self._quote(part) for part in (schema, name) if part)
        statement = f"SHOW CREATE TABLE {path}"
        errors = t.cast(t.Any, self._connection.dialect).dbapi.Error

        # By the driver alone: it is one for each table.
        try:
            with closing(self._connection.connection.cursor()) as cursor:
                cursor.execute(statement)
                row: t.Any = cursor.fetchone()
        except errors:
            # It fails again, in the way that everybody knows.
            row = self._connection.exec_driver_sql(statement).one()

        return str(row[1]).strip()

    def _column_of(self, line: str, primary: str) -> tuple[str, t.Hashable]:
        found = self._column.match(line)

        if not found:
            return line, None

        name = found[1].replace(self._doubled * 2, self._doubled)
        definition = found[2].removesuffix(",")

        if _GENERATED.search(definition):
            return name, None

        return name, self._kinds.one((definition, self._quote(name) in primary))

    def _ask(self, name: str, schema: str | None, method: str) -> t.Any:
        return getattr(self._dialect, method)(self._connection, name, schema=schema)


def _is_needed(line: str) -> bool:
    """Whether a line says more than how a table is stored."""
    return not line.startswith(") ") or "COMMENT=" in line


class _Answering:
    """The dialect, whose reflection takes what was parsed before. What it makes of it
    stays SQLAlchemy's.
    """

    _parsed: t.Any
    _connection_charset: t.Any = None
    _tabledef_parser: t.Any

    def parse(self, text: str) -> None:
        """Take the text of a table, for all that is asked from now on.

        :param text: Lines of ``SHOW CREATE TABLE``.
        """
        self._parsed = self._tabledef_parser.parse(text, self._connection_charset)

    def _parsed_state_or_create(self, *arguments: t.Any, **options: t.Any) -> t.Any:
        return self._parsed
