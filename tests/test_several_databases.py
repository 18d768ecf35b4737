"""Several databases, several metadata for one, and names of all kinds."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from flask_sqlalchemy_lite import SQLAlchemy as Lite

from apps import Apps
from apps import todo_metadata
from apps import write_revision
from conftest import Cli
from conftest import tables
from flask_alembic import Alembic
from flask_alembic import ConfigurationError
from flask_alembic import MigrationFailed
from flask_alembic import TemplateError
from servers import Databases


def one_table(name: str) -> sa.MetaData:
    metadata = sa.MetaData()
    sa.Table(name, metadata, sa.Column("id", sa.Integer, primary_key=True))
    return metadata


def create(name: str) -> str:
    """The code that makes a table."""
    return f"op.create_table({name!r}, sa.Column('id', sa.Integer))"


def files(app: Flask) -> set[str]:
    return {path.name for path in Path(app.root_path, "migrations").glob("*.py")}


@pytest.fixture
def urls(tmp_path: Path) -> dict[str, str]:
    """Two SQLite databases, for what does not depend on the server."""
    return {name: f"sqlite:///{tmp_path / name}.db" for name in ("default", "auth")}


METADATAS: dict[str | None, sa.MetaData] = {
    "default": one_table("post"),
    "auth": one_table("account"),
}


# Revisions


def test_round_trip(databases: Databases, apps: Apps) -> None:
    """Each database gets what its own models have, up and down, on every server."""
    urls = {"default": databases.make(), "auth": databases.make()}
    app, alembic = apps.several(urls, METADATAS)

    with app.app_context():
        written = alembic.revision("made changes")
        assert [(change.database, change.text) for change in written.changes] == [
            ("default", "add table post"),
            ("auth", "add table account"),
        ]
        report = alembic.upgrade()
        (script,) = alembic.current()
        assert report.databases == {
            "default": (script.revision,),
            "auth": (script.revision,),
        }
        assert [step.database for step in report.steps] == ["default", "auth"]
        assert [step.database for step in report.steps_of("auth")] == ["auth"]

    assert tables(urls["default"]) == {"alembic_version", "post"}
    assert tables(urls["auth"]) == {"account", "alembic_version"}

    with app.app_context():
        assert alembic.check().ok
        assert not alembic.needs_upgrade()
        assert not alembic.needs_revision()
        alembic.downgrade("base")

    assert tables(urls["default"]) == tables(urls["auth"]) == {"alembic_version"}


def test_servers_of_different_kinds(url: str, apps: Apps, sqlite_url: str) -> None:
    """The databases may be on servers of different kinds."""
    urls = {"default": url, "auth": sqlite_url}
    app, alembic = apps.several(urls, METADATAS)

    with app.app_context():
        alembic.revision("made changes")
        alembic.upgrade()
        assert alembic.check().ok

    assert tables(urls["default"]) == {"alembic_version", "post"}
    assert tables(urls["auth"]) == {"account", "alembic_version"}


def test_template(urls: dict[str, str], apps: Apps) -> None:
    """A revision has a function for each database, and one that calls it."""
    app, alembic = apps.several(urls, METADATAS)

    with app.app_context():
        (script,) = alembic.revision("made changes")

    assert script is not None
    names = {name for name in vars(script.module) if "grade" in name}
    assert names == {
        "upgrade",
        "downgrade",
        "upgrade_default",
        "downgrade_default",
        "upgrade_auth",
        "downgrade_auth",
    }


def test_empty_revision(urls: dict[str, str], apps: Apps) -> None:
    """So has an empty one, to be written by hand, and a merge."""
    app, alembic = apps.several(urls, METADATAS)

    with app.app_context():
        alembic.revision("one", empty=True)
        alembic.revision("two", empty=True, branch="other")
        alembic.merge()
        report = alembic.upgrade()
        assert len(report.steps) == 6
        alembic.downgrade("default@base")


def test_name_that_is_no_identifier(databases: Databases, apps: Apps) -> None:
    """A name such as "auth-db" may hold what a function's name can't."""
    urls = {"default": databases.make(), "auth-db": databases.make()}
    metadatas: dict[str | None, sa.MetaData] = {
        "default": one_table("post"),
        "auth-db": one_table("account"),
    }
    app, alembic = apps.several(urls, metadatas)

    with app.app_context():
        written = alembic.revision("made changes")
        assert [change.database for change in written.changes] == ["default", "auth-db"]
        report = alembic.upgrade()
        assert list(report.databases) == ["default", "auth-db"]
        assert list(alembic.ops) == list(alembic.migration_contexts) == list(urls)
        assert alembic.compare_metadata().by_database == {"default": [], "auth-db": []}

    assert tables(urls["default"]) == {"alembic_version", "post"}
    assert tables(urls["auth-db"]) == {"account", "alembic_version"}


@pytest.mark.parametrize("name", ["auth.db", "auth db", "ünï", "1st", "class"])
def test_names(tmp_path: Path, apps: Apps, name: str) -> None:
    """Other names that a user may think of."""
    urls = {key: f"sqlite:///{tmp_path}/{n}.db" for n, key in enumerate(["main", name])}
    app, alembic = apps.several(urls)

    with app.app_context():
        alembic.revision("made changes")
        alembic.upgrade()
        assert alembic.check().ok


def test_names_that_look_alike(tmp_path: Path, apps: Apps) -> None:
    """Names that would be one in a revision are an error, before anything is done."""
    engines = {name: apps.engine("sqlite://") for name in ("a-b", "a_b")}

    with pytest.raises(ConfigurationError) as caught:
        Alembic(engines=dict(engines))

    assert str(caught.value) == (
        "The databases 'a-b' and 'a_b' in engines can't be told apart: revisions call"
        " both 'a_b'."
    )
    assert caught.value.hint == "Rename one of them."


# Names of the default database


@pytest.mark.parametrize("with_engines", [False, True])
def test_one_under_another_name(
    sqlite_url: str, apps: Apps, with_engines: bool
) -> None:
    """A single database need not be called "default"."""
    app = apps.flask()
    engine = apps.engine(sqlite_url)
    metadatas: dict[str | None, sa.MetaData] = {"main": todo_metadata()}
    engines: dict[str | None, sa.Engine] = {"main": engine}
    alembic = Alembic(
        app, metadatas=metadatas, engines=engines if with_engines else engine
    )

    with app.app_context():
        alembic.revision("made changes")
        assert alembic.upgrade().databases.keys() == {"main"}
        assert alembic.migration_context is alembic.migration_contexts["main"]
        assert alembic.op is alembic.ops["main"]
        assert alembic.compare_metadata().by_database == {"main": []}

    assert tables(sqlite_url) == {"alembic_version", "todo"}


def test_none_called_default(tmp_path: Path, apps: Apps) -> None:
    """Of several databases, none of which is called "default", the first is meant."""
    urls = {name: f"sqlite:///{tmp_path / name}.db" for name in ("main", "auth")}
    app, alembic = apps.several(urls)

    with app.app_context():
        alembic.revision("made changes")
        alembic.upgrade()
        assert alembic.migration_context is alembic.migration_contexts["main"]
        assert alembic.op is alembic.ops["main"]

    assert tables(urls["main"]) == tables(urls["auth"]) == {"alembic_version", "todo"}


def test_default_is_not_first(tmp_path: Path, apps: Apps) -> None:
    """The one called "default" is meant, wherever it stands."""
    urls = {name: f"sqlite:///{tmp_path / name}.db" for name in ("auth", "default")}
    app, alembic = apps.several(urls)

    with app.app_context():
        assert alembic.context is alembic.migration_contexts["default"]
        assert list(alembic.migration_contexts) == ["auth", "default"]


def test_environment_of_the_default(urls: dict[str, str], apps: Apps) -> None:
    """``environment_context`` is that of the default database."""
    app, alembic = apps.several(urls)

    with app.app_context():
        assert alembic.migration_contexts
        found = alembic.environment_context.get_context()
        assert found is alembic.migration_contexts["default"]


# Metadata


@pytest.mark.parametrize("kind", [list, tuple, set, frozenset])
@pytest.mark.parametrize("by_name", [False, True])
def test_several_metadata(
    sqlite_url: str,
    apps: Apps,
    kind: t.Callable[[list[sa.MetaData]], t.Any],
    by_name: bool,
) -> None:
    """One database may have several metadata, in any collection."""
    collection = kind([one_table("post"), one_table("account")])
    app = apps.flask()
    alembic = Alembic(
        app,
        metadatas={"default": collection} if by_name else collection,
        engines=apps.engine(sqlite_url),
    )

    with app.app_context():
        written = alembic.revision("made changes")
        assert written.tables == {"default": 2}
        alembic.upgrade()
        assert alembic.compare_metadata() == []
        assert alembic.check().databases[0].tables == 2

    assert tables(sqlite_url) == {"account", "alembic_version", "post"}


def test_several_metadata_and_databases(urls: dict[str, str], apps: Apps) -> None:
    """Each of several databases may have several metadata."""
    app = apps.flask()
    alembic = Alembic(
        app,
        metadatas={
            "default": [one_table("post"), one_table("comment")],
            "auth": one_table("account"),
        },
        engines={name: apps.engine(url) for name, url in urls.items()},
    )

    with app.app_context():
        alembic.revision("made changes")
        alembic.upgrade()
        assert alembic.check().ok

    assert tables(urls["default"]) == {"alembic_version", "comment", "post"}
    assert tables(urls["auth"]) == {"account", "alembic_version"}


def test_flask_sqlalchemy_binds(databases: Databases, apps: Apps) -> None:
    """``metadatas=db.metadatas`` of Flask-SQLAlchemy will do: its key ``None`` is the
    default database.
    """
    urls = {"default": databases.make(), "auth": databases.make()}
    app = apps.flask(
        SQLALCHEMY_DATABASE_URI=urls["default"],
        SQLALCHEMY_BINDS={"auth": urls["auth"]},
    )
    db = SQLAlchemy()
    db.init_app(app)
    db.Table("post", sa.Column("id", sa.Integer, primary_key=True))
    db.Table("account", sa.Column("id", sa.Integer, primary_key=True), bind_key="auth")
    alembic = Alembic(app, metadatas=db.metadatas)

    with app.app_context():
        try:
            written = alembic.revision("made changes")
            assert [(change.database, change.text) for change in written.changes] == [
                ("default", "add table post"),
                ("auth", "add table account"),
            ]
            alembic.upgrade()
            assert alembic.check().ok
        finally:
            for engine in db.engines.values():
                engine.dispose()

    assert tables(urls["default"]) == {"alembic_version", "post"}
    assert tables(urls["auth"]) == {"account", "alembic_version"}


def test_flask_sqlalchemy_bind_added_late(sqlite_url: str, apps: Apps) -> None:
    """``db.metadatas`` is filled when models are declared. That may be after the
    extension was made.
    """
    app = apps.flask(
        SQLALCHEMY_DATABASE_URI=sqlite_url,
        SQLALCHEMY_BINDS={"auth": "sqlite://"},
    )
    db = SQLAlchemy()
    alembic = Alembic(metadatas=db.metadatas)
    db.Table("account", sa.Column("id", sa.Integer, primary_key=True), bind_key="auth")
    db.init_app(app)
    alembic.init_app(app)

    with app.app_context():
        assert list(alembic.migration_contexts) == ["default", "auth"]
        alembic.revision("made changes")
        alembic.upgrade()
        assert alembic.check().ok

        for engine in db.engines.values():
            engine.dispose()


def test_lite_engines(urls: dict[str, str], apps: Apps) -> None:
    """The engines of Flask-SQLAlchemy-Lite are found by the names of the metadata."""
    app = apps.flask(SQLALCHEMY_ENGINES={**urls, "reports": "sqlite://"})
    db = Lite()
    db.init_app(app)
    alembic = Alembic(app, metadatas=METADATAS)

    with app.app_context():
        alembic.revision("made changes")
        report = alembic.upgrade()
        assert list(report.databases) == ["default", "auth"]

        for engine in db.engines.values():
            engine.dispose()

    assert tables(urls["default"]) == {"alembic_version", "post"}
    assert tables(urls["auth"]) == {"account", "alembic_version"}


def test_missing_engine(urls: dict[str, str], apps: Apps) -> None:
    """A metadata without an engine is an error that names it."""
    app = apps.flask()
    engines: dict[str | None, sa.Engine] = {"default": apps.engine(urls["default"])}
    alembic = Alembic(app, metadatas=METADATAS, engines=engines)

    with app.app_context(), pytest.raises(ConfigurationError) as caught:
        alembic.upgrade()

    assert str(caught.value) == "There is no engine for the metadata of 'auth'."
    assert caught.value.hint == (
        "Configure it in Flask-SQLAlchemy(-Lite), or pass it:"
        " Alembic(engines={'auth': engine})."
    )


# compare_metadata, ops


def test_compare_metadata(urls: dict[str, str], apps: Apps) -> None:
    """``compare_metadata`` is over all databases, and tells which is of which."""
    app, alembic = apps.several(urls, METADATAS)

    def words(diffs: t.Iterable[tuple[t.Any, ...]]) -> list[tuple[str, str]]:
        return [(diff[0], diff[1].name) for diff in diffs]

    with app.app_context():
        differences = alembic.compare_metadata()
        both = [("add_table", "post"), ("add_table", "account")]
        assert words(differences) == both
        assert {name: words(d) for name, d in differences.by_database.items()} == {
            "default": both[:1],
            "auth": both[1:],
        }

        alembic.revision("made changes")
        alembic.upgrade()
        differences = alembic.compare_metadata()
        assert differences == []
        assert differences.by_database == {"default": [], "auth": []}

        alembic.ops["auth"].drop_table("account")
        differences = alembic.compare_metadata()
        assert words(differences) == both[1:]
        assert words(differences.by_database["auth"]) == both[1:]
        assert differences.by_database["default"] == []
        assert alembic.needs_revision()


def test_produce_migrations(urls: dict[str, str], apps: Apps) -> None:
    """``produce_migrations`` has an entry for each database, with its name in the
    token.
    """
    app, alembic = apps.several(urls, METADATAS)

    with app.app_context():
        script = alembic.produce_migrations()
        found = {
            ops.upgrade_token.removesuffix("_upgrades"): ops.as_diffs()[0][1].name
            for ops in script.upgrade_ops_list
        }
        assert found == {"default": "post", "auth": "account"}
        assert [ops.downgrade_token for ops in script.downgrade_ops_list] == [
            "default_downgrades",
            "auth_downgrades",
        ]


def test_ops(databases: Databases, apps: Apps) -> None:
    """``ops[name]`` is bound to the database of that name, on every server."""
    urls = {"default": databases.make(), "auth": databases.make()}
    app, alembic = apps.several(urls)

    with app.app_context():
        for name in urls:
            alembic.ops[name].create_table(f"of_{name}", sa.Column("id", sa.Integer))
            assert (
                alembic.ops[name].migration_context
                is (alembic.migration_contexts[name])
            )

        assert alembic.op is alembic.ops["default"]

    assert tables(urls["default"]) == {"of_default"}
    assert tables(urls["auth"]) == {"of_auth"}


# Databases that are behind


def test_one_is_behind(databases: Databases, apps: Apps) -> None:
    """A database that is behind catches up; the others wait, and run nothing twice."""
    urls = {"default": databases.make(), "auth": databases.make()}
    app, alembic = apps.several(urls)
    previous = None

    for id_ in ("aaaa1", "bbbb2", "cccc3"):
        write_revision(
            app,
            id_,
            previous,
            arguments="engine_name",
            upgrade=f"op.create_table('{id_}', sa.Column('id', sa.Integer))",
        )
        previous = id_

    with app.app_context():
        alembic.upgrade("bbbb2")

    engine = alembic.engines["auth"]

    with engine.begin() as connection:
        connection.execute(sa.text("DELETE FROM alembic_version"))
        connection.execute(sa.text("DROP TABLE aaaa1"))
        connection.execute(sa.text("DROP TABLE bbbb2"))

    with app.app_context():
        found = alembic.current_by_database()
        assert {n: [s.revision for s in scripts] for n, scripts in found.items()} == {
            "default": ["bbbb2"],
            "auth": [],
        }
        assert [script.revision for script in alembic.current()] == ["bbbb2"]
        assert alembic.needs_upgrade()
        assert [d.is_behind for d in alembic.check().databases] == [True, True]
        report = alembic.upgrade()

    # A revision is done on all databases before the next one begins.
    assert [(step.revision, step.database) for step in report.steps] == [
        ("aaaa1", "auth"),
        ("bbbb2", "auth"),
        ("cccc3", "default"),
        ("cccc3", "auth"),
    ]
    assert tables(urls["auth"]) == {"aaaa1", "alembic_version", "bbbb2", "cccc3"}


def test_in_step(databases: Databases, apps: Apps) -> None:
    """A revision that fails on one database leaves no database ahead of another by
    more than that revision: what came before is done on all, what comes after on none.
    """
    urls = {"default": databases.make(), "auth": databases.make()}
    app, alembic = apps.several(urls)
    write_revision(app, "aaaa1", arguments="engine_name", upgrade=create("a"))
    write_revision(
        app,
        "bbbb2",
        "aaaa1",
        arguments="engine_name",
        upgrade="if engine_name == 'auth': raise ZeroDivisionError",
    )
    write_revision(app, "cccc3", "bbbb2", arguments="engine_name", upgrade=create("c"))

    with app.app_context():
        with pytest.raises(MigrationFailed) as caught:
            alembic.upgrade()

        error = caught.value
        assert (error.database, error.revision) == ("auth", "bbbb2")
        found = alembic.current_by_database()

    standing = {name: tuple(s.revision for s in found[name]) for name in found}
    assert error.standing == standing
    assert standing["auth"] == ("aaaa1",)
    # MariaDB commits the version with the first database's part.
    assert standing["default"] == (
        ("bbbb2",) if urls["default"].startswith("mysql") else ("aaaa1",)
    )
    assert tables(urls["default"]) == tables(urls["auth"]) == {"a", "alembic_version"}


def test_downgrade_of_one_that_is_behind(urls: dict[str, str], apps: Apps) -> None:
    """A downgrade to an id leaves alone a database that is below it already."""
    app, alembic = apps.several(urls)
    write_revision(app, "aaaa1", arguments="engine_name")
    write_revision(app, "bbbb2", "aaaa1", arguments="engine_name")

    with app.app_context():
        alembic.upgrade()

    with alembic.engines["auth"].begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = 'aaaa1'"))

    with app.app_context():
        report = alembic.downgrade("aaaa1")
        assert [(step.database, step.revision) for step in report.steps] == [
            ("default", "bbbb2")
        ]
        assert report.databases == {"default": ("aaaa1",), "auth": ("aaaa1",)}
        report = alembic.downgrade("base")
        assert report.databases == {"default": (), "auth": ()}


# From one database to several


def one_then_two(
    apps: Apps, urls: dict[str, str], *, template: bool
) -> tuple[Flask, Alembic]:
    """An app that began with one database and has another one now."""
    first, alembic = apps.plain(urls["default"], one_table("post"), name="app")

    with first.app_context():
        alembic.revision("made changes")
        alembic.upgrade()

    if not template:
        Path(first.root_path, "migrations", "script.py.mako").unlink()

    return apps.several(urls, METADATAS, name="app")


def test_old_files(databases: Databases, apps: Apps) -> None:
    """Revisions that were written for one database run on the default one only. The
    others pass them by, and are at the same revision afterwards.
    """
    urls = {"default": databases.make(), "auth": databases.make()}
    app, alembic = apps.several(urls, METADATAS)
    write_revision(
        app, "aaaa1", upgrade=create("post"), downgrade="op.drop_table('post')"
    )

    with app.app_context():
        report = alembic.upgrade()
        assert report.databases == {"default": ("aaaa1",), "auth": ("aaaa1",)}

    assert tables(urls["default"]) == {"alembic_version", "post"}
    assert tables(urls["auth"]) == {"alembic_version"}

    with app.app_context():
        alembic.downgrade("base")

    assert tables(urls["default"]) == tables(urls["auth"]) == {"alembic_version"}


def test_second_database_is_added(urls: dict[str, str], apps: Apps) -> None:
    """The second database catches up, and the next revision has its models."""
    app, alembic = one_then_two(apps, urls, template=False)

    with app.app_context():
        assert alembic.needs_upgrade()
        report = alembic.upgrade()
        assert [step.database for step in report.steps] == ["auth"]
        written = alembic.revision("add auth")
        assert [(change.database, change.text) for change in written.changes] == [
            ("auth", "add table account")
        ]
        alembic.upgrade()
        assert alembic.check().ok

    assert tables(urls["default"]) == {"alembic_version", "post"}
    assert tables(urls["auth"]) == {"account", "alembic_version"}


def test_third_database_is_added(tmp_path: Path, apps: Apps) -> None:
    """Revisions of several databases pass by one that was added later."""
    names = ("default", "auth", "log")
    urls = {name: f"sqlite:///{tmp_path / name}.db" for name in names}
    metadatas = {**METADATAS, "log": one_table("entry")}
    first = {name: urls[name] for name in names[:2]}
    app, alembic = apps.several(first, METADATAS, name="app")

    with app.app_context():
        alembic.revision("made changes")
        alembic.upgrade()

    app, alembic = apps.several(urls, metadatas, name="app")

    with app.app_context():
        report = alembic.upgrade()
        assert [step.database for step in report.steps] == ["log"]
        written = alembic.revision("add log")
        assert [(change.database, change.text) for change in written.changes] == [
            ("log", "add table entry")
        ]
        alembic.upgrade()
        assert alembic.check().ok

    assert tables(urls["log"]) == {"alembic_version", "entry"}


def test_database_is_taken_away(
    urls: dict[str, str], apps: Apps, caplog: pytest.LogCaptureFixture
) -> None:
    """Revisions of several databases still run where only one of them is left. The log
    warns of what is not run.
    """
    app, alembic = apps.several(urls, METADATAS, name="app")

    with app.app_context():
        (script,) = alembic.revision("made changes")
        assert script is not None

    app, alembic = apps.plain(urls["default"], one_table("post"), name="app")

    with app.app_context():
        alembic.upgrade()
        assert alembic.check().ok

    assert tables(urls["default"]) == {"alembic_version", "post"}
    assert tables(urls["auth"]) == set()
    assert [r.getMessage() for r in caplog.records if r.levelname == "WARNING"] == [
        f"Revision {script.revision} has operations for 'auth', but the app has no such"
        " database. They are not run."
    ]


# The template


def test_template_for_one(urls: dict[str, str], apps: Apps, db: Cli) -> None:
    """The template of one database would lose the operations of several. It is an
    error that tells the way out, and nothing is written.
    """
    app, alembic = one_then_two(apps, urls, template=True)
    template = Path(app.root_path, "migrations", "script.py.mako")
    before = files(app)

    with app.app_context():
        alembic.upgrade()

        with pytest.raises(TemplateError) as caught:
            alembic.revision("add auth")

    assert str(caught.value) == (
        f"{template} does not write 'auth_upgrades', so operations would be lost."
    )
    assert caught.value.hint == (
        "It was made for one database. 'flask db init --multidb' puts one for several"
        " in its place, and keeps this one as script.py.mako.bak."
    )
    assert files(app) == before
    old = template.read_text()
    assert db(app, "init", "--multidb").exit_code == 0
    assert template.with_name("script.py.mako.bak").read_text() == old
    assert db(app, "revision", "add auth").exit_code == 0
    assert db(app, "upgrade").exit_code == 0
    assert tables(urls["auth"]) == {"account", "alembic_version"}


def test_template_for_several(urls: dict[str, str], apps: Apps, db: Cli) -> None:
    """The template of several databases is not for one. The error tells that, and
    nothing is written.
    """
    app, alembic = apps.several(urls, METADATAS, name="app")
    app, alembic = apps.plain(urls["default"], one_table("post"), name="app")

    with app.app_context(), pytest.raises(TemplateError) as caught:
        alembic.revision("made changes")

    assert files(app) == set()
    assert "NoneType" not in str(caught.value)
    assert caught.value.hint == (
        "It was made for several databases. 'flask db init' puts one for one database"
        " in its place, and keeps this one as script.py.mako.bak."
    )
    assert db(app, "init").exit_code == 0
    assert db(app, "revision", "made changes").exit_code == 0


def test_empty_revision_of_the_wrong_template(urls: dict[str, str], apps: Apps) -> None:
    """An empty revision of the old template loses nothing, and runs on the default
    database.
    """
    app, alembic = one_then_two(apps, urls, template=True)

    with app.app_context():
        alembic.revision("by hand", empty=True)
        alembic.upgrade()
        assert not alembic.needs_upgrade()


def test_database_without_a_function(urls: dict[str, str], apps: Apps) -> None:
    """A revision by hand that takes ``engine_name`` and has no functions by name is
    called for each database.
    """
    app, alembic = apps.several(urls)
    write_revision(
        app,
        "aaaa1",
        arguments="engine_name",
        upgrade="op.create_table('of_' + engine_name, sa.Column('id', sa.Integer))",
    )

    with app.app_context():
        alembic.upgrade()

    assert tables(urls["default"]) == {"alembic_version", "of_default"}
    assert tables(urls["auth"]) == {"alembic_version", "of_auth"}


def test_engine_name_is_an_identifier(tmp_path: Path, apps: Apps) -> None:
    """``engine_name`` is the name as functions bear it; other arguments come along."""
    names = ("default", "auth-db")
    urls = {name: f"sqlite:///{tmp_path / name}.db" for name in names}
    app, alembic = apps.several(urls)
    write_revision(
        app,
        "aaaa1",
        arguments="engine_name, prefix",
        upgrade="op.create_table(prefix + engine_name, sa.Column('id', sa.Integer))",
    )

    with app.app_context():
        steps = alembic.script_directory._upgrade_revs
        alembic.run_migrations(
            lambda heads, context: steps("head", heads),  # type: ignore
            prefix="of_",
        )

    assert tables(urls["default"]) == {"alembic_version", "of_default"}
    assert tables(urls["auth-db"]) == {"alembic_version", "of_auth_db"}


def test_retried_revision(urls: dict[str, str], apps: Apps) -> None:
    """Where a subclass tries again after the second database failed, what the first
    try found is not written twice.
    """
    failures: list[bool] = []

    class Retrying(Alembic):
        def run_migrations(self, fn: t.Any, **kwargs: t.Any) -> t.Any:
            def flaky(heads: t.Any, context: t.Any) -> t.Any:
                if context is self.migration_contexts["auth"] and not failures:
                    failures.append(True)
                    raise ConnectionError("gone for a moment")

                return fn(heads, context)

            try:
                return super().run_migrations(flaky, **kwargs)
            except ConnectionError:
                return super().run_migrations(flaky, **kwargs)

    app = apps.flask()
    alembic = Retrying(
        app,
        metadatas=METADATAS,
        engines={name: apps.engine(url) for name, url in urls.items()},
    )

    with app.app_context():
        written = alembic.revision("made changes")
        assert failures == [True]
        assert [change.database for change in written.changes] == ["default", "auth"]
        alembic.upgrade()

    with app.app_context():
        assert alembic.check().ok
