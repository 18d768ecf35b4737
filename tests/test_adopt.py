"""Folders and databases that another tool made are looked at, and taken over."""

from __future__ import annotations

import shutil
import typing as t
from pathlib import Path

import alembic as alembic_package
import pytest
import sqlalchemy as sa
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from apps import Apps
from apps import todo_metadata
from apps import write_revision
from conftest import Cli
from conftest import tables
from flask_alembic.env_files import ini_location
from flask_alembic.env_files import pyproject_location
from flask_alembic.env_files import read_env
from servers import Databases

TEMPLATES: t.Final = Path(alembic_package.__file__).parent / "templates"
CREATE: t.Final = (
    "op.create_table('todo', sa.Column('id', sa.Integer, primary_key=True),"
    " sa.Column('text', sa.String(50)))"
)

FLASK_MIGRATE: t.Final = """\
from alembic import context
from flask import current_app

config = context.config
migrate = current_app.extensions['migrate']


def process_revision_directives(context, revision, directives):
    if getattr(config.cmd_opts, 'autogenerate', False):
        script = directives[0]
        if script.upgrade_ops.is_empty():
            directives[:] = []


def online():
    args = migrate.configure_args
    if args.get('process_revision_directives') is None:
        args['process_revision_directives'] = process_revision_directives
    with migrate.db.engine.connect() as connection:
        context.configure(
            connection=connection, target_metadata=migrate.db.metadata, **args
        )
        context.run_migrations()


online()
"""

CUSTOMISED: t.Final = '''\
"""Sets search_path, says this docstring."""
from alembic import context
from app import db, include, directives

x = context.get_x_argument(as_dictionary=True)
options = {"compare_type": True, "version_table": "versions"}
more = dict(render_as_batch=True)


def process_revision_directives(context, revision, directives):
    directives[0].message = db.name


with db.engine.connect() as connection:
    connection.exec_driver_sql("SET search_path TO " + x["tenant"])
    connection = connection.execution_options(schema_translate_map={None: "a"})
    context.configure(
        connection=connection,
        target_metadata=db.metadata,
        include_object=include,
        process_revision_directives=process_revision_directives,
        **options,
        **more,
        **{"include_schemas": True},
    )
    context.run_migrations(tenant=x["tenant"])
'''


def line(app: Flask) -> None:
    write_revision(app, "r1", upgrade=CREATE)


def versions(app: Flask, env: str, folder: str = "migrations") -> None:
    """A folder with env.py and a revision in ``versions``, as other tools make it."""
    write_revision(app, "r1", upgrade=CREATE, folder=f"{folder}/versions")
    Path(app.root_path, folder, "env.py").write_text(env)


def execute(url: str, *statements: str) -> None:
    engine = sa.create_engine(url, poolclass=sa.NullPool)

    with engine.begin() as connection:
        for statement in statements:
            connection.execute(sa.text(statement))


def create_all(url: str, apps: Apps) -> None:
    todo_metadata().create_all(apps.engine(url))


# Databases


def test_made_by_create_all(url: str, apps: Apps, db: Cli) -> None:
    """Tables that match the models and have no revision are stamped, if told so."""
    app, _ = apps.plain(url)
    line(app)
    create_all(url, apps)
    assert db(app, "adopt").output == (
        "migrations: made by Flask-Alembic, 1 revision, head r1.\n"
        "default: has 1 table and no alembic_version. It matches the models.\n"
        "  Run 'flask db stamp --verify', or 'flask db adopt --yes'.\n"
        "\n"
        "Nothing was changed.\n"
    )
    assert tables(url) == {"todo"}
    assert db(app, "adopt", "--yes").output == (
        "migrations: made by Flask-Alembic, 1 revision, head r1.\n"
        "default: has 1 table and no alembic_version. It matches the models: stamped"
        " r1.\n"
    )
    assert db(app, "adopt", "--yes").output == (
        "migrations: made by Flask-Alembic, 1 revision, head r1.\n"
        "default: is at r1, head.\n"
        "\n"
        "Nothing was changed.\n"
    )


def test_differs_from_the_models(url: str, apps: Apps, db: Cli) -> None:
    """Tables that don't match the models are left as they are."""
    app, _ = apps.plain(url)
    line(app)
    execute(
        url,
        "CREATE TABLE todo (id INTEGER NOT NULL PRIMARY KEY)",
        "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)",
    )
    assert db(app, "adopt", "--yes").output == (
        "migrations: made by Flask-Alembic, 1 revision, head r1.\n"
        "default: has 1 table and no revision in alembic_version. It differs from the"
        " models:\n"
        "  add column todo.text\n"
        "  Find the revision that it matches: 'flask db stamp --verify REVISION'.\n"
        "\n"
        "Nothing was changed.\n"
    )


