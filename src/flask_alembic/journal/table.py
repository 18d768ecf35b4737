"""The table that notes which statements of a half done revision took effect. It is
empty when no revision is half done.
"""

from __future__ import annotations

import hashlib
import os
import re
import socket
import typing as t
from dataclasses import dataclass
from dataclasses import replace
from functools import cached_property
from functools import lru_cache

import sqlalchemy as sa

from .. import alembic_internals
from ..own_statements import own
from ..own_tables import table_options
from ..own_tables import utc_now
from ..redaction import redact
from ..reports import Direction

if t.TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext

COMMITTING: t.Final = frozenset({"mariadb", "mysql"})
"""The dialects of databases that commit when they run DDL."""

State = t.Literal["begun", "done"]

_ANSWERED: t.Final = ("state", "rowcount", "lastrowid")
"""What is known of a statement when it was run."""

_LONGEST_STATEMENT: t.Final = 2000
_OUTER_COMMENTS: t.Final = re.compile(
    r"\A(?:\s*(?:/\*(?!!).*?\*/|--[^\n]*\n))+"
    r"|(?:/\*(?!!)(?:(?!\*/).)*\*/\s*)+\Z"
    r"|;\s*\Z",
    re.DOTALL,
)


@dataclass(frozen=True)
class HalfDone:
    """The revision that a journal has statements of."""

    revision: str
    direction: Direction


@dataclass(frozen=True)
class Entry:
    """What is noted of one statement."""

    position: int
    sha: str
    statement: str
    state: State
    rowcount: int | None = None
    lastrowid: int | None = None

    @property
    def is_whole(self) -> bool:
        """Whether all of the statement is noted."""
        return len(self.statement) < _LONGEST_STATEMENT


def make_entry(
    position: int,
    statement: str,
    state: State = "begun",
    rowcount: int | None = None,
    lastrowid: int | None = None,
) -> Entry:
    """What is to be noted of a statement.

    :param position: Its position in the revision; the first is 1.
    :param statement: Its text.
    :param state: Whether it is done.
    :param rowcount: What it answered.
    :param lastrowid: What it answered.
    :return: The entry.
    """
    cut, sha = statement[:_LONGEST_STATEMENT], digest(statement)
    return Entry(position, sha, cut, state, rowcount, lastrowid)


def digest(statement: str) -> str:
    """What is equal for two texts of the same statement. Comments around it, as tracing
    adds them, and white space are not of it.

    :param statement: The text.
    :return: A hash.
    """
    text = _OUTER_COMMENTS.sub("", statement)
    return hashlib.sha256(" ".join(text.split()).encode()).hexdigest()


