"""Fixtures by topic: servers, apps, and what no test may leave behind."""

from __future__ import annotations

import functools
import os
import typing as t
from pathlib import Path

import alembic.context
import alembic.op
import pytest
import sqlalchemy as sa
from flask import Flask
from flask import g
from flask.testing import FlaskCliRunner

from apps import Apps
from commands import close_command_server
from kept_databases import drop_kept
from servers import ASYNC_DRIVERS
from servers import Databases
from servers import find
from servers import NAMES
from servers import Server
from servers import with_driver

find_once = functools.cache(find)

# PyMySQL reads all certificates of authorities that OpenSSL knows for each connection,
# with TLS or without: twenty times what connecting takes otherwise.
os.environ["SSL_CERT_FILE"] = os.devnull
os.environ["SSL_CERT_DIR"] = os.devnull


def pytest_report_header() -> list[str]:
    """Say which servers the tests run on."""
    return [f"servers: {', '.join(find_once(name).version for name in NAMES)}"]


def pytest_sessionfinish() -> None:
    """Leave no database on a server, and no process."""
    drop_kept()
    close_command_server()


@pytest.fixture(autouse=True)
def nothing_left_behind() -> t.Iterator[None]:
    """No app context, and no ``op`` or ``context`` proxy."""
    yield
    assert not g, "an app context is still pushed"

    for module in (alembic.op, alembic.context):
        assert getattr(module, "_proxy", None) is None, "a proxy is still there"


def _server(name: str) -> Server:
    server = find_once(name)

    if server.problem:
        if os.environ.get("FLASK_ALEMBIC_TEST_REQUIRE") == "all":
            pytest.fail(server.problem)

        pytest.skip(server.problem)

    return server


@pytest.fixture(params=NAMES)
def server(request: pytest.FixtureRequest) -> Server:
    """Each of the servers in turn."""
    return _server(request.param)


@pytest.fixture
def databases(server: Server, tmp_path: Path) -> t.Iterator[Databases]:
    """Makes databases on the server."""
    made = Databases(server, tmp_path)
    yield made
    made.drop_all()


@pytest.fixture
def apps(tmp_path: Path) -> t.Iterator[Apps]:
    """Makes apps, each in a folder of its own, and closes their engines.

    A test that takes this and ``databases`` takes ``databases`` first: what is made
    last goes first, and PostgreSQL drops no database that a connection is open to.
    """
    made = Apps(tmp_path)
    yield made
    made.close()


@pytest.fixture
def url(databases: Databases, apps: Apps) -> str:
    """A new, empty database on each of the servers in turn."""
    # "apps" is asked for so that its connections are closed before the database goes.
    return databases.make()


@pytest.fixture(params=ASYNC_DRIVERS)
def driver(request: pytest.FixtureRequest) -> str:
    """Each of the async drivers in turn."""
    name: str = request.param
    return name


@pytest.fixture
def async_databases(driver: str, tmp_path: Path) -> t.Iterator[Databases]:
    """Makes databases on the driver's server."""
    made = Databases(_server(ASYNC_DRIVERS[driver]), tmp_path)
    yield made
    made.drop_all()


@pytest.fixture
def async_url(async_databases: Databases, apps: Apps, driver: str) -> str:
    """A new, empty database for each of the async drivers in turn."""
    return with_driver(async_databases.make(), driver)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """A new, empty SQLite database, for what does not depend on the server."""
    return f"sqlite:///{tmp_path / 'test.db'}"


class Cli(t.Protocol):
    """Runs ``flask db`` on an app."""

    def __call__(self, app: Flask, *args: str) -> t.Any: ...


@pytest.fixture
def db() -> Cli:
    """Run ``flask db`` with arguments, as a user would type them. No context is
    pushed around it.
    """

    def run(app: Flask, *args: str) -> t.Any:
        runner: FlaskCliRunner = app.test_cli_runner()
        return runner.invoke(args=["db", *args])

    return run


def tables(url: str) -> set[str]:
    """The tables of a database, without those that we keep beside the version table."""
    found = tables_and_history(url)
    own = {f"{name}_history" for name in found} | {"alembic_version_history"}
    return found - own


def tables_and_history(url: str) -> set[str]:
    """The tables of a database, asked on a connection of the test's own. Whether there
    is a journal depends on the database.
    """
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    names = set(sa.inspect(engine).get_table_names())
    return {name for name in names if not name.endswith("_journal")}
