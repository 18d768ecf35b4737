"""One database a round: made, looked at by an administrator, dropped."""

from __future__ import annotations

import secrets
import typing as t
from contextlib import contextmanager
from contextlib import suppress
from pathlib import Path
from random import Random

import sqlalchemy as sa

from servers import find
from servers import Server

SESSIONS: t.Final = {
    "postgresql": "SELECT pid FROM pg_stat_activity WHERE datname = :name",
    "mariadb": "SELECT id FROM information_schema.processlist WHERE db = :name",
}
TERMINATE: t.Final = {
    "postgresql": "SELECT pg_terminate_backend({id})",
    "mariadb": "KILL {id}",
}


class Database:
    """A database on one of the servers. The administrator's connections are short, so
    that none is open when a process is forked.
    """

    def __init__(self, server: Server, folder: Path) -> None:
        self.server = server
        self.kind = server.name
        self.name = f"flask_alembic_chaos_{secrets.token_hex(6)}"
        self.url = self._url(folder)

    def _url(self, folder: Path) -> str:
        if self.server.url is None:
            return f"sqlite:///{folder / 'data.db'}"

        url = self.server.url.set(database=self.name)
        return url.render_as_string(hide_password=False)

    def create(self) -> None:
        """Make it; SQLite makes its own."""
        if self.server.url is not None:
            self._administrate(f"CREATE DATABASE {self.name}")

    def drop(self) -> None:
        """Drop it, whoever uses it still."""
        if self.server.url is not None:
            self.terminate()
            # PostgreSQL tells of an end before it has come.
            force = " WITH (FORCE)" if self.kind == "postgresql" else ""
            self._administrate(f"DROP DATABASE IF EXISTS {self.name}{force}")

    def terminate(self, random: Random | None = None) -> int:
        """End the sessions of others.

        :param random: Chooses one of them; by default all are ended.
        :return: How many were ended.
        """
        with self._administrator() as connection:
            statement = sa.text(SESSIONS[self.kind])
            ids = list(connection.scalars(statement, {"name": self.name}))
            chosen = [random.choice(ids)] if random and ids else ids

            for id_ in chosen:
                # It may have ended by itself meanwhile.
                with suppress(sa.exc.DBAPIError):
                    connection.exec_driver_sql(TERMINATE[self.kind].format(id=id_))

        return len(chosen)

    @contextmanager
    def connect(self) -> t.Iterator[sa.Connection]:
        """A connection to it, outside of any pool."""
        engine = sa.create_engine(self.url, poolclass=sa.NullPool)

        with engine.connect() as connection:
            yield connection

    @contextmanager
    def _administrator(self) -> t.Iterator[sa.Connection]:
        assert self.server.url is not None
        engine = sa.create_engine(self.server.url, poolclass=sa.NullPool)

        with engine.connect() as connection:
            yield connection.execution_options(isolation_level="AUTOCOMMIT")

    def _administrate(self, statement: str) -> None:
        with self._administrator() as connection:
            connection.exec_driver_sql(statement)


def find_server(name: str) -> Server:
    """A server that answers.

    :param name: The name of a kind of database.
    """
    server = find(name)

    if server.problem:
        raise SystemExit(server.problem)

    return server
