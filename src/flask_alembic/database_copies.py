"""A database that was made for test suites, and clean copies of it."""

from __future__ import annotations

import secrets
import sqlite3
import tempfile
import typing as t
from contextlib import closing
from contextlib import contextmanager
from contextlib import ExitStack
from pathlib import Path

import sqlalchemy as sa

from .errors import ConfigurationError
from .errors import FlaskAlembicError
from .scratch.servers import made_database
from .snapshots.kinds import ask
from .snapshots.kinds import execute
from .snapshots.mysql.schema import MySQLSchema
from .snapshots.mysql.session import quoted
from .snapshots.mysql.session import session
from .snapshots.mysql.session import UTC


class DatabaseCopies(t.Protocol):
    """A database, and what gives copies of it."""

    url: str
    """Where it is."""

    def remember(self) -> None:
        """Take note of how it is now."""

    def copy(self) -> t.ContextManager[str]:
        """Have a copy for a while: its URL."""

    def copy_into(self, connection: sa.Connection) -> None:
        """Copy it over another one."""


@contextmanager
def made_copies(url: str) -> t.Iterator[DatabaseCopies]:
    """Make an empty database, and drop it at the end.

    :param url: The URL of a server.
    :return: The database, and its copies.
    :raises ConfigurationError: If there are none of this kind.
    """
    place = sa.make_url(url)
    make = _MADE.get(place.get_backend_name())

    if make is None:
        raise ConfigurationError(
            "There are no copies of databases of the kind"
            f" '{place.get_backend_name()}'.",
            key="url",
        )

    with make(place) as found:
        yield found


class _SQLiteCopies:
    """A file."""

    def __init__(self, place: sa.URL, folder: Path) -> None:
        self._place = place
        self._folder = folder
        self._path = folder / "head.db"
        self.url = _text(place.set(database=str(self._path)))

    def remember(self) -> None:
        """Nothing is changed where it is."""

    @contextmanager
    def copy(self) -> t.Iterator[str]:
        path = self._folder / f"copy_{secrets.token_hex(4)}.db"

        with closing(sqlite3.connect(path)) as target:
            self._copy_to(target)

        try:
            yield _text(self._place.set(database=str(path)))
        finally:
            for file in self._folder.glob(f"{path.name}*"):
                file.unlink()

    def copy_into(self, connection: sa.Connection) -> None:
        driver: t.Any = connection.connection.driver_connection

        if not isinstance(driver, sqlite3.Connection):
            raise _not_sqlite()

        # What is begun keeps the copy out.
        connection.rollback()
        self._copy_to(driver)

    def _copy_to(self, target: sqlite3.Connection) -> None:
        with closing(sqlite3.connect(self._path)) as source:
            source.backup(target)


class _PostgreSQLCopies:
    """A template."""

    def __init__(self, place: sa.URL, connection: sa.Connection, name: str) -> None:
        self._place = place
        self._connection = connection
        self._name = name
        self.url = _text(place.set(database=name))

    def remember(self) -> None:
        """Nothing is changed where it is."""

    @contextmanager
    def copy(self) -> t.Iterator[str]:
        name = f"{self._name}_{secrets.token_hex(4)}"
        execute(self._connection, f"CREATE DATABASE {name} TEMPLATE {self._name}")

        try:
            yield _text(self._place.set(database=name))
        finally:
            # The pool of an app may be connected to it.
            execute(self._connection, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def copy_into(self, connection: sa.Connection) -> None:
        raise _not_sqlite()


class _MySQLCopies:
    """The database itself, which is brought back to what it was."""

    def __init__(self, place: sa.URL, name: str) -> None:
        self.url = _text(place.set(database=name))
        self._engine = sa.create_engine(self.url, poolclass=sa.NullPool)
        self._states: dict[str, object] = {}
        self._rows: dict[str, list[str]] = {}
        self._is_lent = False

    def remember(self) -> None:
        with self._engine.connect() as connection:
            schema = MySQLSchema(connection)
            self._states = _states(connection)
            self._rows = {
                table: [statement.sql for statement in schema.rows_of(table)]
                for table in schema.tables_with_rows()
            }

    @contextmanager
    def copy(self) -> t.Iterator[str]:
        if self._is_lent:
            raise FlaskAlembicError(
                "On MariaDB and MySQL there is one copy of a database at a time."
            )

        self._is_lent = True

        try:
            yield self.url
        finally:
            self._is_lent = False
            self._bring_back()

    def copy_into(self, connection: sa.Connection) -> None:
        raise _not_sqlite()

    def _bring_back(self) -> None:
        settings = {"foreign_key_checks": "0", "sql_mode": "'NO_AUTO_VALUE_ON_ZERO'"}

        with self._engine.connect() as connection:
            now = _states(connection)

            with session(connection, {**settings, **UTC}):
                for table, state in self._states.items():
                    if now.get(table) != state:
                        execute(connection, f"TRUNCATE TABLE {quoted(table)}")

                        for statement in self._rows.get(table, ()):
                            execute(connection, statement)

            connection.commit()


def _states(connection: sa.Connection) -> dict[str, object]:
    """For each table what differs if its rows do, or where it goes on to count."""
    counters = dict(
        tuple(row)
        for row in ask(
            connection,
            "SELECT table_name, auto_increment FROM information_schema.tables"
            " WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE'",
        )
    )

    if not counters:
        return {}

    # It begins each answer with the database.
    names = ", ".join(map(quoted, counters))
    checksums = [row[1] for row in ask(connection, f"CHECKSUM TABLE {names}")]
    return {
        name: (checksum, counters[name])
        for name, checksum in zip(counters, checksums, strict=True)
    }


@contextmanager
def _sqlite(place: sa.URL) -> t.Iterator[DatabaseCopies]:
    with tempfile.TemporaryDirectory(prefix="flask-alembic-scratch-") as folder:
        yield _SQLiteCopies(place, Path(folder))


@contextmanager
def _postgresql(place: sa.URL) -> t.Iterator[DatabaseCopies]:
    with ExitStack() as stack:
        connection, name = _made(place, stack)
        yield _PostgreSQLCopies(place, connection, name)


@contextmanager
def _mysql(place: sa.URL) -> t.Iterator[DatabaseCopies]:
    with ExitStack() as stack:
        _, name = _made(place, stack)
        yield _MySQLCopies(place, name)


def _made(place: sa.URL, stack: ExitStack) -> tuple[sa.Connection, str]:
    connection = stack.enter_context(
        sa.create_engine(place, poolclass=sa.NullPool).connect()
    )
    return connection, stack.enter_context(made_database(connection))


def _text(place: sa.URL) -> str:
    return place.render_as_string(hide_password=False)


def _not_sqlite() -> Exception:
    return ConfigurationError(
        "Only a SQLite database can be copied into a connection, with the driver of"
        " Python.",
        hint="Use the URL of a copy.",
        key="connection",
    )


_MADE: t.Final[dict[str, t.Callable[[sa.URL], t.ContextManager[DatabaseCopies]]]] = {
    "sqlite": _sqlite,
    "postgresql": _postgresql,
    "mysql": _mysql,
    "mariadb": _mysql,
}
