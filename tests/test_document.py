"""The document "Using Flask-Alembic", line by line: what it prints, runs."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.operations import Operations
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import Script
from alembic.script import ScriptDirectory
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from flask_sqlalchemy_lite import SQLAlchemy as Lite
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column

from apps import Apps
from apps import todo_metadata
from conftest import Cli
from conftest import tables
from flask_alembic import Alembic
from flask_alembic import AppContextError
from flask_alembic import MigrationFailed
from servers import Databases


def my_table() -> sa.MetaData:
    metadata = sa.MetaData()
    sa.Table(
        "my_table",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("my_column", sa.String(20)),
    )
    return metadata


def columns(url: str, table: str) -> set[str]:
    """The columns of a table, asked on a connection of the test's own."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    return {column["name"] for column in sa.inspect(engine).get_columns(table)}


def words(differences: t.Iterable[tuple[t.Any, ...]]) -> list[tuple[str, str, str]]:
    """Alembic's tuples about columns, without what depends on the server."""
    return [(diff[0], diff[2], diff[3].name) for diff in differences]


@pytest.fixture
def upgraded(url: str, apps: Apps) -> tuple[Flask, Alembic, str]:
    """An app whose database has ``my_table``."""
    app, alembic = apps.plain(url, my_table())

    with app.app_context():
        alembic.revision("made changes")
        alembic.upgrade()

    return app, alembic, url


# Initialize the application


def test_init_app(apps: Apps) -> None:
    """``alembic = Alembic()``, ``alembic.init_app(app)  # call in the app factory if
    you're using that pattern``
    """
    alembic = Alembic()

    def create_app() -> Flask:
        app = apps.flask()
        alembic.init_app(app)
        return app

    app = create_app()
    assert app.extensions["alembic"] is alembic
    assert "db" in app.cli.commands


def test_app_passed(apps: Apps) -> None:
    """``Either immediately pass an app to Alembic, or call init_app() later.``"""
    app = apps.flask()
    alembic = Alembic(app)
    assert app.extensions["alembic"] is alembic
    assert "db" in app.cli.commands


@pytest.mark.parametrize("alembic_first", [False, True])
def test_flask_sqlalchemy(url: str, apps: Apps, alembic_first: bool) -> None:
    """``When using Flask-SQLAlchemy, db.engines and db.metadata are used
    automatically.`` The order of the two extensions does not matter.
    """

    class Model(DeclarativeBase):
        pass

    db = SQLAlchemy(model_class=Model)
    alembic = Alembic()

    class Todo(Model):
        __tablename__ = "todo"
        id: Mapped[int] = mapped_column(primary_key=True)

    app = apps.flask(SQLALCHEMY_DATABASE_URI=url)

    if alembic_first:
        alembic.init_app(app)

    db.init_app(app)

    if not alembic_first:
        alembic.init_app(app)

    with app.app_context():
        try:
            alembic.revision("made changes")
            alembic.upgrade()
            assert tables(url) == {"alembic_version", "todo"}
            assert alembic.compare_metadata() == []
        finally:
            db.engine.dispose()


def test_flask_sqlalchemy_lite(url: str, apps: Apps) -> None:
    """``When using Flask-SQLAlchemy-Lite, db.engines is used automatically, but you
    must pass the metadata you defined.``
    ``alembic = Alembic(metadatas=Model.metadata)``
    """

    class Model(DeclarativeBase):
        pass

    alembic = Alembic(metadatas=Model.metadata)
    db = Lite()

    class Todo(Model):
        __tablename__ = "todo"
        id: Mapped[int] = mapped_column(primary_key=True)

    app = apps.flask(SQLALCHEMY_ENGINES={"default": url})
    db.init_app(app)
    alembic.init_app(app)

    with app.app_context():
        try:
            alembic.revision("made changes")
            alembic.upgrade()
            assert tables(url) == {"alembic_version", "todo"}
            assert alembic.compare_metadata() == []
        finally:
            db.engine.dispose()


