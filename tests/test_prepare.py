"""Prepare: one command for databases however far they are."""

from __future__ import annotations

import json
import logging
import threading
import time
import typing as t
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.exc import DBAPIError

from apps import Apps
from apps import write_revision
from commands import run_command
from conftest import Cli
from conftest import tables
from flask_alembic import Alembic
from flask_alembic import ConnectionLost
from flask_alembic import FlaskAlembicError
from flask_alembic import HalfDoneError
from flask_alembic import MigrationFailed
from flask_alembic.snapshots.postgresql import schema as postgresql
from racers import Race
from servers import Server
from sessions import ask

CREATE_TODO: t.Final = (
    "op.create_table('todo', sa.Column('id', sa.Integer, primary_key=True),"
    " sa.Column('text', sa.String(50)))"
)
INSERT: t.Final = (
    "op.bulk_insert(sa.table('todo', sa.column('text')), [{'text': '5%'}])"
)


@pytest.fixture
def app(apps: Apps, url: str) -> Flask:
    """An app with two revisions and a snapshot of them, and a third revision."""
    app, alembic = apps.plain(url)
    write_revision(app, "a1", upgrade=CREATE_TODO)
    write_revision(app, "b2", "a1", upgrade=INSERT)

    with app.app_context():
        alembic.snapshot(rows=True)

    write_revision(
        app, "c3", "b2", upgrade="op.create_table('more', sa.Column('id', sa.Integer))"
    )
    return app


def extension(app: Flask) -> Alembic:
    found: Alembic = app.extensions["alembic"]
    return found


def snapshot_of(app: Flask) -> Path:
    (path,) = Path(app.root_path, "migrations", "snapshots").iterdir()
    return path


def rows(url: str) -> list[tuple[t.Any, ...]]:
    engine = sa.create_engine(url, poolclass=sa.NullPool)

    with engine.connect() as connection:
        found = connection.execute(sa.text("SELECT text FROM todo")).all()

    return [tuple(row) for row in found]


def execute(url: str, *statements: str) -> None:
    engine = sa.create_engine(url, poolclass=sa.NullPool)

    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


# What it does


def test_empty(app: Flask, url: str) -> None:
    """An empty database gets the snapshot, and the revisions after it."""
    with app.app_context():
        report = extension(app).prepare()

    (database,) = report.databases
    assert database.snapshot == snapshot_of(app)
    assert (database.applied, database.current) == (("c3",), ("c3",))
    assert [step.direction for step in report.run.steps] == ["snapshot", "upgrade"]
    assert report.run.databases == {"default": ("c3",)}
    assert tables(url) == {"alembic_version", "todo", "more"}
    assert rows(url) == [("5%",)]


def test_again(app: Flask, url: str) -> None:
    """The second time there is nothing to do."""
    with app.app_context():
        extension(app).prepare()
        report = extension(app).prepare()

    assert (report.databases[0].snapshot, report.run.steps) == (None, ())
    assert report.databases[0].current == ("c3",)
    assert rows(url) == [("5%",)]