def test_two_databases(databases: Databases, apps: Apps, db: Cli) -> None:
    """Each database is judged, and stamped, by itself."""
    urls = {"auth": databases.make(), "default": databases.make()}
    app, alembic = apps.several(urls)
    write_revision(app, "r1")
    create_all(urls["default"], apps)
    result = db(app, "adopt", "--yes")
    assert result.output == (
        "migrations: made by Flask-Alembic, 1 revision, head r1.\n"
        "auth: is empty. Run 'flask db upgrade'.\n"
        "default: has 1 table and no alembic_version. It matches the models: stamped"
        " r1.\n"
    )
    assert tables(urls["auth"]) == set()

    with app.app_context():
        report = alembic.adopt()

    auth, default = report.databases
    assert (auth.current, auth.changes, auth.stamped) == ((), None, ())
    assert (default.current, default.version_table) == (("r1",), "alembic_version")
    assert default.has_version_table


def test_unknown_and_behind(databases: Databases, apps: Apps, db: Cli) -> None:
    """A lost revision is told with the ways out, and where a database is behind."""
    urls = {"auth": databases.make(), "default": databases.make()}
    app, _ = apps.several(urls)
    line(app)
    write_revision(app, "r2", "r1")
    table = "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)"
    execute(urls["auth"], table, "INSERT INTO alembic_version VALUES ('gone1')")
    execute(urls["default"], table, "INSERT INTO alembic_version VALUES ('r1')")
    assert db(app, "adopt", "--yes").output == (
        "migrations: made by Flask-Alembic, 2 revisions, head r2.\n"
        "auth: is at gone1, which no file has.\n"
        "  Restore the file, or deploy the newer code. If it is lost, run 'flask db"
        " stamp --purge' with the revision that the tables match.\n"
        "default: is at r1, not head.\n"
        "\n"
        "Nothing was changed.\n"
    )


def test_nothing_there(url: str, apps: Apps, db: Cli) -> None:
    """An empty folder and an empty database are told so."""
    app, _ = apps.plain(url)
    assert db(app, "adopt").output == (
        "migrations: there are no revisions yet.\n"
        "default: is empty. Run 'flask db upgrade'.\n"
        "\n"
        "Nothing was changed.\n"
    )
    create_all(url, apps)
    assert db(app, "adopt", "--yes").output == (
        "migrations: there are no revisions yet.\n"
        "default: has 1 table and no alembic_version, and there are no revisions."
        " Write the first one against an empty database, then run 'flask db adopt'"
        " again.\n"
        "\n"
        "Nothing was changed.\n"
    )


def test_without_models(url: str, apps: Apps, db: Cli) -> None:
    """Where there are no models a database matches them whatever it is."""
    metadata = sa.MetaData()
    app, _ = apps.plain(
        url,
        metadata,
        ALEMBIC_CONTEXT={"include_name": lambda name, type_, names: False},
    )
    line(app)
    create_all(url, apps)
    assert "Nothing was changed." in db(app, "adopt", "--yes").output
    assert tables(url) == {"todo"}


# Folders


def test_flask_migrate(url: str, apps: Apps, db: Cli) -> None:
    """Its folder is known by env.py, and what has to be changed is told."""
    app, alembic = apps.plain(url)
    versions(app, FLASK_MIGRATE)
    create_all(url, apps)
    execute(
        url,
        "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)",
        "INSERT INTO alembic_version VALUES ('r1')",
    )
    assert db(app, "adopt").output == (
        "migrations: made by Flask-Migrate, 1 revision, head r1.\n"
        "default: is at r1, head.\n"
        "\n"
        "What is different:\n"
        "  env.py is not run: what it sets goes to the app's config.\n"
        "  alembic.ini is not read, unless ALEMBIC['config_file'] names it.\n"
        "  'flask db' is this extension's: take Migrate(app, db) out of the app.\n"
        "  Options of Migrate(...), such as compare_type, go to ALEMBIC_CONTEXT.\n"
        "  'flask db revision' compares too, unless --empty is given.\n"
        "  Server defaults are compared: ALEMBIC_CONTEXT['compare_server_default'] ="
        " False turns that off.\n"
        "  Each revision is a transaction, not all pending ones together.\n"
        "\n"
        "Nothing was changed.\n"
    )

    with app.app_context():
        report = alembic.adopt()

    assert (report.folder.revisions, report.folder.to_set) == (1, {})


