"""Executes scores on the driver's connection, as SQLAlchemy would cost more time than
the database. One player a kind of database.
"""

from __future__ import annotations

import time
import typing as t
from contextlib import contextmanager
from contextlib import suppress

from .. import alembic_internals

if t.TYPE_CHECKING:
    import sqlalchemy as sa
    from alembic.runtime.migration import MigrationContext

    from ..database_run import DatabaseRun
    from ..tapes import Taped
    from .score import Score
    from .score import Writer

# How long revisions may share a transaction on SQLite, in seconds. What they do is
# quick, and a commit waits for the disk.
_LONGEST: t.Final = 0.1


class Diverged(Exception):
    """A database did not answer as the first one."""


class Player:
    """Plays on one connection.

    :param database: The database.
    :param writer: Writes what is noted in our own tables.
    """

    def __init__(self, database: DatabaseRun, writer: Writer) -> None:
        self._database = database
        self._writer = writer
        connection = t.cast("sa.Connection", database.context.connection)
        self._driver: t.Any = connection.connection.dbapi_connection
        self._cursor: t.Any = self._driver.cursor()

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

    def _notes(self, score: Score, seconds: str) -> t.Iterator[str]:
        """What is written down of a revision."""
        if score.is_first:
            yield self._writer.create_version_table()

        if score.history:
            yield self._writer.note(score.history, seconds)

        yield from map(self._writer.change, score.changes)


class PostgreSQLPlayer(Player):
    """Sends a revision as one text, which begins a transaction and commits it."""

    @contextmanager
    def playing(self) -> t.Iterator[None]:
        """Let the driver begin no transaction."""
        self._driver.autocommit = True

        try:
            with super().playing():
                yield
        finally:
            with suppress(Exception):
                self._driver.autocommit = False

    def play(self, score: Score) -> bool:
        """Execute a score."""
        if score.tape.is_plain:
            texts = [taped.statement for taped in score.tape.statements]
            self._send("BEGIN", *self._timed(texts, score), *self._end(score))
            return True

        self._execute("BEGIN")

        for taped in score.tape.statements:
            *settings, _ = self._timed([taped.statement], score)

            for setting in settings:
                self._execute(setting)

            self._play_taped(taped)

        self._send(*self._end(score))
        return True

    def _timed(self, texts: t.Iterable[str], score: Score) -> t.Iterator[str]:
        return self._database.table_locks.timed(texts, score.lock_timeout)

    def _end(self, score: Score) -> t.Iterator[str]:
        # The seconds since BEGIN.
        seconds = "extract(epoch FROM clock_timestamp() - transaction_timestamp())"
        yield from self._notes(score, seconds)
        yield self._check(score)
        yield "COMMIT"

    def _check(self, score: Score) -> str:
        """What fails if the version table was changed by somebody who has no lock."""
        table, column = self._writer.version_table, self._writer.version_column
        new = [self._writer.literal(new) for _, new in score.changes if new]
        gone = [self._writer.literal(gone) for gone, _ in score.changes if gone]
        tests = [
            f"(SELECT count(*) FROM {table} WHERE {column} = {id_}) = {count}"
            for ids, count in ((new, 1), (gone, 0))
            for id_ in ids
        ]
        return f"SELECT 1 / CAST({' AND '.join(tests)} AS integer)"

    def _send(self, *statements: str) -> None:
        # A comment may stand at the end of a statement.
        self._execute("\n;\n".join(statements))


class SQLitePlayer(Player):
    """Lets revisions share a transaction for a short time. Only one can write to the
    database at a time, so nobody can wait for us while we wait for them.
    """

    def __init__(self, database: DatabaseRun, writer: Writer) -> None:
        super().__init__(database, writer)
        self._begun: float | None = None

    def play(self, score: Score) -> bool:
        """Execute a score."""
        started = time.monotonic()

        if self._begun is None:
            self._execute("BEGIN IMMEDIATE")
            self._begun = started

        for taped in score.tape.statements:
            self._play_taped(taped)

        for note in self._notes(score, repr(time.monotonic() - started)):
            self._execute(note)
            self._check(note)

        self._database.check()

        if time.monotonic() - self._begun > _LONGEST:
            self.finish()

        return self._begun is None

    def finish(self) -> None:
        """Commit."""
        if self._begun is not None:
            self._execute("COMMIT")
            self._begun = None

    def _check(self, note: str) -> None:
        if not note.lstrip().startswith("CREATE") and self._cursor.rowcount != 1:
            raise Diverged("The version table was changed by somebody else.")


def _compare(cursor: t.Any, taped: Taped) -> None:
    expected = t.cast("tuple[tuple[t.Any, ...], ...]", taped.rows)
    found = cursor.fetchmany(len(expected) + 1) or ()
    rows = tuple(tuple(row) for row in found)

    if not taped.is_whole:
        rows = rows[: len(expected)]

    if rows != expected:
        raise Diverged("The database answers something else than the first one did.")


_PLAYERS: t.Final[dict[tuple[str, str], type[Player]]] = {
    ("postgresql", "psycopg"): PostgreSQLPlayer,
    ("postgresql", "psycopg2"): PostgreSQLPlayer,
    ("sqlite", "pysqlite"): SQLitePlayer,
}


def find_player(context: MigrationContext) -> type[Player] | None:
    """What plays on a database.

    :param context: The context of the database.
    :return: The player; ``None`` where revisions have to run, because Alembic is told
        to do something else than it usually does, or listeners want to see statements.
    """
    dialect, connection = context.dialect, context.connection

    if connection is None or alembic_internals.in_external_transaction(context):
        return None

    is_usual = (
        context.impl.transactional_ddl
        and context.opts.get("transaction_per_migration") is not False
        and not context.on_version_apply_callbacks
        and not _is_listened_to(connection)
        and _begins_plainly(connection)
        and not connection.get_execution_options().get("schema_translate_map")
    )
    return _PLAYERS.get((dialect.name, dialect.driver)) if is_usual else None


def _is_listened_to(connection: sa.Connection) -> bool:
    """Whether somebody besides us may change statements, or look at them."""
    own = {"after_cursor_execute": 1, "before_cursor_execute": _is_sqlite(connection)}
    dispatch: t.Any = connection.dispatch
    return any(
        len(tuple(getattr(dispatch, name))) > own.get(name, 0)
        for name in ("before_execute", "after_execute", *own)
    )


def _is_sqlite(connection: sa.Connection) -> bool:
    return connection.dialect.name == "sqlite"


def _begins_plainly(connection: sa.Connection) -> bool:
    """Whether ``BEGIN`` begins what the driver would."""
    driver: t.Any = connection.connection.dbapi_connection

    if _is_sqlite(connection):
        return True

    names = ("isolation_level", "read_only", "readonly", "deferrable")
    return not driver.autocommit and not any(getattr(driver, n, None) for n in names)