def test_plain_sqlalchemy(url: str, apps: Apps) -> None:
    """``You can use Flask-Alembic with Flask-SQLAlchemy, Flask-SQLAlchemy-Lite, or
    plain SQLAlchemy``
    """
    app = apps.flask()
    alembic = Alembic(app, metadatas=todo_metadata(), engines=apps.engine(url))

    with app.app_context():
        alembic.revision("made changes")
        alembic.upgrade()
        assert tables(url) == {"alembic_version", "todo"}
        assert alembic.compare_metadata() == []


def test_several_databases(databases: Databases, apps: Apps) -> None:
    """``there is support for migrating multiple databases``"""
    urls = {"default": databases.make(), "auth": databases.make()}
    app, alembic = apps.several(urls, {"default": todo_metadata(), "auth": my_table()})

    with app.app_context():
        alembic.revision("made changes")
        alembic.upgrade()
        assert alembic.compare_metadata() == []

    assert tables(urls["default"]) == {"alembic_version", "todo"}
    assert tables(urls["auth"]) == {"alembic_version", "my_table"}


def test_folder_is_made(apps: Apps) -> None:
    """``When an app is registered, the migrations directory is created if it does not
    exist.``
    """
    app = apps.flask()
    folder = Path(app.root_path, "migrations")
    assert not folder.exists()

    Alembic(app)
    assert [path.name for path in folder.iterdir()] == ["script.py.mako"]


def test_folder_is_left_alone(apps: Apps) -> None:
    """``... is created if it does not exist.`` What it holds already stays so."""
    app = apps.flask()
    folder = Path(app.root_path, "migrations")
    folder.mkdir()
    (folder / "script.py.mako").write_text("my own template")
    (folder / "README").write_text("read me")

    Alembic(app)
    held = {path.name: path.read_text() for path in folder.iterdir()}
    assert held == {"script.py.mako": "my own template", "README": "read me"}


# Using Alembic from the command line


def test_commands(url: str, apps: Apps, db: Cli) -> None:
    """``$ flask db --help``, ``$ flask db revision "made changes"``,
    ``$ flask db upgrade``
    """
    app, alembic = apps.plain(url)
    result = db(app, "--help")
    assert result.exit_code == 0
    assert "  upgrade " in result.output

    result = db(app, "revision", "made changes")
    assert result.exit_code == 0, result.output
    (path,) = Path(app.root_path, "migrations").glob("*_made_changes.py")
    assert path.name in result.output

    result = db(app, "upgrade")
    assert result.exit_code == 0, result.output
    assert tables(url) == {"alembic_version", "todo"}


WSGI = """
import sqlalchemy as sa
from flask import Flask
from flask_alembic import Alembic

metadata = sa.MetaData()
sa.Table("todo", metadata, sa.Column("id", sa.Integer, primary_key=True))
app = Flask(__name__)
alembic = Alembic(app, metadatas=metadata, engines=sa.create_engine("sqlite:///t.db"))
"""


