"""Databases that are not there yet."""

from __future__ import annotations

import logging
import threading
import time
import typing as t

import pytest
import sqlalchemy as sa

from apps import Apps
from apps import write_revision
from conftest import Cli
from flask_alembic import ConfigurationError
from flask_alembic import ConnectionFailed
from flask_alembic.retries import Deadline
from flask_alembic.waiting import patiently
from own_servers import free_port
from own_servers import OwnPostgreSQL
from sessions import ask

MAKE: t.Final = 'op.execute("CREATE TABLE made (id integer)")'


def nowhere() -> str:
    """The URL of a server that does not run."""
    return f"postgresql+psycopg://ada:s3cret-word@127.0.0.1:{free_port()}/postgres"


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that are made. They are cut short."""
    made: list[float] = []
    sleep = time.sleep

    def note(seconds: float) -> None:
        made.append(seconds)
        sleep(min(seconds, 0.05))

    monkeypatch.setattr("flask_alembic.waiting.time.sleep", note)
    return made


def test_server_starts(apps: Apps, db: Cli) -> None:
    """`--wait` upgrades as soon as the server is there."""
    server = OwnPostgreSQL()
    timer = threading.Timer(1, server.start)

    try:
        app, _ = apps.plain(server.url)
        write_revision(app, "r1", upgrade=MAKE)
        timer.start()
        result = db(app, "upgrade", "--wait", "30")
        assert result.exit_code == 0, result.output
        assert ask(server.url, "SELECT * FROM made") == []
    finally:
        timer.cancel()
        timer.join()
        apps.close()
        server.remove()


def test_give_up(
    apps: Apps, pauses: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    """When the time is over the error is the usual one. The log tells who is waited
    for, and no password.
    """
    caplog.set_level(logging.INFO, "flask_alembic")
    app, alembic = apps.plain(nowhere())
    write_revision(app, "r1")

    with app.app_context():
        with pytest.raises(ConnectionFailed) as once:
            alembic.upgrade()

        assert not pauses

        with pytest.raises(ConnectionFailed) as info:
            alembic.upgrade(wait=0.3)

    assert str(info.value) == str(once.value)
    assert pauses
    told = [r.getMessage() for r in caplog.records if r.name == "flask_alembic"]
    assert len(told) == len(pauses)
    start = "Waiting for the database 'default': connection failed: "
    assert told[0].startswith(start)
    assert told[0].endswith(" (0 s)")
    assert "s3cret" not in caplog.text


def test_block(apps: Apps, pauses: list[float]) -> None:
    """A block of `using(wait=...)` holds for all that connects in it."""
    app, alembic = apps.plain(nowhere())

    with app.app_context(), alembic.using(wait=0.1):
        with pytest.raises(ConnectionFailed):
            alembic.current()

    assert pauses


def test_one_time_for_all(apps: Apps, sqlite_url: str, pauses: list[float]) -> None:
    """Each call has its time anew."""
    app, alembic = apps.several({"first": sqlite_url, "second": nowhere()})

    with app.app_context(), alembic.using(wait=0.1):
        for _ in range(2):
            pauses.clear()

            with pytest.raises(ConnectionFailed) as info:
                alembic.upgrade()

            assert info.value.database == "second"
            assert pauses


def test_other_errors(apps: Apps, sqlite_url: str, pauses: list[float]) -> None:
    """What waiting does not mend is raised at once."""
    app, alembic = apps.plain(sqlite_url)
    write_revision(app, "r1", upgrade="1 / 0")

    with app.app_context():
        with pytest.raises(Exception, match="division by zero"):
            alembic.upgrade(wait=30)

        @alembic.prepare_connection
        def prepare(connection: sa.Connection, database: t.Any) -> None:
            connection.exec_driver_sql("SELECT * FROM missing")

        with pytest.raises(sa.exc.OperationalError, match="no such table"):
            alembic.upgrade(wait=30)

    def connect() -> None:
        raise ConfigurationError("no driver")

    with pytest.raises(ConfigurationError):
        patiently(connect, "default", Deadline(30))

    assert not pauses


@pytest.mark.parametrize("wait", ["60", -1, True, float("nan"), float("inf")])
def test_wrong_time(apps: Apps, sqlite_url: str, wait: t.Any) -> None:
    """Only a number of seconds is a time."""
    app, alembic = apps.plain(sqlite_url)

    with app.app_context():
        with pytest.raises(ConfigurationError) as info:
            alembic.upgrade(wait=wait)

    assert str(info.value) == f"wait={wait!r} must be a number of seconds, 0 or more."
    assert info.value.key == "wait"


@pytest.mark.parametrize("wait", ["soon", "-1"])
def test_wrong_option(apps: Apps, sqlite_url: str, db: Cli, wait: str) -> None:
    """The same on the command line."""
    app, _ = apps.plain(sqlite_url)
    result = db(app, "upgrade", f"--wait={wait}")
    assert result.exit_code == 2
    assert "'--wait'" in result.output


def test_command(apps: Apps, pauses: list[float], db: Cli) -> None:
    """The command fails as it does without waiting."""
    app, _ = apps.plain(nowhere())
    write_revision(app, "r1")
    result = db(app, "upgrade", "--wait", "0.1")
    assert result.exit_code == 1
    assert "Error: Can't connect to the database 'default'" in result.stderr
    assert "s3cret" not in result.output
    assert pauses


def test_pauses() -> None:
    """No pause is longer than the time that is left, and none begins after it."""
    deadline = Deadline(1000)
    assert all(0 <= t.cast(float, deadline.pause(n)) <= 5 for n in range(1, 100))
    almost_over = Deadline(10, started=time.monotonic() - 9.999)
    assert all((almost_over.pause(n) or 0) <= 0.001 for n in range(1, 100))
    assert Deadline(10, started=time.monotonic() - 10).pause(1) is None