class JournalTable:
    """The table of one database.

    :param context: The context of the database, which is connected.
    """

    def __init__(self, context: MigrationContext) -> None:
        self.connection: sa.Connection = t.cast(sa.Connection, context.connection)
        version = alembic_internals.version_column(context).table
        self.table: sa.Table = _make_table(
            f"{version.name}_journal", version.schema, self.connection.dialect.name
        )

    @property
    def name(self) -> str:
        """The name of the table as SQL has it."""
        return self.connection.dialect.identifier_preparer.format_table(self.table)

    @property
    def commits_ddl(self) -> bool:
        """Whether the database commits when it runs DDL."""
        return self.connection.dialect.name in COMMITTING

    @property
    def is_autocommit(self) -> bool:
        """Whether each statement is committed by itself."""
        connection = self.connection

        if connection.get_execution_options().get("isolation_level") == "AUTOCOMMIT":
            return True

        driver: t.Any = connection.connection.dbapi_connection
        # Drivers of MySQL have a method of this name, sqlite3 may have a number.
        ask = getattr(driver, "get_autocommit", None)
        found = ask() if callable(ask) else getattr(driver, "autocommit", False)
        return found is True

    def commit_now(self) -> None:
        """Commit where DDL does, too. The transaction of the revision goes on."""
        if self.commits_ddl and not self.is_autocommit:
            self.connection.connection.commit()

    def exists(self) -> bool:
        """Whether it is there."""
        with own():
            inspector = sa.inspect(self.connection)
            return inspector.has_table(self.table.name, schema=self.table.schema)

    def create(self) -> None:
        """Make it."""
        make = sa.schema.CreateTable(self.table, if_not_exists=True)
        self._run(make)

    def read(self) -> dict[HalfDone, dict[int, Entry]]:
        """All that is noted, by position."""
        found: dict[HalfDone, dict[int, Entry]] = {}

        for row in self._run(sa.select(self.table)).mappings():
            key = HalfDone(row["revision"], row["direction"])
            entry = Entry(**{name: row[name] for name in Entry.__dataclass_fields__})
            found.setdefault(key, {})[entry.position] = entry

        return found

    def add(self, of: HalfDone, entries: t.Iterable[Entry]) -> None:
        """Note statements. Where the database commits DDL, one that is noted already
        gets what is known of it now.

        :param of: The revision.
        :param entries: What to note.
        """
        if rows := [self._row(of, entry) for entry in entries]:
            self._run(self._insert, rows)

    def finish(self, of: HalfDone, entry: Entry) -> None:
        """Note that a statement is done.

        :param of: The revision.
        :param entry: What it answered.
        """
        done = replace(entry, state="done")
        values = {name: getattr(done, name) for name in _ANSWERED}
        self._run(self._update, {**_key(of, entry.position), **values, "at": utc_now()})

    def remove(self, of: HalfDone, position: int | None = None) -> None:
        """Forget a statement, or all of a revision.

        :param of: The revision.
        :param position: Which statement; ``None`` for all.
        """
        statement = self._delete_all if position is None else self._delete
        self._run(statement, _key(of, position))

    @cached_property
    def _insert(self) -> sa.Insert:
        if not self.commits_ddl:
            return self.table.insert()

        # Only where it is loaded anyhow.
        from sqlalchemy.dialects import mysql

        insert = mysql.insert(self.table)
        changes = {name: insert.inserted[name] for name in (*_ANSWERED, "at")}
        return insert.on_duplicate_key_update(changes)

    @cached_property
    def _update(self) -> sa.Update:
        return self.table.update().where(*self._is_all, self._is_one)

    @cached_property
    def _delete(self) -> sa.Delete:
        return self.table.delete().where(*self._is_all, self._is_one)

    @cached_property
    def _delete_all(self) -> sa.Delete:
        return self.table.delete().where(*self._is_all)

    @property
    def _is_all(self) -> list[sa.ColumnElement[bool]]:
        columns = (self.table.c.revision, self.table.c.direction)
        return [column == sa.bindparam(f"of_{column.name}") for column in columns]

    @property
    def _is_one(self) -> sa.ColumnElement[bool]:
        return self.table.c.position == sa.bindparam("of_position")

    def _row(self, of: HalfDone, entry: Entry) -> dict[str, t.Any]:
        statement = redact(entry.statement, self.connection.engine)
        return {
            **vars(of),
            **vars(entry),
            "statement": statement,
            "at": utc_now(),
            "run_by": self._who,
        }

    def execute(self, statement: str) -> None:
        """Run a text that is not of the revision.

        :param statement: Such as ``BEGIN``.
        """
        with own():
            self.connection.exec_driver_sql(statement)

    def _run(self, statement: sa.Executable, values: t.Any = None) -> t.Any:
        with own():
            return self.connection.execute(statement, values)

    @cached_property
    def _who(self) -> str:
        return f"process {os.getpid()} on {socket.gethostname()}"[:255]


# The same one is looked for in many databases.
@lru_cache(maxsize=64)
def _make_table(name: str, schema: str | None, dialect: str) -> sa.Table:
    return sa.Table(
        name,
        sa.MetaData(),
        sa.Column("revision", sa.String(255), primary_key=True),
        sa.Column("direction", sa.String(9), primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("sha", sa.String(64), nullable=False),
        sa.Column("statement", sa.Text, nullable=False),
        sa.Column("state", sa.String(5), nullable=False),
        sa.Column("rowcount", sa.BigInteger),
        sa.Column("lastrowid", sa.BigInteger),
        sa.Column("at", sa.DateTime, nullable=False),
        sa.Column("run_by", sa.String(255), nullable=False),
        schema=schema,
        # Ids differ that are written large and small.
        **table_options(dialect, collate="utf8mb4_bin"),
    )


def _key(of: HalfDone, position: int | None) -> dict[str, t.Any]:
    key = {"of_revision": of.revision, "of_direction": of.direction}
    return key if position is None else {**key, "of_position": position}
