"""Executes scores on the driver's connection, as SQLAlchemy would cost more time than
the database. One player a kind of database.
"""

from __future__ import annotations

import time
import typing as t
from contextlib import contextmanager
from contextlib import suppress
from dataclasses import dataclass

from .. import alembic_internals
from ..own_tables import history_name
from ..own_tables import journal_name
from .score import Writer

if t.TYPE_CHECKING:
    import sqlalchemy as sa
    from alembic.runtime.migration import MigrationContext

    from ..database_run import DatabaseRun
    from ..tapes import Taped
    from .score import Score
    from .score import Tables

# How long revisions may share a transaction on SQLite, in seconds. What they do is
# quick, and a commit waits for the disk.
_LONGEST: t.Final = 0.1

_TABLES: t.Final = (
    "SELECT lower(name) FROM sqlite_master WHERE lower(name) IN (?, ?, ?)"
)


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


class PostgreSQLPlayer(Player):
    """Sends a revision as one text, which begins a transaction and commits it."""

    def _has_tables(self) -> tuple[bool, bool, bool]:
        tables = self._tables
        literal = Writer(self._database.context.dialect, tables).literal
        names = (tables.version, tables.history or "", tables.journal)
        tests = (f"to_regclass({literal(name)}) IS NOT NULL" for name in names)
        self._execute(f"SELECT {', '.join(tests)}")
        version, history, journal = self._cursor.fetchone()
        return version, history, journal

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
        start = ["BEGIN", *self._start(score)]

        if score.tape.is_plain:
            self._send(*start, *self._texts(score), *self._end(score))
            return True

        self._send(*start)

        for taped, (setting, _) in zip(
            score.tape.statements, self._timed(score), strict=True
        ):
            if setting:
                self._execute(setting)

            self._play_taped(taped)

        self._send(*self._end(score))
        return True

    def _texts(self, score: Score) -> list[str]:
        """The statements of a revision, as texts. They depend on the server alone."""
        usual = self._database.table_locks.usual

        if usual not in score.texts:
            pairs = self._timed(score)
            score.texts[usual] = [text for pair in pairs for text in pair if text]

        return score.texts[usual]

    def _timed(self, score: Score) -> list[tuple[str | None, str]]:
        texts = [taped.statement for taped in score.tape.statements]
        locks = self._database.table_locks
        return list(locks.timed(texts, score.lock_timeout))

    def _end(self, score: Score) -> t.Iterator[str]:
        texts = [*self._notes(score), *score.changes, score.check]
        # The seconds since BEGIN.
        seconds = "extract(epoch FROM clock_timestamp() - transaction_timestamp())"
        yield self._tables.fill(_joined(texts), seconds)
        yield "COMMIT"

    def _send(self, *statements: str) -> None:
        self._execute(_joined(statements))


class SQLitePlayer(Player):
    """Lets revisions share a transaction for a short time. Only one can write to the
    database at a time, so nobody can wait for us while we wait for them.
    """

    def __init__(self, database: DatabaseRun, tables: Tables) -> None:
        super().__init__(database, tables)
        self._begun: float | None = None

    def _has_tables(self) -> tuple[bool, bool, bool]:
        context = self._database.context
        names = context.version_table, history_name(context), journal_name(context)
        self._cursor.execute(_TABLES, [name.lower() for name in names])
        found = {row[0] for row in self._cursor.fetchall()}
        version, history, journal = (name.lower() in found for name in names)
        return version, history, journal

    def play(self, score: Score) -> bool:
        """Execute a score."""
        started = time.monotonic()

        if self._begun is None:
            self._execute("BEGIN IMMEDIATE")
            self._begun = started

        for statement in self._start(score):
            self._execute(statement)

        for taped in score.tape.statements:
            self._play_taped(taped)

        seconds = repr(time.monotonic() - started)

        for note in self._notes(score):
            self._execute(self._tables.fill(note, seconds))

        for change in score.changes:
            self._execute(self._tables.fill(change, seconds))

            if self._cursor.rowcount != 1:
                raise Diverged("The version table was changed by somebody else.")

        self._database.check()

        if time.monotonic() - self._begun > _LONGEST:
            self.finish()

        return self._begun is None

    def finish(self) -> None:
        """Commit."""
        if self._begun is not None:
            self._execute("COMMIT")
            self._begun = None


def _joined(statements: t.Iterable[str]) -> str:
    # A comment may stand at the end of one.
    return "\n;\n".join(statements)


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
        # That would be another file.
        and not (_is_sqlite(connection) and context.version_table_schema)
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

    names = ("read_only", "readonly", "deferrable")
    is_set = any(getattr(driver, name, None) is not None for name in names)
    return not driver.autocommit and not is_set and _has_usual_level(connection)


def _has_usual_level(connection: sa.Connection) -> bool:
    driver: t.Any = connection.connection.dbapi_connection
    level = driver.isolation_level
    # After an autocommit_block() it has the server's default, and not none.
    name = str(getattr(level, "name", level)).replace("_", " ")
    return level is None or name == connection.dialect.default_isolation_level
