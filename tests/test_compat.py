"""What applications that were written for Flask-Alembic 3 do with it: they subclass it,
put its commands in groups of their own, and reach for private names.
"""

from __future__ import annotations

import importlib
import logging
import subprocess
import sys
import threading
import typing as t
from pathlib import Path

import click
import pytest
import sqlalchemy as sa
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.runtime.migration import MigrationStep
from alembic.script import ScriptDirectory
from click.testing import CliRunner
from flask import current_app
from flask import Flask
from flask.cli import FlaskGroup
from flask.cli import ScriptInfo
from flask.cli import with_appcontext

import flask_alembic.cli
from apps import Apps
from apps import todo_metadata
from apps import write_revision
from conftest import Cli
from conftest import tables
from flask_alembic import Alembic
from flask_alembic import ConnectionFailed
from flask_alembic import MigrationFailed
from flask_alembic import MigrationReport
from flask_alembic import TargetError
from flask_alembic.cli.group import DatabaseGroup
from servers import Databases
from servers import Server
from test_contexts import cut
from test_contexts import ids
from test_contexts import on_network
from test_contexts import on_postgresql
from test_contexts import pool_of

COMMANDS: t.Final[dict[str, tuple[str, ...]]] = {
    "branches": (),
    "check": (),
    "current": (),
    "downgrade": (),
    "heads": (),
    "log": (),
    "merge": (),
    "mkdir": (),
    "revision": ("more", "--empty"),
    "show": ("heads",),
    "stamp": (),
    "upgrade": (),
}

CREATE: t.Final = "op.create_table({!r}, sa.Column('id', sa.Integer))"


def sole_run(app: Flask, extension: Alembic) -> MigrationReport:
    with app.app_context():
        return extension.upgrade()


# Overridden methods


class Careful(Alembic):
    """Takes the connections before a run, and cleans up on them afterwards."""

    cleaned: list[int]

    def run_migrations(self, fn: t.Any, **kwargs: t.Any) -> None:  # type: ignore[override]
        self.cleaned = []
        connections = [
            context.connection
            for context in self.migration_contexts.values()
            if context.connection is not None
        ]

        for connection in connections:
            connection.execute(sa.text("SELECT 1"))

        try:
            super().run_migrations(fn, **kwargs)
        finally:
            for connection in connections:
                self.cleaned.append(connection.scalar(sa.text("SELECT 2")) or 0)


def test_connection_is_usable_after_a_failure(url: str, apps: Apps) -> None:
    """An override may use the connections that it took before, also when the run has
    failed. The next try gets new ones.
    """
    app, alembic = apps.plain(url, extension=Careful)
    assert isinstance(alembic, Careful)
    write_revision(app, "aaaa1", upgrade="op.execute('INSERT INTO cause VALUES (1)')")

    with app.app_context():
        first = alembic.migration_context

        with pytest.raises(MigrationFailed):
            alembic.upgrade()

        assert alembic.cleaned == [2]
        write_revision(app, "aaaa1", upgrade=CREATE.format("made"))

    with app.test_request_context():
        alembic.upgrade()
        assert alembic.cleaned == [2]
        assert alembic.migration_context is not first
        assert len(alembic.current()) == 1
        engine = alembic.databases["default"].engine

    if isinstance(engine.pool, sa.QueuePool):
        assert pool_of(engine).checkedout() == 0

    assert tables(url) == {"alembic_version", "made"}


class Waiting(Alembic):
    """Fails fast where a table is locked, and tries again a few times."""

    timeouts = 0

    def run_migrations(self, fn: t.Any, **kwargs: t.Any) -> None:  # type: ignore[override]
        for _ in range(20):
            for context in self.migration_contexts.values():
                assert context.connection is not None
                context.connection.execute(
                    sa.text("SELECT set_config('lock_timeout', '100ms', false)")
                )

            try:
                super().run_migrations(fn, **kwargs)
                return
            except sa.exc.OperationalError as error:
                assert error.orig is not None
                assert getattr(error.orig, "sqlstate", None) == "55P03"
                self.timeouts += 1
                self._get_cache().clear()

        raise AssertionError("it never got the lock")