def test_customised(sqlite_url: str, apps: Apps, db: Cli) -> None:
    """What was changed in env.py is listed with what does the same here."""
    app, _ = apps.plain(sqlite_url)
    versions(app, CUSTOMISED)
    found = db(app, "adopt").output.split("\n\n")[1]
    assert found == (
        "Customised in migrations/env.py, which is not run here:\n"
        "  line 5    get_x_argument               flask db -x NAME=VALUE\n"
        "  line 6    compare_type                 ALEMBIC_CONTEXT['compare_type']\n"
        "  line 6    version_table                ALEMBIC_CONTEXT['version_table']\n"
        "  line 7    render_as_batch              ALEMBIC_CONTEXT['render_as_batch']\n"
        "  line 15   search_path                  @alembic.prepare_connection\n"
        "  line 16   schema_translate_map         @alembic.prepare_connection\n"
        "  line 20   include_object               ALEMBIC_CONTEXT['include_object']\n"
        "  line 21   process_revision_directives"
        "  ALEMBIC_CONTEXT['process_revision_directives']\n"
        "  line 24   include_schemas              ALEMBIC_CONTEXT['include_schemas']\n"
        "  line 26   run_migrations(tenant)       Alembic.run_migrations, overridden"
    )


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("alembic.ini", "[alembic]\nscript_location = %(here)s/alembic\n"),
        ("pyproject.toml", '[tool.alembic]\nscript_location = "alembic"\n'),
    ],
)
def test_plain_alembic(sqlite_url: str, apps: Apps, name: str, text: str) -> None:
    """Its folder is found by the file that names it."""
    app, alembic = apps.plain(sqlite_url)
    template = TEMPLATES / "generic" / "env.py"
    versions(app, template.read_text(), "alembic")
    Path(app.root_path, name).write_text(text)

    with app.app_context():
        report = alembic.adopt()

    assert (report.folder.path, report.folder.tool) == ("alembic", "Alembic")
    assert report.folder.to_set == {"script_location": "alembic"}
    app.config["ALEMBIC"].update(report.folder.to_set)
    shutil.copy(template.with_name("script.py.mako"), Path(app.root_path, "alembic"))

    with app.app_context():
        assert alembic.adopt().folder.heads == ("r1",)


def test_env_that_can_not_be_read(sqlite_url: str, apps: Apps) -> None:
    """A mistake in env.py is told, and nothing of it is run."""
    app, alembic = apps.plain(sqlite_url)
    versions(app, "raise SystemExit(\n")

    with app.app_context():
        report = alembic.adopt()

    assert report.differences[0] == (
        "env.py can't be read, line 1: '(' was never closed. What it sets is not known."
    )


@pytest.mark.parametrize("name", [path.name for path in TEMPLATES.glob("[!_]*")])
def test_template_is_not_customised(name: str) -> None:
    """What Alembic itself writes was changed by nobody."""
    env = read_env((TEMPLATES / name / "env.py").read_text())
    assert (env.tool, env.customised, env.problem) == ("Alembic", (), "")


def test_flask_migrate_is_not_customised() -> None:
    """Nor was what Flask-Migrate writes."""
    env = read_env(FLASK_MIGRATE)
    assert (env.tool, env.customised, env.problem) == ("Flask-Migrate", (), "")


@given(st.text())
def test_any_text(text: str) -> None:
    """Whatever is in the files, they are only read."""
    read_env(text)
    ini_location(text, "/here")
    pyproject_location(text, "/here")


@pytest.mark.parametrize(
    ("read", "text", "expected"),
    [
        (ini_location, "[alembic]\nscript_location = %(here)s/a\n", "/here/a"),
        (ini_location, "[alembic]\nscript_location = 100%%\n", "100%"),
        (ini_location, "[other]\n", None),
        (pyproject_location, '[tool.alembic]\nscript_location = "a"\n', "a"),
        (pyproject_location, "[tool]\nalembic = 1\n", None),
        (pyproject_location, "[tool.alembic]\nscript_location = 1\n", None),
    ],
)
def test_location(
    read: t.Callable[[str, str], str | None], text: str, expected: str | None
) -> None:
    """The folder is where the tool would look for it."""
    assert read(text, "/here") == expected
