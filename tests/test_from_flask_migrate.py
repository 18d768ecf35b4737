"""A project that Flask-Migrate made carries on with us, and goes back to it. The files
are made by Flask-Migrate's own commands.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
import sqlalchemy as sa

from conftest import tables
from projects import Project
from servers import Databases

APP = """\
import os

import sqlalchemy as sa
from flask import Flask
from flask_sqlalchemy import SQLAlchemy

OWN = ("alembic_version_history", "alembic_version_journal")
db = SQLAlchemy()
stage = int(os.environ["STAGE"])


def columns():
    yield "id", sa.Column(sa.Integer, primary_key=True)
    for number in range(2, stage + 1):
        yield f"column{number}", sa.Column(sa.String(20))


Todo = type("Todo", (db.Model,), dict(columns()))

if os.environ.get("SEVERAL"):
    User = type("User", (db.Model,), {"__bind_key__": "users", **dict(columns())})


def create_app():
    app = Flask(__name__)
    app.config["SQLALCHEMY_DATABASE_URI"] = os.environ["DEFAULT_URL"]

    if os.environ.get("SEVERAL"):
        app.config["SQLALCHEMY_BINDS"] = {"users": os.environ["USERS_URL"]}

    db.init_app(app)

    if os.environ["TOOL"] == "theirs":
        from flask_migrate import Migrate
        # It does not know our tables beside the version table.
        Migrate(app, db, include_name=lambda name, *args: name not in OWN)
    else:
        from flask_alembic import Alembic
        several = os.environ.get("SEVERAL")
        Alembic(app, metadatas=db.metadatas if several else None)

    return app
"""


def make(folder: Path, *init: str, **variables: str) -> Project:
    """A project with three revisions that Flask-Migrate wrote."""
    project = Project(folder, {"TOOL": "theirs", "STAGE": "1", **variables})
    project.write("app.py", APP)
    project.set(
        DEFAULT_URL=f"sqlite:///{folder / 'made.db'}",
        USERS_URL=f"sqlite:///{folder / 'users.db'}",
    )
    project.db("init", *init)

    for stage in ("1", "2", "3"):
        project.set(STAGE=stage)
        project.db("migrate", "-m", f"stage {stage}")
        project.db("upgrade")

    return project


@pytest.fixture(scope="module")
def made_single(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project with one database."""
    return make(tmp_path_factory.mktemp("single"))


