"""The database servers that tests run on. They are real, and found by their URLs."""

from __future__ import annotations

import functools
import os
import secrets
import typing as t
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from kept_databases import kept_on

POSTGRESQL = os.environ.get(
    "FLASK_ALEMBIC_TEST_POSTGRESQL",
    "postgresql+psycopg://postgres@127.0.0.1:5432/postgres",
)
MARIADB = os.environ.get(
    "FLASK_ALEMBIC_TEST_MARIADB", "mysql+pymysql://root@127.0.0.1:3306/"
)
NAMES: t.Final = ("sqlite", "postgresql", "mariadb")
ASYNC_DRIVERS: t.Final = {
    "aiosqlite": "sqlite",
    "asyncpg": "postgresql",
    "psycopg": "postgresql",
    "aiomysql": "mariadb",
}
"""Drivers of async engines, and the server that each is for."""


@dataclass(frozen=True)
class Server:
    """A server, and what it said of itself."""

    name: str
    url: sa.URL | None
    version: str
    problem: str | None = None


def find(name: str) -> Server:
    """Ask a server for its version."""
    if name == "sqlite":
        with _engine(sa.make_url("sqlite://")).connect() as connection:
            version = connection.scalar(sa.text("select sqlite_version()"))
        return Server(name, None, f"SQLite {version}")

    url = sa.make_url(POSTGRESQL if name == "postgresql" else MARIADB)

    try:
        with _engine(url).connect() as connection:
            version = str(connection.scalar(sa.text("select version()")))
    except sa.exc.SQLAlchemyError as error:
        reason = str(getattr(error, "orig", error)).strip().splitlines()[0]
        return Server(name, url, "not found", f"{name} at {url}: {reason}")

    return Server(name, url, version.split(" on ")[0])


class Databases:
    """Has databases made, and takes them away when a test is over."""

    def __init__(self, server: Server, folder: Path) -> None:
        self.server = server
        self.folder = folder
        self._made: list[str] = []

    def make(self) -> str:
        """A new, empty database: its URL."""
        url = self.server.url

        if url is None:
            return f"sqlite:///{self.folder / _new_name()}.db"

        if self.server.name == "postgresql":
            name = kept_on(url).lend()
        else:
            name = _new_name()
            _execute(url, f"CREATE DATABASE {name}")

        self._made.append(name)
        return url.set(database=name).render_as_string(hide_password=False)

    def drop_all(self) -> None:
        """Take away what was made. PostgreSQL refuses if a connection was left open."""
        made, self._made = self._made, []
        url = self.server.url

        for name in made:
            assert url is not None

            if self.server.name == "postgresql":
                kept_on(url).take_back(name)
            else:
                _execute(url, f"DROP DATABASE {name}")


def with_driver(url: str, driver: str) -> str:
    """The URL of a database, for another driver."""
    made = sa.make_url(url)
    name = f"{made.get_backend_name()}+{driver}"
    return made.set(drivername=name).render_as_string(hide_password=False)


def _new_name() -> str:
    return f"flask_alembic_test_{secrets.token_hex(6)}"


def _execute(url: sa.URL, statement: str) -> None:
    with _engine(url).connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        connection.exec_driver_sql(statement)


@functools.cache
def _engine(url: sa.URL) -> sa.Engine:
    connect_args = {} if url.drivername.startswith("sqlite") else {"connect_timeout": 5}
    return sa.create_engine(url, poolclass=sa.NullPool, connect_args=connect_args)
