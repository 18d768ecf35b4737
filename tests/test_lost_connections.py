"""Connections that are lost while a revision runs."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask

from apps import Apps
from apps import write_revision
from conftest import Cli
from flask_alembic import Alembic
from flask_alembic import ConnectionLost
from flask_alembic import MigrationFailed
from own_servers import OwnMariaDB
from own_servers import OwnPostgreSQL
from servers import Databases
from servers import with_driver
from sessions import ask
from sessions import Session

pytestmark = pytest.mark.faults

on_servers = pytest.mark.parametrize("server", ["postgresql", "mariadb"], indirect=True)
on_postgresql = pytest.mark.parametrize("server", ["postgresql"], indirect=True)
on_async = pytest.mark.parametrize(
    "driver", ["asyncpg", "psycopg", "aiomysql"], indirect=True
)

MAKE: t.Final = 'op.execute("CREATE TABLE made (id integer)")'
BETWEEN: t.Final = 'op.get_context().config.attributes["between"](op.get_bind())'
THEN: t.Final = 'op.execute("INSERT INTO made VALUES (1)")'
GOES_ON: t.Final = (
    "MariaDB can't roll back DDL. Run the same command again: it finds out what took"
    " effect, and goes on from there."
)
LOST: t.Final = "The connection to the database 'default' was lost while revision r2 "


def end_session(url: str, connection: sa.Connection) -> None:
    """End the session of a connection, as an administrator would."""
    if "mysql" in url:
        id_ = connection.exec_driver_sql("SELECT CONNECTION_ID()").scalar()
        ask(url, f"KILL {id_}")
    else:
        id_ = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar()
        ask(url, f"SELECT pg_terminate_backend({id_})")


def with_revisions(
    app: Flask, code: str = f"{MAKE}\n{BETWEEN}\n{THEN}"
) -> t.Callable[..., t.Any]:
    """Write two revisions. In the second something happens."""
    write_revision(app, "r1")
    write_revision(app, "r2", "r1", upgrade=code)

    def run(alembic: Alembic, between: t.Callable[[sa.Connection], None]) -> t.Any:
        with app.app_context():
            alembic.config.attributes["between"] = between
            return alembic.upgrade()

    return run


def nothing(connection: sa.Connection) -> None:
    """Nothing happens."""


@on_servers
def test_administrator(url: str, apps: Apps) -> None:
    """The error tells what holds, and the same command goes on."""
    app, alembic = apps.plain(url)
    run = with_revisions(app)

    with pytest.raises(ConnectionLost) as info:
        run(alembic, lambda connection: end_session(url, connection))

    error = info.value
    assert str(error).startswith(f"{LOST}ran: ")
    assert error.exit_code == 1
    assert (error.database, error.revision) == ("default", "r2")
    assert error.standing == {"default": ("r1",)}
    assert isinstance(error, sa.exc.DBAPIError)

    if "postgres" in url:
        assert error.kept == ()
        assert error.hint == (
            "Nothing of this revision was kept. To go on, run the same command again."
        )
    else:
        assert error.kept == ("CREATE TABLE made (id integer)",)
        assert error.hint == GOES_ON

    run(alembic, nothing)
    assert ask(url, "SELECT id FROM made") == [(1,)]


@on_async
def test_administrator_async(
    async_databases: Databases,
    apps: Apps,
    driver: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The same with async drivers. That the cursor is closed late is no news."""
    url = async_databases.make()
    app, alembic, _ = apps.plain_async(with_driver(url, driver))
    run = with_revisions(app)

    with pytest.raises(ConnectionLost, match=f"^{LOST}ran: "):
        run(alembic, lambda connection: end_session(url, connection))

    assert "Error closing cursor" not in caplog.text
    run(alembic, nothing)
    assert ask(url, "SELECT id FROM made") == [(1,)]


@on_servers
def test_first_statement(url: str, apps: Apps) -> None:
    """If a database can't roll back DDL, the statement that was cut off may count."""
    app, alembic = apps.plain(url)
    run = with_revisions(app, f"{BETWEEN}\n{MAKE}")

    with pytest.raises(ConnectionLost) as info:
        run(alembic, lambda connection: end_session(url, connection))

    if "mysql" in url:
        assert info.value.hint == GOES_ON

    run(alembic, nothing)
    assert ask(url, "SELECT version_num FROM alembic_version") == [("r2",)]


