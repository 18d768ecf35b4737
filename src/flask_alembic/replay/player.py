"""Executes scores on the driver's connection, as SQLAlchemy would cost more time than
the database.
"""

from __future__ import annotations

import typing as t
from contextlib import contextmanager
from contextlib import suppress
from dataclasses import dataclass

if t.TYPE_CHECKING:
    import sqlalchemy as sa

    from ..database_run import DatabaseRun
    from ..tapes import Taped
    from .score import Score
    from .score import Tables


@dataclass(frozen=True)
class Look:
    """Where a database is, as a glance tells."""

    heads: tuple[str, ...]
    """The ids in the version table."""
    has_version: bool
    has_history: bool
    has_journal: bool


class Diverged(Exception):
    """A database did not answer as the first one."""


class Player:
    """Plays on one connection.

    :param database: The database.
    :param tables: Our own tables there.
    """

    def __init__(self, database: DatabaseRun, tables: Tables) -> None:
        self._database = database
        self._tables = tables
        connection = t.cast("sa.Connection", database.context.connection)
        driver: t.Any = connection.connection.dbapi_connection
        self._driver = driver
        self._cursor = driver.cursor()
        self._missing: list[str] = []

    def look(self) -> Look:
        """Where the database is, outside of a transaction."""
        has_version, has_history, has_journal = self._has_tables()
        heads: tuple[str, ...] = ()

        if has_version:
            tables = self._tables
            self._execute(f"SELECT {tables.column} FROM {tables.version}")
            heads = tuple(row[0] for row in self._cursor.fetchall())

        return Look(heads, has_version, has_history, has_journal)

    def _has_tables(self) -> tuple[bool, bool, bool]:
        """Whether the version table is there, the history, the journal."""
        raise NotImplementedError

    @contextmanager
    def playing(self) -> t.Iterator[None]:
        """Prepare the connection, and leave it in no transaction."""
        try:
            yield
        except BaseException:
            # If the connection is gone, so is the transaction.
            with suppress(Exception):
                self._execute("ROLLBACK")

            raise
        finally:
            with suppress(Exception):
                self._cursor.close()

    def play(self, score: Score) -> bool:
        """Execute a score.

        :param score: The score.
        :return: Whether all so far is committed.
        """
        raise NotImplementedError

    def finish(self) -> None:
        """Commit what is not committed."""

    def _execute(self, statement: str) -> None:
        self._cursor.execute(statement)

    def _play_taped(self, taped: Taped) -> None:
        cursor = self._cursor

        if taped.is_many:
            cursor.executemany(taped.statement, taped.parameters)
        elif taped.parameters is None:
            cursor.execute(taped.statement)
        else:
            cursor.execute(taped.statement, taped.parameters)

        if taped.rows is not None:
            _compare(cursor, taped)

    def begin(self, look: Look) -> None:
        """Note what has to be made with the first revision.

        :param look: Where the database is.
        """
        is_new = not look.has_version and not look.has_history

        if is_new and self._tables.history is not None:
            self._missing = [self._tables.create_history]

    def _start(self, score: Score) -> t.Iterator[str]:
        """What comes before a revision."""
        yield from self._missing
        self._missing = []

        if score.is_first:
            yield self._tables.create_version

    def _notes(self, score: Score) -> t.Iterator[str]:
        """What is written down of a revision, before the version table changes."""
        if self._tables.history is not None:
            yield score.note


def _compare(cursor: t.Any, taped: Taped) -> None:
    expected = t.cast("tuple[tuple[t.Any, ...], ...]", taped.rows)
    found = cursor.fetchmany(len(expected) + 1) or ()
    rows = tuple(tuple(row) for row in found)

    if not taped.is_whole:
        rows = rows[: len(expected)]

    if rows != expected:
        raise Diverged("The database answers something else than the first one did.")