@on_postgresql
@pytest.mark.parametrize("table", ["alembic_version", "todo"])
def test_retry_after_a_lock(url: str, apps: Apps, table: str) -> None:
    """An override catches SQLAlchemy's error for a lock that it did not get, whether
    in a revision or before, and tries again. What it set on the connection is so for
    the rest of the app context.
    """
    app, alembic = apps.plain(url, extension=Waiting, ALEMBIC={"ddl_lock_retries": 0})
    assert isinstance(alembic, Waiting)
    engine = apps.engine(url)

    with app.app_context():
        alembic.revision("todo")
        alembic.upgrade()
        (script,) = alembic.heads()

    write_revision(
        app,
        "zzzz9",
        script.revision,
        upgrade="op.add_column('todo', sa.Column('more', sa.Integer))",
    )
    holder = engine.connect()
    holder.execute(sa.text(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"))
    timer = threading.Timer(1.5, holder.close)
    timer.start()

    with app.app_context():
        report = alembic.upgrade()
        assert [step.revision for step in report.steps] == ["zzzz9"]
        connection = alembic.migration_context.connection
        assert connection is not None
        assert connection.scalar(sa.text("SHOW lock_timeout")) == "100ms"

    timer.join()
    assert alembic.timeouts > 0


@pytest.mark.parametrize(
    ("sql", "error"),
    [
        ("INSERT INTO nowhere VALUES (1)", sa.exc.DBAPIError),
        ("INSERT INTO made VALUES (NULL)", sa.exc.IntegrityError),
    ],
)
def test_error_of_the_database(
    url: str, apps: Apps, sql: str, error: type[sa.exc.DBAPIError]
) -> None:
    """What the database refused in a revision is SQLAlchemy's error, too."""
    app, alembic = apps.plain(url)
    code = "op.create_table('made', sa.Column('id', sa.Integer, nullable=False))"
    write_revision(app, "aaaa1", upgrade=f"{code}\nop.execute({sql!r})")

    with app.app_context(), pytest.raises(error) as info:
        alembic.upgrade()

    failed = info.value
    assert isinstance(failed, MigrationFailed)
    assert type(failed).__name__ == "MigrationFailed"
    assert str(failed) == failed.message
    assert failed.revision == "aaaa1"
    cause = failed.__cause__
    assert isinstance(cause, error)
    assert failed.orig is cause.orig
    assert failed.statement == cause.statement == sql


def test_error_of_a_revision(sqlite_url: str, apps: Apps) -> None:
    """Other errors are none of SQLAlchemy's."""
    app, alembic = apps.plain(sqlite_url)
    write_revision(app, "aaaa1", upgrade="1 / 0")

    with app.app_context(), pytest.raises(MigrationFailed) as info:
        alembic.upgrade()

    assert type(info.value) is MigrationFailed


class Unchecked(Alembic):
    """Switches the check of SQLite's foreign keys off for a run."""

    def run_migrations(self, fn: t.Any, **kwargs: t.Any) -> None:  # type: ignore[override]
        connection = self.migration_context.connection
        assert connection is not None
        connection.exec_driver_sql("PRAGMA foreign_keys=OFF")

        try:
            super().run_migrations(fn, **kwargs)
        finally:
            connection.exec_driver_sql("PRAGMA foreign_keys=ON")


@pytest.mark.parametrize("fails", [True, False])
def test_pragma_of_an_override(sqlite_url: str, apps: Apps, fails: bool) -> None:
    """A pragma that does nothing within a transaction does something, as SQLAlchemy's
    transaction does not begin one by it.
    """
    app, alembic = apps.plain(sqlite_url, extension=Unchecked)
    write_revision(app, "aaaa1", upgrade="1 / 0" if fails else "pass")
    pragma = "PRAGMA foreign_keys"
    seen = []

    def look(heads: tuple[str, ...], context: MigrationContext) -> None:
        assert context.connection is not None
        seen.append(context.connection.exec_driver_sql(pragma).scalar())

    with app.app_context():
        connection = alembic.migration_context.connection
        assert connection is not None
        alembic.run_migrations(look)
        assert seen == [0]

        if fails:
            with pytest.raises(MigrationFailed):
                alembic.upgrade()
        else:
            alembic.upgrade()

        assert connection.exec_driver_sql(pragma).scalar() == 1


@on_network
def test_retry_after_the_database_went_away(url: str, apps: Apps) -> None:
    """A connection that was open when the server ended it does not stay in the way."""
    app, alembic = apps.plain(url)
    write_revision(app, "aaaa1", upgrade=CREATE.format("made"))

    with app.app_context():
        connection = alembic.migration_context.connection
        assert connection is not None
        connection.execute(sa.text("SELECT 1"))
        cut(url)

        with pytest.raises(sa.exc.OperationalError):
            alembic.upgrade()

        assert len(alembic.upgrade().steps) == 1

    assert tables(url) == {"alembic_version", "made"}


def test_keyword_arguments_of_an_override(sqlite_url: str, apps: Apps) -> None:
    """What an override adds reaches the functions of the revisions."""

    class Named(Alembic):
        def run_migrations(self, fn: t.Any, **kwargs: t.Any) -> MigrationReport:
            return super().run_migrations(fn, name="given", **kwargs)

    app, alembic = apps.plain(sqlite_url, extension=Named)
    write_revision(
        app,
        "aaaa1",
        arguments="name",
        upgrade="op.create_table(name, sa.Column('id', sa.Integer))",
        downgrade="op.drop_table(name)",
    )

    with app.app_context():
        alembic.upgrade()
        assert tables(sqlite_url) == {"alembic_version", "given"}
        alembic.downgrade()
        alembic.stamp()

    assert tables(sqlite_url) == {"alembic_version"}


class Older(Alembic):
    """Overrides the methods as they were in version 3, and returns nothing."""

    def run_migrations(self, fn: t.Any, *, skip: bool = False, **kwargs: t.Any) -> None:  # type: ignore[override]
        super().run_migrations(fn, **kwargs)

    def upgrade(self, target: t.Any = "heads", skip: bool = False) -> None:  # type: ignore[override]
        wanted = self._simplify_rev(target, handle_int=True)

        def steps(heads: tuple[str, ...], context: MigrationContext) -> t.Any:
            to = wanted[0] if len(wanted) == 1 else wanted
            return self.script_directory._upgrade_revs(to, heads)  # type: ignore[arg-type]

        self.run_migrations(steps, skip=skip)

    def downgrade(self, target: t.Any = -1) -> None:  # type: ignore[override]
        super().downgrade(target)

    def stamp(self, target: t.Any = "heads") -> None:  # type: ignore[override]
        super().stamp(target)

    def current(self) -> t.Any:  # type: ignore[override]
        return super().current()

    def heads(self, resolve_dependencies: bool = False) -> t.Any:
        return super().heads(resolve_dependencies)

    def branches(self) -> t.Any:
        return super().branches()

    def log(self, start: t.Any = "base", end: t.Any = "heads") -> t.Any:
        return super().log(start, end)

    def revision(  # type: ignore[override]
        self,
        message: str,
        empty: bool = False,
        branch: str = "default",
        parent: t.Any = "head",
        splice: bool = False,
        depend: t.Any = None,
        label: t.Any = None,
        path: t.Any = None,
    ) -> list[t.Any]:
        return list(
            super().revision(
                message, empty, branch, parent, splice, depend, label, path
            )
        )

    def merge(  # type: ignore[override]
        self, revisions: t.Any = "heads", message: t.Any = None, label: t.Any = None
    ) -> t.Any:
        return super().merge(revisions, message, label)

    def mkdir(self) -> None:
        super().mkdir()


@pytest.mark.parametrize("name", COMMANDS)
def test_command_of_overridden_methods(
    sqlite_url: str, apps: Apps, db: Cli, name: str
) -> None:
    """A command passes an overridden method what that knows, and does not rely on what
    it returns.
    """
    app, _ = apps.plain(sqlite_url, sa.MetaData(), extension=Older)
    write_revision(app, "aaaa1")
    assert db(app, "upgrade").exit_code == 0
    result = db(app, name, *COMMANDS[name])
    assert result.exit_code == 0, result.output


def test_report_of_overridden_methods(sqlite_url: str, apps: Apps, db: Cli) -> None:
    """The commands say what was done, all the same."""
    app, _ = apps.plain(sqlite_url, extension=Older)
    write_revision(app, "aaaa1")
    write_revision(app, "bbbb2", "aaaa1")
    output = db(app, "upgrade", "1").output
    assert output.splitlines()[0].startswith("  aaaa1  aaaa1  upgrade  ")
    assert output.splitlines()[1].startswith("1 revision applied to default; ")
    assert db(app, "upgrade").output.count("\n") == 2
    assert "bbbb2" in db(app, "downgrade").output
    assert "Wrote migrations" in db(app, "revision", "more", "--empty").output


def test_run_migrations_on_another_context(sqlite_url: str, apps: Apps) -> None:
    """An override may ask for the steps itself, with what it has."""
    app, alembic = apps.plain(sqlite_url)
    write_revision(app, "aaaa1")
    planned: list[t.Any] = []

    def plan(fn: t.Any) -> None:
        engine = apps.engine("sqlite://")

        with engine.connect() as connection:
            context = MigrationContext.configure(connection)
            planned.extend(step.revision.revision for step in fn((), context))

    with app.app_context():
        alembic.run_migrations = plan  # type: ignore[method-assign,assignment]
        alembic.upgrade()

    assert planned == ["aaaa1"]


# Overridden properties


METHODS: t.Final[dict[str, t.Callable[[Alembic], object]]] = {
    "branches": Alembic.branches,
    "check": Alembic.check,
    "compare_metadata": Alembic.compare_metadata,
    "current": Alembic.current,
    "current_by_database": Alembic.current_by_database,
    "downgrade": Alembic.downgrade,
    "heads": Alembic.heads,
    "log": Alembic.log,
    "log to current": lambda alembic: alembic.log(end="current"),
    "merge": Alembic.merge,
    "needs_revision": Alembic.needs_revision,
    "needs_upgrade": Alembic.needs_upgrade,
    "produce_migrations": Alembic.produce_migrations,
    "revision": lambda alembic: alembic.revision("more"),
    "show": lambda alembic: alembic.show("current"),
    "stamp": Alembic.stamp,
    "upgrade": Alembic.upgrade,
}


class Elsewhere(Alembic):
    """Its revisions lie beside the app's folder."""

    @property
    def config(self) -> Config:
        config = super().config
        folder = str(Path(current_app.root_path) / "elsewhere")
        config.set_main_option("script_location", folder)
        config.set_main_option("version_locations", folder)
        return config


class ElsewhereDirectory(Alembic):
    """The same by its script directory."""

    @property
    def script_directory(self) -> ScriptDirectory:  # type: ignore[override]
        return ScriptDirectory(str(Path(current_app.root_path) / "elsewhere"))


@pytest.fixture(params=[Elsewhere, ElsewhereDirectory])
def elsewhere(
    request: pytest.FixtureRequest, sqlite_url: str, apps: Apps
) -> tuple[Flask, Alembic]:
    """An app whose revisions are not where its settings say: what is there can't be
    read.
    """
    app, alembic = apps.plain(sqlite_url, extension=request.param)
    folder = "elsewhere"

    if request.param is ElsewhereDirectory:
        folder = "elsewhere/versions"
        template = Path(app.root_path, "migrations", "script.py.mako")
        Path(app.root_path, "elsewhere").mkdir()
        Path(app.root_path, "elsewhere", template.name).write_text(template.read_text())

    write_revision(
        app,
        "aaaa1",
        folder=folder,
        upgrade="op.create_table('todo', sa.Column('id', sa.Integer, primary_key=True),"
        " sa.Column('text', sa.String(50)))",
        downgrade="op.drop_table('todo')",
    )
    write_revision(app, "broken", header="raise ZeroDivisionError")
    sole_run(app, alembic)
    return app, alembic


@pytest.mark.parametrize("name", METHODS)
def test_methods_use_overridden_revisions(
    elsewhere: tuple[Flask, Alembic], name: str
) -> None:
    """Each method asks the overridden properties, not the settings."""
    app, alembic = elsewhere

    with app.app_context():
        METHODS[name](alembic)


@pytest.mark.parametrize("name", COMMANDS)
def test_commands_use_overridden_revisions(
    elsewhere: tuple[Flask, Alembic], db: Cli, name: str
) -> None:
    """So does each command."""
    app, _ = elsewhere
    result = db(app, name, *COMMANDS[name])
    assert result.exit_code == 0, result.output


class Tenant(Alembic):
    """Its connections are its own."""

    connection: sa.Connection
    metadata: sa.MetaData

    @property
    def migration_contexts(self) -> dict[str, MigrationContext]:
        if not hasattr(self, "made"):
            environment = EnvironmentContext(self.config, self.script_directory)
            environment.configure(
                connection=self.connection, target_metadata=self.metadata
            )
            self.made = {"default": environment.get_context()}

        return self.made


@pytest.mark.parametrize("name", METHODS)
def test_methods_use_overridden_contexts(
    sqlite_url: str, apps: Apps, tmp_path: Path, name: str
) -> None:
    """None connects by itself: the database of the settings can't be reached."""
    metadata = todo_metadata()
    app, alembic = apps.plain(
        f"sqlite:///{tmp_path}/missing/test.db", metadata, extension=Tenant
    )
    assert isinstance(alembic, Tenant)
    alembic.metadata = metadata
    write_revision(
        app,
        "aaaa1",
        upgrade="op.create_table('todo', sa.Column('id', sa.Integer, primary_key=True),"
        " sa.Column('text', sa.String(50)))",
        downgrade="op.drop_table('todo')",
    )

    with apps.engine(sqlite_url).connect() as alembic.connection:
        with app.app_context():
            alembic.upgrade()
            METHODS[name](alembic)


# Settings


def _replace(app: Flask, key: str, name: str, value: object) -> None:
    app.config[key] = {name: value}


def _item(app: Flask, key: str, name: str, value: object) -> None:
    app.config[key][name] = value


def _setdefault(app: Flask, key: str, name: str, value: object) -> None:
    config = app.config.setdefault(key, {})
    config.pop(name, None)
    config.setdefault(name, value)


def _update(app: Flask, key: str, name: str, value: object) -> None:
    app.config.from_mapping({key: {**app.config[key], name: value}})


@pytest.mark.parametrize("change", [_replace, _item, _setdefault, _update])
@pytest.mark.parametrize("run_mkdir", [True, False])
def test_settings_after_init_app(
    sqlite_url: str, apps: Apps, change: t.Callable[..., None], run_mkdir: bool
) -> None:
    """What is set after ``init_app`` counts, in whatever way it is set, and also if
    the folder was made of what was set before.
    """
    app = apps.flask()
    alembic = Alembic(
        app,
        run_mkdir=run_mkdir,
        metadatas=todo_metadata(),
        engines=apps.engine(sqlite_url),
    )
    change(app, "ALEMBIC", "script_location", "later")
    change(app, "ALEMBIC_CONTEXT", "version_table", "later")

    with app.app_context():
        alembic.mkdir()
        (script,) = alembic.revision("todo")
        assert script is not None
        assert Path(script.path).parent == Path(app.root_path, "later")
        alembic.upgrade()

    assert tables(sqlite_url) == {"later", "todo"}
    assert Path(app.root_path, "migrations").exists() is run_mkdir


def test_settings_of_an_application(apps: Apps, sqlite_url: str) -> None:
    """Options as applications have them: defaults of their own, autogenerate's plugins,
    an ini file's doubled percent signs, something of their own.
    """
    app = apps.flask()
    app.config.setdefault(
        "ALEMBIC",
        {
            "script_location": str(Path(app.root_path, "base")),
            "version_locations": [
                ("some.plugin", str(Path(app.root_path, "plugin"))),
            ],
            "file_template": "%%(year)d%%(month).2d%%(day).2d_%%(rev)s_%%(slug)s",
            "disabled_locations": ["a", "b"],
        },
    )
    app.config.setdefault(
        "ALEMBIC_CONTEXT",
        {
            "transaction_per_migration": True,
            "compare_type": True,
            "compare_server_default": True,
            "include_object": lambda *args: True,
        },
    )
    alembic = Alembic(app, metadatas=todo_metadata(), engines=apps.engine(sqlite_url))

    with app.app_context():
        (script,) = alembic.revision("todo", branch="some.plugin")
        assert script is not None
        assert Path(script.path).parent == Path(app.root_path, "plugin")
        alembic.upgrade("some.plugin@head")
        assert not alembic.compare_metadata()


# Commands


@pytest.mark.parametrize("name", ["cli", *COMMANDS])
def test_importing_commands(name: str) -> None:
    """The group and the commands can be imported from ``flask_alembic.cli``."""
    command = getattr(flask_alembic.cli, name)
    assert isinstance(command, click.Group if name == "cli" else click.Command)
    assert command.name == ("db" if name == "cli" else name)
    assert name in flask_alembic.cli.__all__


def test_importing_what_is_not_there() -> None:
    """Other names are none."""
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        assert flask_alembic.cli.nothing


def test_importing_the_group_of_version_2() -> None:
    """It is where it was, too."""
    module = importlib.import_module("flask_alembic.cli.click")
    assert module.cli is flask_alembic.cli.cli


def test_importing_loads_no_command() -> None:
    """The package of the commands loads none of them, nor Alembic."""
    code = "import sys, flask_alembic.cli; print(*sys.modules, sep='\\n')"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    loaded = result.stdout.split()
    assert "flask_alembic.cli" in loaded
    commands = {f"flask_alembic.cli.{name}" for name in ("read", "run", "write")}
    assert not {"alembic", *commands} & {*loaded}


def own_group(app: Flask) -> click.Group:
    """A program of an app's own, whose ``data`` has the commands."""

    @click.group(cls=FlaskGroup, create_app=lambda: app, add_default_commands=False)
    def program() -> None:
        """A program."""

    @program.group()
    @with_appcontext
    @click.pass_context
    def data(ctx: click.Context) -> None:
        """Migrate."""
        ctx.obj = current_app.extensions["alembic"]

    for name in COMMANDS:
        data.add_command(getattr(flask_alembic.cli, name))

    return program


@pytest.mark.parametrize("name", COMMANDS)
def test_own_group(sqlite_url: str, apps: Apps, name: str) -> None:
    """A group of one's own takes the commands, and hands them the extension."""
    app, _ = apps.plain(sqlite_url, sa.MetaData())
    write_revision(app, "aaaa1")
    program = own_group(app)
    runner = CliRunner()
    assert runner.invoke(program, ["data", "upgrade"]).exit_code == 0
    result = runner.invoke(program, ["data", name, *COMMANDS[name]])
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize("name", COMMANDS)
def test_own_program(sqlite_url: str, apps: Apps, name: str) -> None:
    """A command alone finds the extension of the app, and pushes its context."""
    app, _ = apps.plain(sqlite_url, sa.MetaData())
    write_revision(app, "aaaa1")
    sole_run(app, app.extensions["alembic"])
    command = getattr(flask_alembic.cli, name)
    info = ScriptInfo(create_app=lambda: app)
    result = CliRunner().invoke(command, COMMANDS[name], obj=info)
    assert result.exit_code == 0, result.output


def test_errors_in_an_own_group(sqlite_url: str, apps: Apps) -> None:
    """Errors are a line there, too."""
    app, _ = apps.plain(sqlite_url)
    result = CliRunner().invoke(own_group(app), ["data", "upgrade", "nothing"])
    assert result.exit_code == 1
    assert result.output == (
        "Error: There is no revision 'nothing'.\n"
        "Hint: Run 'flask db log' to see all revisions.\n"
    )


def test_app_without_extension(apps: Apps) -> None:
    """An app that was not registered is told of."""
    app = apps.flask()
    app.cli.add_command(flask_alembic.cli.cli)
    result = app.test_cli_runner().invoke(args=["db", "current"])
    assert result.exit_code == 2
    assert result.output.splitlines()[-1] == (
        "Error: The app 'app' has no Alembic extension. Did you forget to call"
        " alembic.init_app(app)?"
    )


def test_own_name_for_the_group(sqlite_url: str, apps: Apps) -> None:
    """The group may be added under another name."""
    app, _ = apps.plain(sqlite_url)
    app.cli.add_command(flask_alembic.cli.cli, "data")
    result = app.test_cli_runner().invoke(args=["data", "current"])
    assert (result.exit_code, result.output) == (
        0,
        "default: base, no revision is applied\n",
    )


def test_command_in_the_group_of_all(
    sqlite_url: str, apps: Apps, db: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command that is added to ``cli`` is one of every app's group."""
    assert isinstance(flask_alembic.cli.cli, DatabaseGroup)
    monkeypatch.setattr(flask_alembic.cli.cli, "commands", {})

    @flask_alembic.cli.cli.command()
    @click.pass_obj
    def seed(alembic: Alembic) -> None:
        """Add rows."""
        click.echo(f"seeded {len(alembic.databases)}")

    app, _ = apps.plain(sqlite_url)
    assert db(app, "seed").output == "seeded 1\n"
    assert "  seed             Add rows.\n" in db(app, "--help").output


def test_command_instead_of_ours(sqlite_url: str, apps: Apps, db: Cli) -> None:
    """A command that an app adds to its group stands in for the one of that name."""
    app, _ = apps.plain(sqlite_url)
    group = app.cli.commands["db"]
    assert isinstance(group, click.Group)

    @group.command()
    def upgrade() -> None:
        """Do something else."""
        click.echo("something else")

    assert db(app, "upgrade").output == "something else\n"
    assert "  upgrade          Do something else.\n" in db(app, "--help").output


# Private names


def test_type_of_revisions() -> None:
    """The type of a revision argument can be imported, and used in annotations."""
    module = importlib.import_module("flask_alembic.extension")
    assert module.t_rev | None


@pytest.mark.parametrize(
    ("argument", "options", "result"),
    [
        ("head", {}, ["head"]),
        ("1767605400", {}, ["1767605400"]),
        (["aaaa1", "head"], {}, ["aaaa1", "head"]),
        ([], {}, []),
        (2, {}, ["+2"]),
        (-1, {}, ["-1"]),
        (2, {"handle_int": True}, ["+2"]),
        ("2", {"handle_int": True}, ["+2"]),
        ("+2", {"handle_int": True}, ["+2"]),
        ("-1", {"handle_int": True}, ["-1"]),
        ("1767605400", {"handle_int": True}, ["1767605400"]),
        ("current", {}, ["current"]),
        ("current", {"handle_current": True}, ["1767605400"]),
        ("head", {"handle_current": True, "handle_int": True}, ["head"]),
    ],
)
def test_simplify_rev(
    sqlite_url: str,
    apps: Apps,
    argument: t.Any,
    options: dict[str, bool],
    result: list[str],
) -> None:
    """``_simplify_rev`` makes a list of texts. An id is no number of steps."""
    app, alembic = apps.plain(sqlite_url)
    write_revision(app, "1767605400")
    sole_run(app, alembic)

    with app.app_context():
        assert alembic._simplify_rev(argument, **options) == result


def test_simplify_scripts(sqlite_url: str, apps: Apps) -> None:
    """It takes revisions as well, and nothing else."""
    app, alembic = apps.plain(sqlite_url)
    write_revision(app, "aaaa1")

    with app.app_context():
        (script,) = alembic.heads()
        assert alembic._simplify_rev(script) == ["aaaa1"]
        assert alembic._simplify_rev([script, "head"]) == ["aaaa1", "head"]

        with pytest.raises(TargetError):
            alembic._simplify_rev(t.cast(t.Any, object()))


def test_cache_cleared(url: str, apps: Apps) -> None:
    """After ``_get_cache().clear()`` everything is made anew, of the config as it is
    then. What operations did is committed, and the connections are closed.
    """
    app, alembic = apps.plain(url)
    write_revision(app, "aaaa1")

    with app.app_context():
        alembic.op.create_table("made", sa.Column("id", sa.Integer))
        before = alembic.migration_context, alembic.config, alembic.script_directory
        app.config["ALEMBIC"]["script_location"] = "later"
        Path(app.root_path, "later").mkdir()
        alembic._get_cache().clear()
        assert before[0].connection is not None
        assert before[0].connection.closed
        assert tables(url) == {"made"}
        after = alembic.migration_context, alembic.config, alembic.script_directory
        assert not {*map(id, before)} & {*map(id, after)}
        assert alembic.settings.script_location == Path(app.root_path, "later")


def test_cache_of_a_run_cleared(sqlite_url: str, apps: Apps) -> None:
    """It may be cleared in between two tries, and the report is of both."""

    class Clearing(Alembic):
        def run_migrations(self, fn: t.Any, **kwargs: t.Any) -> MigrationReport:
            super().run_migrations(fn, **kwargs)
            self._get_cache().clear()
            return super().run_migrations(fn, **kwargs)

    app, alembic = apps.plain(sqlite_url, extension=Clearing)
    write_revision(app, "aaaa1")
    write_revision(app, "bbbb2", "aaaa1")
    report = []

    with app.app_context():
        report = [step.revision for step in alembic.upgrade(1).steps]

    assert report == ["aaaa1", "bbbb2"]


def test_config_set_in_the_cache(
    sqlite_url: str, apps: Apps, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A config or a script directory that is set there is used; ``None`` lets it be
    made anew. A test may put it back.
    """
    app, alembic = apps.plain(sqlite_url)
    write_revision(app, "aaaa1")
    write_revision(app, "bbbb2", folder="other")

    with app.app_context():
        cache = alembic._get_cache()
        assert cache.config is None
        assert alembic.heads()[0].revision == "aaaa1"
        assert cache.config is alembic.config
        assert cache.script is alembic.script_directory

        with monkeypatch.context() as patch:
            other = {**app.config["ALEMBIC"], "script_location": "other"}
            patch.setitem(app.config, "ALEMBIC", other)
            patch.setattr(alembic._get_cache(), "config", None)
            patch.setattr(alembic._get_cache(), "script", None)
            assert alembic.heads()[0].revision == "bbbb2"
            script = alembic.script_directory

        assert alembic.heads()[0].revision == "aaaa1"
        cache.script = script
        assert alembic.heads()[0].revision == "bbbb2"
        config = Config()
        cache.config = config
        assert alembic.config is config


def test_config_made_in_the_cache(sqlite_url: str, apps: Apps) -> None:
    """An override of ``config`` may keep what it makes there."""

    class Keeping(Alembic):
        made = 0

        @property
        def config(self) -> Config:
            cache = self._get_cache()

            if cache.config is None:
                self.made += 1
                cache.config = config = Config()
                folder = str(Path(current_app.root_path, "migrations"))
                config.set_main_option("script_location", folder)
                config.set_main_option("version_locations", folder)
                config.set_main_option("path_separator", "os")

            return cache.config

    app, alembic = apps.plain(sqlite_url, extension=Keeping)
    assert isinstance(alembic, Keeping)

    with app.app_context():
        alembic.revision("todo")
        alembic.upgrade()
        assert alembic.check().ok
        assert alembic.made == 1


# A database that goes away


@on_network
def test_gone_after_reading_by_op(url: str, apps: Apps) -> None:
    """A context that only read ends well, also if it read by ``op``."""
    app, alembic = apps.plain(url)

    with app.app_context():
        assert alembic.op.get_bind().scalar(sa.text("SELECT 1")) == 1
        cut(url)


@on_network
def test_gone_after_a_migration(url: str, apps: Apps) -> None:
    """So does one whose work a migration has committed."""
    app, alembic = apps.plain(url)
    write_revision(app, "aaaa1", upgrade=CREATE.format("made"))

    with app.app_context():
        alembic.op.create_table("before", sa.Column("id", sa.Integer))
        alembic.upgrade()
        assert alembic.op.get_bind().scalar(sa.text("SELECT 1")) == 1
        cut(url)

    assert tables(url) == {"alembic_version", "before", "made"}


@on_network
@pytest.mark.parametrize("in_request", [True, False])
def test_gone_with_work(
    server: Server,
    databases: Databases,
    apps: Apps,
    in_request: bool,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Work that is lost is told by the log, whoever did it. The others' work lasts, and
    all connections are given back.
    """
    urls = {name: databases.make() for name in ("first", "default", "third")}
    app, alembic = apps.several(urls)

    with app.app_context():
        alembic.revision("todo")
        alembic.upgrade()
        engines = [found.engine for found in alembic.databases.values()]

    context = app.test_request_context() if in_request else app.app_context()

    with context:
        for migration_context in alembic.migration_contexts.values():
            assert migration_context.connection is not None
            migration_context.connection.execute(
                sa.text("INSERT INTO todo (id) VALUES (1)")
            )

        cut(urls["first"])

    assert caplog.record_tuples[-1][:2] == ("flask_alembic", logging.ERROR)
    assert [ids(urls[name]) for name in urls] == [[], [1], [1]]
    assert [pool_of(engine).checkedout() for engine in engines] == [0, 0, 0]


# Alembic's objects


def test_proxy_in_a_revision(apps: Apps, databases: Databases, server: Server) -> None:
    """``op._proxy.migration_context`` is there in a revision, of the database that it
    runs on.
    """
    urls = {"default": databases.make(), "auth": databases.make()}
    app, alembic = apps.several(urls)
    code = (
        "from flask import current_app\n"
        "context = op._proxy.migration_context\n"
        "assert context is op.get_context()\n"
        "assert context.connection is op.get_bind()\n"
        "current_app.config['SEEN'].append(context.connection.engine.url.database)"
    )
    write_revision(app, "aaaa1", arguments="engine_name", upgrade=code, downgrade=code)
    app.config["SEEN"] = []

    with app.app_context():
        alembic.upgrade()
        alembic.downgrade()

    expected = [sa.make_url(urls[name]).database for name in ("default", "auth")]
    assert app.config["SEEN"] == expected * 2


def test_own_environment(url: str, apps: Apps) -> None:
    """``environment_context`` can be configured and run by an app, on a connection of
    its own, and everything goes on afterwards.
    """
    app, alembic = apps.plain(url)
    write_revision(app, "aaaa1", upgrade=CREATE.format("made"))
    write_revision(app, "bbbb2", "aaaa1")

    with app.app_context():
        environment = alembic.environment_context

        def steps(heads: t.Any, context: MigrationContext) -> list[MigrationStep]:
            found = alembic.script_directory._upgrade_revs("aaaa1", heads)
            return t.cast("list[MigrationStep]", found)

        with alembic.databases["default"].engine.begin() as connection:
            environment.configure(
                connection=connection,
                fn=steps,
                target_metadata=todo_metadata(),
                **app.config["ALEMBIC_CONTEXT"],
            )

            with environment:
                environment.run_migrations()

        assert [script.revision for script in alembic.current()] == ["aaaa1"]
        assert [step.revision for step in alembic.upgrade().steps] == ["bbbb2"]

    assert tables(url) == {"alembic_version", "made"}


def test_stamp_of_a_context(url: str, apps: Apps) -> None:
    """What is done on a migration context itself lasts until the app context ends, and
    after it.
    """
    app, alembic = apps.plain(url)
    write_revision(app, "aaaa1")

    with app.app_context():
        context = alembic.migration_context
        assert not context._has_version_table()
        context._ensure_version_table()
        assert context._has_version_table()

        for head in alembic.script_directory.revision_map._real_heads:
            context.stamp(alembic.script_directory, head)

        assert context.bind is context.connection
        assert context.get_current_heads() == ("aaaa1",)

    with app.app_context():
        assert [script.revision for script in alembic.current()] == ["aaaa1"]
        alembic.migration_context.stamp(alembic.script_directory, "base")
        alembic.upgrade()
        assert not alembic.needs_upgrade()


def test_missing_database_in_a_subclass(tmp_path: Path, apps: Apps) -> None:
    """A loop in an override that asks for the connections itself gets new ones."""
    folder = tmp_path / "later"

    class Looping(Careful):
        def run_migrations(self, fn: t.Any, **kwargs: t.Any) -> None:  # type: ignore[override]
            for _ in range(3):
                try:
                    return super().run_migrations(fn, **kwargs)
                except ConnectionFailed:
                    folder.mkdir()

    app, alembic = apps.plain(f"sqlite:///{folder}/test.db", extension=Looping)
    write_revision(app, "aaaa1")
    assert len(sole_run(app, alembic).steps) == 1