@on_servers
def test_first_statement_without_journal(url: str, apps: Apps) -> None:
    """Then the user has to look whether it took effect."""
    app, alembic = apps.plain(url, ALEMBIC={"journal": False})
    run = with_revisions(app, f"{BETWEEN}\n{MAKE}")

    with pytest.raises(ConnectionLost) as info:
        run(alembic, lambda connection: end_session(url, connection))

    if "mysql" in url:
        assert info.value.hint == (
            "MariaDB can't roll back DDL. See whether the last statement took effect,"
            " undo it if it did, and run the same command again."
        )


@on_postgresql
def test_error_is_swallowed(url: str, apps: Apps) -> None:
    """A revision may go on after the first error. Then SQLAlchemy refuses."""
    code = f"{BETWEEN}\ntry:\n    {THEN}\nexcept Exception:\n    pass\n{MAKE}"
    app, alembic = apps.plain(url)

    with pytest.raises(ConnectionLost, match=f"^{LOST}ran: PendingRollbackError"):
        with_revisions(app, code)(
            alembic, lambda connection: end_session(url, connection)
        )


@on_postgresql
def test_connection_of_a_revision(url: str, apps: Apps) -> None:
    """If a revision loses a connection of its own, that is a failure like any other."""
    app, alembic = apps.plain(url)

    def lose(connection: sa.Connection) -> None:
        with Session(url) as session:
            end_session(url, session.connection)
            session.execute("SELECT 1")

    with pytest.raises(MigrationFailed) as info:
        with_revisions(app)(alembic, lose)

    assert not isinstance(info.value, ConnectionLost)


@on_servers
def test_commit(url: str, apps: Apps) -> None:
    """If a commit has no answer, nobody knows. The next run finds out."""
    app, alembic = apps.plain(url)
    armed: list[sa.Connection] = []

    @sa.event.listens_for(next(iter(alembic.engines.values())), "commit")
    def commit(connection: sa.Connection) -> None:
        if armed:
            armed.clear()
            end_session(url, connection)

    run = with_revisions(app, f"{MAKE}\n{BETWEEN}")

    with pytest.raises(ConnectionLost) as info:
        run(alembic, armed.append)

    assert str(info.value).startswith(
        f"{LOST}was committed, so that nobody knows whether it was: "
    )
    assert info.value.hint == (
        "Run the same command again: it finds out, and goes on from there."
    )

    run(alembic, nothing)
    assert ask(url, "SELECT version_num FROM alembic_version") == [("r2",)]


def test_postgresql_restarts(apps: Apps) -> None:
    """A server that is restarted during a run."""
    server = OwnPostgreSQL()

    try:
        server.start()
        app, alembic = apps.plain(server.url)
        run = with_revisions(app)

        with pytest.raises(ConnectionLost) as info:
            run(alembic, lambda connection: server.restart())

        assert info.value.kept == ()
        run(alembic, nothing)
        assert ask(server.url, "SELECT id FROM made") == [(1,)]
    finally:
        server.remove()


def test_mariadb_restarts(apps: Apps, tmp_path: Path) -> None:
    """The same on MariaDB, where what was kept is told."""
    server = OwnMariaDB(tmp_path / "mariadb")

    try:
        server.start()
        app, alembic = apps.plain(server.url)
        run = with_revisions(app)

        with pytest.raises(ConnectionLost) as info:
            run(alembic, lambda connection: server.restart())

        assert info.value.kept == ("CREATE TABLE made (id integer)",)
        # Whether the server has lost the note that it was done depends on its disk.
        run(alembic, nothing)
        assert ask(server.url, "SELECT id FROM made") == [(1,)]
    finally:
        server.stop()


def test_command(apps: Apps, db: Cli) -> None:
    """The command exits with 1, and says where the database stands."""
    server = OwnPostgreSQL()

    try:
        server.start()
        app, alembic = apps.plain(server.url)
        with_revisions(app)

        @alembic.prepare_connection
        def prepare(connection: sa.Connection, database: t.Any) -> None:
            alembic.config.attributes["between"] = lambda found: server.restart()

        result = db(app, "upgrade")
    finally:
        server.remove()

    assert result.exit_code == 1
    assert "default is at r1." in result.stderr
    assert f"Error: {LOST}ran: " in result.stderr
    assert "Hint: Nothing of this revision was kept. To go on, " in result.stderr