@pytest.fixture(scope="module")
def made_several(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project with a bind, of Flask-Migrate's template for several."""
    return make(tmp_path_factory.mktemp("several"), "--multidb", SEVERAL="1")


def copied(project: Project, folder: Path, databases: Databases) -> Project:
    """A copy with databases of its own, which Flask-Migrate brought to head."""
    shutil.copytree(project.folder, folder, ignore=shutil.ignore_patterns("*.db"))
    copy = Project(folder, dict(project.variables))
    copy.set(DEFAULT_URL=databases.make(), USERS_URL=databases.make())
    copy.db("upgrade")
    return copy


servers = pytest.mark.parametrize("server", ["sqlite", "postgresql"], indirect=True)


@pytest.fixture
def single(made_single: Project, databases: Databases, tmp_path: Path) -> Project:
    """One database, on each of the servers."""
    return copied(made_single, tmp_path / "project", databases)


@pytest.fixture
def several(made_several: Project, databases: Databases, tmp_path: Path) -> Project:
    """Two databases, on each of the servers."""
    return copied(made_several, tmp_path / "project", databases)


def version(url: str) -> list[str]:
    """The ids in a version table."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)

    with engine.connect() as connection:
        rows = connection.scalars(sa.text("SELECT version_num FROM alembic_version"))
        return list(rows)


def columns(url: str, table: str) -> list[str]:
    """The columns of a table."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    return [column["name"] for column in sa.inspect(engine).get_columns(table)]


def ids(project: Project) -> list[str]:
    """The ids of all revisions, oldest first."""
    log = project.db("log")
    found = re.findall(r"-> (\w+)", log)
    return list(reversed(found))


@servers
def test_single(single: Project) -> None:
    """Everything goes on: where the database is, up, down, a new revision; and then
    Flask-Migrate goes on again.
    """
    url = single.variables["DEFAULT_URL"]
    before = single.files()
    single.set(TOOL="ours")
    first, second, third = ids(single)
    assert single.db("current") == f"default: {second} -> {third} (head), stage 3\n"
    assert single.db("check") == (
        "default: the database is at head and matches the models.\n"
    )
    assert single.db("upgrade") == f"default is already at head ({third}).\n"
    assert single.new_files(before) == []

    single.set(STAGE="4")
    assert "add column todo.column4" in single.db("check", code=1)
    written = single.db("revision", "stage 4")
    (name,) = single.new_files(before)
    assert re.fullmatch(r"versions/\d+_stage_4.py", name)
    assert written == f"Wrote migrations/{name}\n  add column todo.column4\n"
    assert f"down_revision = '{third}'" in single.files()[name]
    single.db("upgrade")
    single.db("check")
    *_, fourth = ids(single)
    assert version(url) == [fourth]

    single.db("downgrade", "base")
    assert tables(url) == {"alembic_version"}
    single.db("upgrade", second)
    assert columns(url, "todo") == ["id", "column2"]

    single.set(TOOL="theirs")
    assert second in single.db("current")
    single.db("upgrade")
    assert version(url) == [fourth]
    assert fourth in single.db("history")
    single.db("downgrade")
    assert version(url) == [third]
    single.db("upgrade")
    single.db("check")
    single.set(STAGE="5")
    single.db("migrate", "-m", "stage 5")
    single.db("upgrade")

    single.set(TOOL="ours")
    single.db("check")
    assert len(ids(single)) == 5
    assert columns(url, "todo") == ["id", *(f"column{n}" for n in range(2, 6))]


@servers
def test_several(several: Project) -> None:
    """The same with binds, whose default database has an empty name there."""
    urls = several.variables["DEFAULT_URL"], several.variables["USERS_URL"]
    before = several.files()
    several.set(TOOL="ours")
    _, second, third = ids(several)
    assert several.db("current") == (
        f"default: {second} -> {third} (head), stage 3\n"
        f"users: {second} -> {third} (head), stage 3\n"
    )
    several.db("check")

    several.set(STAGE="4")
    assert several.db("revision", "stage 4").splitlines()[1:] == [
        "  default: add column todo.column4",
        "  users: add column user.column4",
    ]
    (name,) = several.new_files(before)
    assert "def upgrade_():" in several.files()[name]
    several.db("upgrade")
    several.db("check")

    several.db("downgrade", "base")
    assert [tables(url) for url in urls] == [{"alembic_version"}] * 2
    several.db("upgrade", second)
    assert columns(urls[0], "todo") == columns(urls[1], "user") == ["id", "column2"]

    several.set(TOOL="theirs")
    several.db("upgrade")
    several.db("downgrade")
    assert version(urls[0]) == version(urls[1]) == [third]
    several.db("upgrade")
    several.set(STAGE="5")
    several.db("migrate", "-m", "stage 5")
    several.db("upgrade")

    several.set(TOOL="ours")
    several.db("check")
    assert len(ids(several)) == 5
    assert "column5" in columns(urls[1], "user")


@pytest.mark.parametrize("server", ["sqlite"], indirect=True)
def test_template_for_several_with_one(single: Project, made_several: Project) -> None:
    """The template for several databases serves an app that has no binds."""
    shutil.copy(
        made_several.folder / "migrations" / "script.py.mako",
        single.folder / "migrations",
    )
    single.set(TOOL="ours", STAGE="4")
    before = single.files()
    single.db("revision", "stage 4")
    (name,) = single.new_files(before)
    assert "def upgrade_():" in single.files()[name]
    single.db("upgrade")
    single.db("check")
    single.db("downgrade")
    assert "column4" not in columns(single.variables["DEFAULT_URL"], "todo")


@pytest.mark.parametrize("server", ["sqlite"], indirect=True)
def test_one_becomes_several(single: Project) -> None:
    """A bind comes: the template of one is refused, then replaced and kept. Old
    revisions are for the default database.
    """
    single.set(TOOL="ours", SEVERAL="1")
    single.db("upgrade")
    assert tables(single.variables["USERS_URL"]) == {"alembic_version"}
    before = single.files()
    refused = single.db("revision", "add users", code=1)
    assert "does not write 'users_upgrades', so operations would be lost" in refused
    assert "'flask db init --multidb'" in refused
    assert single.files() == before

    location = single.folder / "migrations"
    assert single.db("init", "--multidb") == (
        f"Replaced the template. The old one is {location}/script.py.mako.bak\n"
    )
    after = single.files()
    assert after.pop("script.py.mako.bak") == before["script.py.mako"]
    assert after.keys() == before.keys()
    single.db("revision", "add users")
    single.db("upgrade")
    single.db("check")
    assert tables(single.variables["USERS_URL"]) == {"alembic_version", "user"}

    single.set(SEVERAL="")
    assert "for several databases" in single.db("revision", "no", "--empty", code=1)
    assert "script.py.mako.bak2" in single.db("init")
    single.db("revision", "empty", "--empty")


@pytest.mark.parametrize("server", ["sqlite"], indirect=True)
def test_bind_is_taken_away(several: Project, databases: Databases) -> None:
    """Revisions of a bind that is gone are not run, and the log says which."""
    url = databases.make()
    several.set(TOOL="ours", SEVERAL="", DEFAULT_URL=url)
    printed = several.db("upgrade")
    assert printed.count("has operations for 'users', but the app has no such") == 3
    several.db("check")
    assert tables(url) == {"alembic_version", "todo"}


@pytest.mark.parametrize("server", ["sqlite"], indirect=True)
def test_config_file(single: Project) -> None:
    """Its ``alembic.ini`` can be read on."""
    single.replace("migrations/alembic.ini", "# file_template", "file_template")
    single.replace(
        "app.py",
        "    db.init_app(app)\n",
        "    app.config['ALEMBIC'] = "
        "{'config_file': 'migrations/alembic.ini'}\n    db.init_app(app)\n",
    )
    single.replace(
        "migrations/alembic.ini", "%%(rev)s_%%(slug)s", "x_%%(rev)s_%%(slug)s"
    )
    single.set(TOOL="ours", STAGE="4")
    before = single.files()
    single.db("revision", "stage 4")
    (name,) = single.new_files(before)
    assert name.startswith("versions/x_")
