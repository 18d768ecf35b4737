"""What test suites of apps use: databases at head, and clean copies of them."""

from __future__ import annotations

import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask

from apps import Apps
from apps import write_revision
from flask_alembic import Alembic
from flask_alembic import ConfigurationError
from flask_alembic import FlaskAlembicError
from flask_alembic.scratch.servers import PREFIX
from flask_alembic.testing import databases_at_head
from servers import Server

CREATE_TODO: t.Final = (
    "op.create_table('todo', sa.Column('id', sa.Integer, primary_key=True),"
    " sa.Column('text', sa.String(50)))"
)
INSERT: t.Final = (
    "op.bulk_insert(sa.table('todo', sa.column('text')), [{'text': '5%'}])"
)

Factory = t.Callable[[t.Any], Flask]


@pytest.fixture
def place(server: Server) -> str:
    """The URL of each server in turn."""
    if server.url is None:
        return "sqlite://"

    return server.url.render_as_string(hide_password=False)


@pytest.fixture
def create_app(apps: Apps) -> Factory:
    """Makes apps with the same two revisions: a table, and a row in it."""

    def create(url: str | t.Mapping[str, str]) -> Flask:
        if isinstance(url, str):
            return apps.plain(url, name="same")[0]

        return apps.several(url)[0]

    app = apps.flask("same")
    write_revision(app, "a1", upgrade=CREATE_TODO)
    write_revision(app, "b2", "a1", upgrade=INSERT)
    return create


def ask(url: str, statement: str) -> list[tuple[t.Any, ...]]:
    engine = sa.create_engine(url, poolclass=sa.NullPool)

    with engine.begin() as connection:
        result = connection.execute(sa.text(statement))
        return [tuple(row) for row in result] if result.returns_rows else []


def test_copies(place: str, create_app: Factory) -> None:
    """Each copy is at head, and knows nothing of what was done to others."""
    with databases_at_head(create_app, place) as databases:
        for _ in range(3):
            with databases.copy() as url:
                assert ask(url, "SELECT id, text FROM todo") == [(1, "5%")]
                ask(url, "INSERT INTO todo (text) VALUES ('more')")
                ask(url, "UPDATE todo SET text = 'other' WHERE id = 1")
                assert ask(url, "SELECT max(id) FROM todo") == [(2,)]
                ask(url, "DELETE FROM alembic_version")


def test_counters(place: str, create_app: Factory) -> None:
    """Ids begin where they did, though rows were deleted."""
    with databases_at_head(create_app, place) as databases:
        for _ in range(2):
            with databases.copy() as url:
                ask(url, "INSERT INTO todo (text) VALUES ('more')")
                assert ask(url, "SELECT max(id) FROM todo") == [(2,)]
                ask(url, "DELETE FROM todo WHERE id = 2")


def test_by_an_app(place: str, create_app: Factory) -> None:
    """An app that uses a copy, and leaves connections to it in its pool."""
    with databases_at_head(create_app, place) as databases:
        with databases.copy() as url:
            app = create_app(url)
            alembic: Alembic = app.extensions["alembic"]

            with app.app_context():
                assert alembic.needs_upgrade() is False
                engine = alembic.databases["default"].engine

                with engine.connect() as connection:
                    connection.execute(sa.text("SELECT 1"))

            engine.dispose()


def test_dropped(server: Server, place: str, create_app: Factory) -> None:
    """All of them are dropped at the end, though a test has failed."""
    names = []

    with pytest.raises(ZeroDivisionError):
        with databases_at_head(create_app, place) as databases:
            with databases.copy() as url:
                names.append(sa.make_url(url).database or "")
                raise ZeroDivisionError

    (name,) = names

    if server.url is None:
        assert not Path(name).exists()
    else:
        assert name.startswith(PREFIX)
        query = (
            "SELECT datname FROM pg_database"
            if server.name == "postgresql"
            else "SELECT schema_name FROM information_schema.schemata"
        )
        assert (name,) not in ask(place, query)