def test_without_revisions(
    app: Flask, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A snapshot whose revisions are gone is told of, though nothing can be run."""
    with app.app_context():
        extension(app).ensure_version()

    for path in Path(app.root_path, "migrations").glob("*.py"):
        path.unlink()

    with app.app_context(), caplog.at_level(logging.WARNING, "flask_alembic"):
        (database,) = extension(app).prepare().databases

    assert (database.snapshot, database.applied, database.current) == (None, (), ())
    assert "is not used" in caplog.text


def test_behind(app: Flask, url: str) -> None:
    """A database that is at a revision is upgraded."""
    with app.app_context():
        extension(app).upgrade("a1")
        (database,) = extension(app).prepare().databases

    assert (database.snapshot, database.applied) == (None, ("b2", "c3"))
    assert rows(url) == [("5%",)]


def test_without_snapshot(app: Flask, url: str) -> None:
    """Without a snapshot all revisions run."""
    snapshot_of(app).unlink()

    with app.app_context():
        (database,) = extension(app).prepare().databases

    assert (database.snapshot, database.applied) == (None, ("a1", "b2", "c3"))
    assert rows(url) == [("5%",)]


@pytest.mark.parametrize("how", ["ensure-version", "downgrade"])
def test_empty_but_for_our_tables(app: Flask, url: str, how: str) -> None:
    """The version table and those beside it do not keep a database from being empty."""
    with app.app_context():
        if how == "ensure-version":
            extension(app).ensure_version()
        else:
            write_revision(
                app, "a1", upgrade=CREATE_TODO, downgrade="op.drop_table('todo')"
            )

    with app.app_context():
        if how == "downgrade":
            extension(app).upgrade("b2")
            extension(app).downgrade("base")

        write_revision(app, "a1", upgrade=CREATE_TODO)

    with app.app_context():
        (database,) = extension(app).prepare().databases

    assert database.snapshot == snapshot_of(app)
    assert rows(url) == [("5%",)]


def test_tables_of_others(app: Flask, url: str) -> None:
    """A database that is not empty is upgraded, with what upgrade says of it."""
    execute(url, "CREATE TABLE todo (id INTEGER)")

    with app.app_context():
        with pytest.raises(MigrationFailed) as raised:
            extension(app).prepare()

    assert "has tables but no revision" in str(raised.value.hint)


@pytest.mark.parametrize("server", ["postgresql"], indirect=True)
@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TYPE mood AS ENUM ('ok')",
        "CREATE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE SEQUENCE counted",
        "CREATE SCHEMA other CREATE VIEW other AS SELECT 1",
    ],
)
def test_not_only_tables(app: Flask, url: str, statement: str) -> None:
    """A database is not empty if there is anything in it."""
    execute(url, statement)

    with app.app_context():
        assert extension(app).prepare().databases[0].snapshot is None


@pytest.mark.parametrize("server", ["postgresql"], indirect=True)
def test_what_is_no_content(app: Flask, url: str) -> None:
    """An extension and a schema without anything are there before an app comes."""
    execute(url, "CREATE SCHEMA other", "CREATE EXTENSION hstore")

    with app.app_context():
        assert extension(app).prepare().databases[0].snapshot is not None


def test_several_databases(apps: Apps, tmp_path: Path) -> None:
    """Each database is prepared in the way that it needs, in one run."""
    urls = {name: f"sqlite:///{tmp_path / name}.db" for name in ("default", "auth")}
    app, alembic = apps.several(urls)
    write_revision(app, "a1", upgrade=CREATE_TODO, arguments="engine_name")

    with app.app_context():
        alembic.snapshot(databases="auth")
        write_revision(app, "b2", "a1", upgrade="pass", arguments="engine_name")

    with app.app_context():
        report = alembic.prepare()

    found = {d.database: (bool(d.snapshot), d.applied) for d in report.databases}
    assert found == {"default": (False, ("a1", "b2")), "auth": (True, ("b2",))}


def test_chosen_databases(apps: Apps, tmp_path: Path) -> None:
    """Databases that are not named are left alone."""
    urls = {name: f"sqlite:///{tmp_path / name}.db" for name in ("default", "auth")}
    app, alembic = apps.several(urls)
    write_revision(app, "a1", upgrade=CREATE_TODO, arguments="engine_name")

    with app.app_context():
        alembic.snapshot()
        (database,) = alembic.prepare(databases="auth").databases
        assert database.database == "auth"
        assert alembic.current_by_database()["default"] == ()


def test_branches(app: Flask) -> None:
    """A snapshot may be of several heads."""
    write_revision(app, "d4", "a1")

    with app.app_context():
        extension(app).snapshot()
        (database,) = extension(app).prepare().databases

    assert database.snapshot is not None
    assert set(database.current) == {"c3", "d4"}


def test_subclass(apps: Apps, url: str) -> None:
    """An override of ``run_migrations`` sees it as any run, and may return nothing."""
    calls = []

    class Own(Alembic):
        def run_migrations(self, fn: t.Any, **kwargs: t.Any) -> t.Any:
            calls.append(1)
            super().run_migrations(fn, **kwargs)

    app, alembic = apps.plain(url, extension=Own)
    write_revision(app, "a1", upgrade=CREATE_TODO)

    with app.app_context():
        alembic.snapshot()
        report = alembic.prepare()

    assert report.databases[0].snapshot is not None
    assert len(calls) == 2


def test_a_connection_of_the_callers(app: Flask, url: str) -> None:
    """In somebody's transaction a snapshot is loaded too, and may be rolled back."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)

    with app.app_context(), engine.connect() as connection:
        transaction = connection.begin()

        with extension(app).use_connection(connection):
            assert extension(app).prepare().databases[0].snapshot is not None

        transaction.rollback()

    if engine.dialect.name != "mysql":
        assert tables(url) == set()


# What is noted


def test_history(app: Flask) -> None:
    """Each revision is noted, as one that was in a snapshot."""
    with app.app_context():
        extension(app).prepare()
        (entries,) = extension(app).applied().values()

    assert [(e.revision, e.direction, e.parents) for e in entries] == [
        ("c3", "upgrade", ("b2",)),
        ("b2", "snapshot", ("a1",)),
        ("a1", "snapshot", ()),
    ]
    assert all(entry.checksum for entry in entries)


def test_edited_afterwards(app: Flask, caplog: pytest.LogCaptureFixture) -> None:
    """A revision that was in it and is edited later is told of as any other."""
    with app.app_context():
        extension(app).prepare()

    write_revision(app, "a1", upgrade=CREATE_TODO.replace("50", "60"))

    with app.app_context(), caplog.at_level(logging.WARNING, "flask_alembic"):
        extension(app).prepare()
        assert [f.kind for f in extension(app).repair().findings] == ["edited"]

    assert "Revision a1 was edited after it was applied" in caplog.text


def test_downgrade(app: Flask, url: str) -> None:
    """What came by a snapshot can be undone as what came by revisions."""
    with app.app_context():
        extension(app).prepare()

    write_revision(app, "c3", "b2", downgrade="op.drop_table('more')")

    with app.app_context():
        extension(app).downgrade("a1")
        assert [s.revision for s in extension(app).current()] == ["a1"]

    assert tables(url) == {"alembic_version", "todo"}


# A snapshot that does not fit


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("edit", "Revision a1 was edited since: migrations/a1_.py."),
        ("garble", "It can't be read: "),
        ("lose", "Revision z9 is in it, and no file has it."),
        ("replace", "It can't be read: Is a directory."),
    ],
)
def test_stale(
    app: Flask, url: str, change: str, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The history is replayed then, and a warning says why."""
    if change == "edit":
        write_revision(app, "a1", upgrade=CREATE_TODO.replace("50", "60"))
    elif change == "garble":
        snapshot_of(app).write_text("<<<<<<< ours")
    elif change == "replace":
        path = snapshot_of(app)
        path.unlink()
        path.mkdir()
    else:
        text = snapshot_of(app).read_text()
        snapshot_of(app).write_text(text.replace("revisions: b2", "revisions: z9"))

    with app.app_context(), caplog.at_level(logging.WARNING, "flask_alembic"):
        (database,) = extension(app).prepare().databases

    assert (database.snapshot, database.applied) == (None, ("a1", "b2", "c3"))
    (message,) = [
        r.getMessage() for r in caplog.records if "snapshot" in r.getMessage()
    ]
    assert "is not used, and all revisions are run" in message
    assert reason in message
    assert rows(url) == [("5%",)]


def test_it_can_not_be_loaded(app: Flask, url: str, server: Server) -> None:
    """A snapshot that fails is an error that says so. Nothing of it is kept where that
    can be; elsewhere the next run mends it.
    """
    path = snapshot_of(app)
    text = path.read_text()
    broken = text.replace("INSERT INTO", "INSERT INTOO")
    path.write_text(broken)

    with app.app_context(), pytest.raises(MigrationFailed) as raised:
        extension(app).prepare()

    assert "The snapshot of b2 failed on the database 'default'" in str(raised.value)

    if server.name != "mariadb":
        assert "Nothing of it was kept" in str(raised.value.hint)
        assert tables(url) == {"alembic_version"} or tables(url) == set()
        path.write_text(text)

        with app.app_context():
            assert extension(app).prepare().databases[0].snapshot is not None


def test_it_names_the_statement(app: Flask, url: str) -> None:
    """The error holds the statement that failed, also where several are sent at once,
    and in them characters of several bytes.
    """
    path = snapshot_of(app)
    odd = "-- == odd\nSELECT 'ä€𝄞';\n\n-- == rows"
    text = path.read_text().replace("-- == rows", odd)
    path.write_text(text.replace("INSERT INTO", "INSERT INTOO"))

    with app.app_context(), pytest.raises(MigrationFailed) as raised:
        extension(app).prepare()

    error = t.cast(DBAPIError, raised.value.__cause__)
    assert str(error.statement).startswith("INSERT INTOO")


@pytest.mark.parametrize("server", ["mariadb", "postgresql"], indirect=True)
def test_lost_while_loading(app: Flask, url: str, server: Server) -> None:
    """A connection that is lost while a snapshot is loaded is told as such."""
    wait = "DO SLEEP(30)" if server.name == "mariadb" else "SELECT pg_sleep(30)"
    path = snapshot_of(app)
    text = path.read_text()
    path.write_text(text.replace("-- == rows", f"-- == wait\n{wait};\n\n-- == rows"))
    ender = threading.Thread(target=end_session, args=[url, wait])
    ender.start()

    with app.app_context(), pytest.raises(ConnectionLost) as raised:
        extension(app).prepare()

    ender.join()
    assert "was lost while" in str(raised.value)
    assert "PendingRollbackError" not in str(raised.value)


def end_session(url: str, statement: str) -> None:
    """End the session that executes a statement, once it does."""
    if "mysql" in url:
        find = (
            f"SELECT id FROM information_schema.processlist WHERE info = '{statement}'"
        )
        end = "KILL {}"
    else:
        find = (
            f"SELECT pid FROM pg_stat_activity WHERE strpos(query, '{statement}') > 0"
            " AND pid <> pg_backend_pid() AND datname = current_database()"
        )
        end = "SELECT pg_terminate_backend({})"

    while not (found := ask(url, find)):
        time.sleep(0.05)

    ask(url, end.format(found[0][0]))


# Ended amid it


GATES: t.Final = {
    "mysql": "CREATE FUNCTION gate() RETURNS int DETERMINISTIC RETURN 1",
    "postgresql": "CREATE FUNCTION public.gate() RETURNS int LANGUAGE sql RETURN 1",
}
"""What makes a function that a snapshot may wait for."""


def half_load(app: Flask, url: str) -> None:
    """Let a snapshot fail in its midst. If it is tried again it goes through."""
    path = snapshot_of(app)
    text = path.read_text()
    kind = sa.make_url(url).get_backend_name()
    call = "gate()" if kind == "mysql" else "public.gate()"
    at = text.index("-- == rows") if "-- == rows" in text else text.index("-- == hist")
    path.write_text(f"{text[:at]}-- == pause\nSELECT {call};\n\n{text[at:]}")

    with app.app_context(), pytest.raises(MigrationFailed) as raised:
        extension(app).prepare()

    assert "the next 'flask db prepare' drops" in str(raised.value.hint)
    execute(url, GATES[kind])


@pytest.fixture
def in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL takes each statement for too much to be in one transaction."""
    monkeypatch.setattr(postgresql, "PART", 1)


KEEPS = pytest.mark.parametrize("server", ["mariadb", "postgresql"], indirect=True)


@KEEPS
@pytest.mark.usefixtures("in_parts")
def test_half_loaded(app: Flask, url: str) -> None:
    """The next run drops what was loaded, and loads it anew."""
    half_load(app, url)
    assert "todo" in tables(url)

    with app.app_context():
        (database,) = extension(app).prepare().databases

    assert (database.snapshot, database.current) == (snapshot_of(app), ("c3",))
    assert rows(url) == [("5%",)]
    assert tables(url) == {"alembic_version", "todo", "more"}


@KEEPS
@pytest.mark.usefixtures("in_parts")
@pytest.mark.parametrize("command", ["upgrade", "resume"])
def test_half_loaded_for_others(app: Flask, url: str, db: Cli, command: str) -> None:
    """Other commands leave it alone, and say what to run."""
    half_load(app, url)
    result = db(app, command)
    assert result.exit_code == 1
    assert "A snapshot is half loaded on the database 'default'" in result.output
    assert "flask db prepare" in result.output
    assert db(app, "repair").exit_code == 0


@KEEPS
@pytest.mark.usefixtures("in_parts")
def test_half_loaded_of_another(app: Flask, url: str) -> None:
    """What another snapshot has left can't be mended by this one."""
    half_load(app, url)
    path = snapshot_of(app)
    path.write_text(path.read_text().replace("50)", "51)"))

    with app.app_context(), pytest.raises(HalfDoneError, match="another one now"):
        extension(app).prepare()


@KEEPS
@pytest.mark.usefixtures("in_parts")
def test_half_loaded_and_used(app: Flask, url: str) -> None:
    """Rows that somebody has written since are not dropped."""
    with app.app_context():
        extension(app).snapshot(rows=False)

    half_load(app, url)
    execute(url, "INSERT INTO todo (text) VALUES ('precious')")

    with app.app_context(), pytest.raises(MigrationFailed, match="has written to"):
        extension(app).prepare()

    assert rows(url) == [("precious",)]


@pytest.mark.faults
@pytest.mark.parametrize("server", ["mariadb", "postgresql", "sqlite"], indirect=True)
def test_killed(apps: Apps, url: str, server: Server) -> None:
    """Wherever a process is killed, the next one brings the database to head."""
    app, alembic = apps.plain(url)
    names = range(2 if server.name == "sqlite" else 110)
    table = "op.create_table('t{}', sa.Column('id', sa.Integer, primary_key=True))"
    index = "op.create_index('i{0}', 't{0}', ['id'])"
    write_revision(
        app,
        "a1",
        upgrade="\n".join(text.format(n) for n in names for text in (table, index)),
    )

    with app.app_context():
        alembic.snapshot()

    write_revision(app, "b2", "a1", upgrade=CREATE_TODO)
    program = Path(__file__).with_name("prepared_runs.py")
    distance = {"sqlite": "1", "mariadb": "23", "postgresql": "2"}[server.name]
    result = run_command("python", str(program), app.root_path, url, "1", distance)
    assert result.returncode == 0, result.stderr
    results = json.loads(result.stdout)
    assert len(results) > 3
    assert {again for _, again, _ in results} == {0}, result.stderr
    assert results[-1][0] == 0
    last = results[-1][2]
    assert len(last) >= len(names) + 2
    assert all(state == last for _, _, state in results)


def test_at_once(app: Flask, url: str, tmp_path: Path) -> None:
    """Of eight processes on an empty database one loads, and the others find nothing
    to do.
    """
    with Race(tmp_path) as race:
        for _ in range(8):
            race.start(app.root_path, url, "prepare")

        racers = race.finish()

    assert [racer.code for racer in racers] == [0] * 8, [r.text for r in racers]
    loaded = [racer for racer in racers if "was empty" in racer.text]
    assert len(loaded) == 1
    assert rows(url) == [("5%",)]


def test_reads_no_snapshot_for_nothing(app: Flask) -> None:
    """A database that is at a revision is not compared to any file."""
    with app.app_context():
        extension(app).prepare()
        snapshot_of(app).write_text("<<<<<<< ours")
        assert extension(app).prepare().run.steps == ()


# The command


def test_command(apps: Apps, sqlite_url: str, db: Cli) -> None:
    """It says what was loaded and run, and where the database is."""
    app, alembic = apps.plain(sqlite_url)
    write_revision(app, "a1", upgrade=CREATE_TODO)

    with app.app_context():
        alembic.snapshot()

    write_revision(app, "b2", "a1", message="fill in")
    lines = db(app, "prepare").output.splitlines()
    assert lines[0].startswith("  migrations/snapshots/default.sqlite.sql  snapshot  ")
    assert lines[1].startswith("  b2  fill in  upgrade  ")
    assert lines[2:] == ["default was empty; it is at b2 now."]
    assert db(app, "prepare").output == "default is already at head (b2).\n"
    assert db(app, "--quiet", "prepare").output == ""


def test_warning_of_the_command(apps: Apps, sqlite_url: str, db: Cli) -> None:
    """That a snapshot is not used is a warning on the terminal."""
    app, alembic = apps.plain(sqlite_url)
    write_revision(app, "a1", upgrade=CREATE_TODO)

    with app.app_context():
        alembic.snapshot()

    write_revision(app, "a1", upgrade=CREATE_TODO.replace("50", "60"))
    result = db(app, "prepare")
    assert result.exit_code == 0
    assert result.output.startswith(
        "Warning: The snapshot migrations/snapshots/default.sqlite.sql is not used, and"
        " all revisions are run: Revision a1 was edited since: migrations/a1_.py."
        " Run 'flask db snapshot'.\n"
    )


def test_error_of_a_wrong_name(apps: Apps, sqlite_url: str) -> None:
    """A database that there is none of is told."""
    app, alembic = apps.plain(sqlite_url)

    with app.app_context(), pytest.raises(FlaskAlembicError, match="no database 'x'"):
        alembic.prepare(databases="x")