def test_commands_in_a_shell(tmp_path: Path) -> None:
    """``$ flask db --help``, ``$ flask db revision "made changes"``,
    ``$ flask db upgrade``, each in a process of its own.
    """
    Path(tmp_path, "app.py").write_text(WSGI)

    for line in [
        "flask db --help",
        'flask db revision "made changes"',
        "flask db upgrade",
    ]:
        result = subprocess.run(
            [sys.executable, "-m", *shlex.split(line)],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (result.returncode, result.stderr) == (0, ""), line
        assert result.stdout

    url = f"sqlite:///{tmp_path / 't.db'}"
    assert tables(url) == {"alembic_version", "todo"}


# Using Alembic from Python


def test_methods_return_data(
    sqlite_url: str, apps: Apps, capfd: pytest.CaptureFixture[str]
) -> None:
    """``Flask-Alembic's methods return data rather than produce output``"""
    app, alembic = apps.plain(sqlite_url)

    with app.app_context():
        (script,) = alembic.revision("made changes")
        alembic.upgrade()
        assert alembic.current() == (script,)
        assert alembic.log() == [script]
        assert alembic.heads() == (script,)
        assert alembic.compare_metadata() == []
        alembic.downgrade()
        alembic.stamp()

    assert capfd.readouterr() == ("", "")


def test_revision(url: str, apps: Apps) -> None:
    """``alembic.revision("made changes")``"""
    app, alembic = apps.plain(url)

    with app.app_context():
        (script,) = alembic.revision("made changes")

    assert isinstance(script, Script)
    assert script.doc == "made changes"
    assert Path(script.path).parent == Path(app.root_path, "migrations")
    assert tables(url) == set()


def test_upgrade(url: str, apps: Apps) -> None:
    """``# run all available upgrades``, ``alembic.upgrade()``"""
    app, alembic = apps.plain(url)

    with app.app_context():
        alembic.revision("made changes")
        alembic.upgrade()
        alembic.revision("more changes", empty=True)
        alembic.revision("even more changes", empty=True)
        alembic.upgrade()

    with app.app_context():
        assert [script.doc for script in alembic.current()] == ["even more changes"]

    assert tables(url) == {"alembic_version", "todo"}


def test_locate_and_compare(url: str, apps: Apps) -> None:
    """``alembic.script.get_revision("head")``,
    ``# could compare this to the "head" revision above to see if upgrades are needed``
    ``alembic.context.get_current_revision()``
    """
    app, alembic = apps.plain(url)

    with app.app_context():
        (first,) = alembic.revision("made changes")
        assert first is not None
        head = alembic.script.get_revision("head")
        assert head is not None
        assert head.revision == first.revision
        assert alembic.context.get_current_revision() is None

        alembic.upgrade()
        assert alembic.context.get_current_revision() == head.revision

        (second,) = alembic.revision("more", empty=True)
        assert second is not None
        head = alembic.script.get_revision("head")
        assert head is not None
        assert head.revision == second.revision
        assert alembic.context.get_current_revision() == first.revision


def test_op(upgraded: tuple[Flask, Alembic, str]) -> None:
    """``# probably don't want to do this outside a revision, but it'll work``
    ``alembic.op.drop_column("my_table", "my_column")``
    ``# see that the column you just dropped will be added back next revision``
    ``alembic.compare_metadata()``
    """
    app, alembic, url = upgraded
    back = [("add_column", "my_table", "my_column")]

    with app.app_context():
        alembic.op.drop_column("my_table", "my_column")
        assert words(alembic.compare_metadata()) == back
        assert alembic.needs_revision()

    assert columns(url, "my_table") == {"id"}

    with app.app_context():
        assert words(alembic.compare_metadata()) == back
        (script,) = alembic.revision("add it back")
        alembic.upgrade()

    assert script is not None
    assert columns(url, "my_table") == {"id", "my_column"}


def test_op_lasts_before_upgrade(upgraded: tuple[Flask, Alembic, str]) -> None:
    """``alembic.op`` ``outside a revision, but it'll work``: a migration in the same
    app context leaves what was done, also when the migration fails.
    """
    app, alembic, url = upgraded

    with app.app_context():
        alembic.op.drop_column("my_table", "my_column")
        (script,) = alembic.revision("broken", empty=True)
        assert script is not None
        path = Path(script.path)
        path.write_text(path.read_text().replace("    pass", "    1 / 0", 1))

    with app.app_context():
        alembic.op.create_table("before", sa.Column("id", sa.Integer))

        with pytest.raises(MigrationFailed):
            alembic.upgrade()

    assert columns(url, "my_table") == {"id"}
    assert tables(url) == {"alembic_version", "before", "my_table"}


def test_op_is_not_lost_by_reading(upgraded: tuple[Flask, Alembic, str]) -> None:
    """``alembic.op`` ``outside a revision, but it'll work``: looking around in the same
    app context leaves what was done.
    """
    app, alembic, url = upgraded

    with app.app_context():
        alembic.op.drop_column("my_table", "my_column")
        alembic.current()
        assert not alembic.needs_upgrade()
        assert not alembic.check().ok
        assert alembic.log("current")
        alembic.produce_migrations()

    assert columns(url, "my_table") == {"id"}


def test_op_in_a_nested_context(upgraded: tuple[Flask, Alembic, str]) -> None:
    """``alembic.op`` ``outside a revision, but it'll work``: an inner app context has
    connections of its own, and ends only them.
    """
    app, alembic, url = upgraded

    with app.app_context():
        with app.app_context():
            alembic.op.drop_column("my_table", "my_column")

        assert columns(url, "my_table") == {"id"}
        alembic.op.add_column("my_table", sa.Column("other", sa.Integer))

        with app.app_context():
            pass

        alembic.op.add_column("my_table", sa.Column("third", sa.Integer))

    assert columns(url, "my_table") == {"id", "other", "third"}


def test_op_and_an_exception(upgraded: tuple[Flask, Alembic, str]) -> None:
    """``alembic.op`` ``outside a revision, but it'll work``: an app context that ends
    by an exception rolls back, where the database can.
    """
    app, alembic, url = upgraded

    with pytest.raises(ZeroDivisionError), app.app_context():
        alembic.op.drop_column("my_table", "my_column")
        1 / 0  # noqa: B018

    rolled_back = not url.startswith("mysql")
    assert ("my_column" in columns(url, "my_table")) is rolled_back


def test_op_in_a_view_that_fails(sqlite_url: str, apps: Apps) -> None:
    """``alembic.op`` ``outside a revision, but it'll work``: a request that ends with
    an internal server error rolls back too.
    """
    app, alembic = apps.plain(sqlite_url)

    @app.post("/")
    def fail() -> str:
        alembic.op.create_table("made", sa.Column("id", sa.Integer))
        raise ZeroDivisionError

    assert app.test_client().post("/").status_code == 500
    assert tables(sqlite_url) == set()


def test_op_data_lasts(upgraded: tuple[Flask, Alembic, str]) -> None:
    """``alembic.op`` ``outside a revision, but it'll work``: so it does with data."""
    app, alembic, url = upgraded

    with app.app_context():
        alembic.op.execute("INSERT INTO my_table (id, my_column) VALUES (1, 'a')")

    with pytest.raises(ZeroDivisionError), app.app_context():
        alembic.op.execute("INSERT INTO my_table (id, my_column) VALUES (2, 'b')")
        1 / 0  # noqa: B018

    engine = sa.create_engine(url, poolclass=sa.NullPool)

    with engine.connect() as connection:
        assert connection.scalars(sa.text("SELECT id FROM my_table")).all() == [1]


DEFERRED = (
    "ALTER TABLE my_table ADD COLUMN parent INTEGER"
    " REFERENCES my_table (id) DEFERRABLE INITIALLY DEFERRED"
)


@pytest.mark.parametrize("server", ["postgresql"], indirect=True)
def test_op_that_can_not_be_committed(upgraded: tuple[Flask, Alembic, str]) -> None:
    """``alembic.op`` ``outside a revision, but it'll work``: what can't be committed
    when the app context ends is an error, not silence.
    """
    app, alembic, url = upgraded

    with app.app_context():
        alembic.op.execute(DEFERRED)

    with pytest.raises(sa.exc.IntegrityError), app.app_context():
        alembic.op.execute("INSERT INTO my_table (id, parent) VALUES (1, 2)")


@pytest.mark.parametrize("server", ["postgresql"], indirect=True)
def test_op_after_a_statement_that_failed(
    upgraded: tuple[Flask, Alembic, str],
) -> None:
    """``alembic.op`` ``outside a revision, but it'll work``: PostgreSQL rolls back at
    COMMIT where a statement failed before. That is an error, not silence.
    """
    app, alembic, url = upgraded

    with pytest.raises((sa.exc.SQLAlchemyError, RuntimeError)), app.app_context():
        alembic.op.drop_column("my_table", "my_column")

        try:
            alembic.op.drop_table("nothing")
        except sa.exc.ProgrammingError:
            pass


# The two sets of names


@pytest.mark.parametrize(
    ("name", "other", "kind"),
    [
        ("script", "script_directory", ScriptDirectory),
        ("context", "migration_context", MigrationContext),
        ("env", "environment_context", EnvironmentContext),
    ],
)
def test_names(
    sqlite_url: str, apps: Apps, name: str, other: str, kind: type[object]
) -> None:
    """``You can also get at the Alembic internals``: by the names of the document, and
    by longer ones. Both are one object until the app context ends.
    """
    app, alembic = apps.plain(sqlite_url)

    with app.app_context():
        found = getattr(alembic, name)
        assert isinstance(found, kind)
        assert getattr(alembic, other) is found
        assert getattr(alembic, name) is found


def test_op_is_of_the_context(sqlite_url: str, apps: Apps) -> None:
    """``You can also get at the Alembic internals``: they belong together."""
    app, alembic = apps.plain(sqlite_url)

    with app.app_context():
        assert isinstance(alembic.op, Operations)
        assert alembic.op.migration_context is alembic.context
        assert alembic.env.get_context() is alembic.context
        assert alembic.env.script is alembic.script
        assert alembic.op is alembic.op


# App context


def test_upgrade_in_a_context(url: str, apps: Apps) -> None:
    """``with app.app_context():``, ``alembic.upgrade()``"""
    app, alembic = apps.plain(url)

    with app.app_context():
        alembic.revision("made changes")

    with app.app_context():
        alembic.upgrade()

    assert tables(url) == {"alembic_version", "todo"}


def test_in_a_view(url: str, apps: Apps) -> None:
    """``If you're calling them outside a view, set up a context manually.`` In a view
    there is one.
    """
    app, alembic = apps.plain(url)

    @app.post("/upgrade")
    def upgrade() -> dict[str, list[str]]:
        alembic.upgrade()
        return {"current": [script.doc for script in alembic.current()]}

    with app.app_context():
        alembic.revision("made changes")

    response = app.test_client().post("/upgrade")
    assert response.json == {"current": ["made changes"]}
    assert tables(url) == {"alembic_version", "todo"}


NEEDS_CONTEXT: dict[str, t.Callable[[Alembic], object]] = {
    "branches": lambda alembic: alembic.branches(),
    "check": lambda alembic: alembic.check(),
    "compare_metadata": lambda alembic: alembic.compare_metadata(),
    "config": lambda alembic: alembic.config,
    "context": lambda alembic: alembic.context,
    "current": lambda alembic: alembic.current(),
    "downgrade": lambda alembic: alembic.downgrade(),
    "env": lambda alembic: alembic.env,
    "environment_context": lambda alembic: alembic.environment_context,
    "heads": lambda alembic: alembic.heads(),
    "log": lambda alembic: alembic.log(),
    "merge": lambda alembic: alembic.merge(),
    "migration_context": lambda alembic: alembic.migration_context,
    "migration_contexts": lambda alembic: alembic.migration_contexts,
    "mkdir": lambda alembic: alembic.mkdir(),
    "needs_revision": lambda alembic: alembic.needs_revision(),
    "needs_upgrade": lambda alembic: alembic.needs_upgrade(),
    "op": lambda alembic: alembic.op,
    "ops": lambda alembic: alembic.ops,
    "produce_migrations": lambda alembic: alembic.produce_migrations(),
    "revision": lambda alembic: alembic.revision("made changes"),
    "run_migrations": lambda alembic: alembic.run_migrations(lambda h, c: []),
    "script": lambda alembic: alembic.script,
    "script_directory": lambda alembic: alembic.script_directory,
    "show": lambda alembic: alembic.show("head"),
    "stamp": lambda alembic: alembic.stamp(),
    "upgrade": lambda alembic: alembic.upgrade(),
}


@pytest.mark.parametrize("name", NEEDS_CONTEXT)
def test_outside_of_a_context(sqlite_url: str, apps: Apps, name: str) -> None:
    """``The functions require an app context.``"""
    app, alembic = apps.plain(sqlite_url)

    with pytest.raises(AppContextError) as caught:
        NEEDS_CONTEXT[name](alembic)

    assert isinstance(caught.value, RuntimeError)
    assert str(caught.value) == "Alembic needs an app context, and there is none."
    assert caught.value.hint == (
        "Outside of a view, push one: with app.app_context(): ..."
    )


@pytest.mark.parametrize("name", ["upgrade", "script", "op"])
def test_without_init_app(apps: Apps, name: str) -> None:
    """``call init_app() later``: whoever forgets to, is told so."""
    app = apps.flask()

    with app.app_context(), pytest.raises(AppContextError) as caught:
        NEEDS_CONTEXT[name](Alembic())

    assert str(caught.value) == "The app 'app' does not know this Alembic extension."
    assert caught.value.hint == "Did you forget to call alembic.init_app(app)?"