def test_several(place: str, create_app: Factory, apps: Apps) -> None:
    """An app with several databases gets a copy of each."""

    def create(urls: t.Mapping[str, str]) -> Flask:
        app, _ = apps.several(urls)
        write_revision(app, "a1", upgrade=CREATE_TODO, arguments="engine_name")
        return app

    with databases_at_head(
        create, {"default": place, "auth": "sqlite://"}
    ) as databases:
        with databases.copy() as urls:
            assert set(urls) == {"default", "auth"}
            assert len(set(urls.values())) == 2

            for url in urls.values():
                assert ask(url, "SELECT id FROM todo") == []


def test_from_a_snapshot(create_app: Factory, apps: Apps, sqlite_url: str) -> None:
    """A snapshot is used where there is one."""
    app = create_app(sqlite_url)
    alembic: Alembic = app.extensions["alembic"]

    with app.app_context():
        alembic.snapshot(rows=True)

    with databases_at_head(create_app, "sqlite://") as databases:
        with databases.copy() as url:
            query = "SELECT DISTINCT direction FROM alembic_version_history"
            assert ask(url, query) == [("snapshot",)]


def test_in_memory(create_app: Factory) -> None:
    """A database in memory can be made a copy."""
    engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool)

    with databases_at_head(create_app, "sqlite://") as databases:
        for _ in range(2):
            with engine.connect() as connection:
                databases.copy_into(connection)
                rows = connection.execute(sa.text("SELECT id FROM todo")).all()
                assert rows == [(1,)]
                connection.execute(sa.text("DELETE FROM todo"))
                connection.commit()

    engine.dispose()


@pytest.mark.parametrize("server", ["postgresql", "mariadb"], indirect=True)
def test_into_another_kind(place: str, create_app: Factory) -> None:
    """Only SQLite's databases are copied so."""
    engine = sa.create_engine("sqlite://")

    with databases_at_head(create_app, place) as databases:
        with engine.connect() as connection:
            with pytest.raises(ConfigurationError, match="Only a SQLite"):
                databases.copy_into(connection)

    engine.dispose()


@pytest.mark.parametrize("server", ["mariadb"], indirect=True)
def test_one_at_a_time(place: str, create_app: Factory) -> None:
    """On MariaDB there is one copy only, and a second one is no surprise."""
    with databases_at_head(create_app, place) as databases:
        with databases.copy():
            with pytest.raises(FlaskAlembicError, match="one copy"):
                with databases.copy():
                    pass

        with databases.copy() as url:
            assert ask(url, "SELECT id FROM todo") == [(1,)]


def test_unknown_kind(create_app: Factory) -> None:
    """There are kinds of databases without copies."""
    with pytest.raises(ConfigurationError, match="'oracle'"):
        with databases_at_head(create_app, "oracle://nowhere"):
            pass


SUITE: t.Final = """
import os
import sqlalchemy as sa
from flask import Flask
from flask_alembic import Alembic
from flask_alembic.testing import database_fixtures

def create_app(url):
    app = Flask("app", root_path=os.environ["ROOT"])
    Alembic(app, metadatas=sa.MetaData(), engines=sa.create_engine(url))
    return app

def url():
    return os.environ["PLACE"]

databases_at_head, database_url = database_fixtures(create_app, url)
"""
TESTS: t.Final = """
import pytest
import sqlalchemy as sa

@pytest.mark.parametrize("n", range(6))
def test_clean(database_url, n):
    engine = sa.create_engine(database_url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM todo")) == 1
        connection.execute(sa.text("INSERT INTO todo (text) VALUES ('more')"))
"""


def test_fixtures(place: str, create_app: Factory, apps: Apps, tmp_path: Path) -> None:
    """The fixtures work in a suite of its own, in processes side by side."""
    suite = tmp_path / "suite"
    suite.mkdir()
    (suite / "conftest.py").write_text(SUITE)
    (suite / "test_clean.py").write_text(TESTS)
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", "2", "-p", "no:cacheprovider"],
        cwd=suite,
        env={
            "PATH": "",
            "ROOT": str(apps.folder / "same"),
            "PLACE": place,
            "HOME": str(tmp_path),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert "6 passed" in result.stdout, result.stdout + result.stderr


def test_imports_no_pytest() -> None:
    """pytest is needed for its fixtures only."""
    code = (
        "import sys, flask_alembic.testing;"
        "assert not {n.split('.')[0] for n in sys.modules} & {'pytest', '_pytest'}"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
