"""One run at a time: processes, threads and what is locked in between."""

from __future__ import annotations

import logging
import os
import re
import signal
import socket
import threading
import time
import typing as t
from concurrent.futures import Future
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextlib import suppress
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.ddl.impl import DefaultImpl
from flask import Flask
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

from apps import Apps
from apps import todo_metadata
from apps import write_revision
from conftest import Cli
from conftest import tables
from flask_alembic import Alembic
from flask_alembic import FlaskAlembicError
from flask_alembic import MigrationReport
from flask_alembic.locks import find_lock
from flask_alembic.locks import holding
from flask_alembic.locks import Patience
from flask_alembic.locks import patience
from flask_alembic.render.text import run_summary
from flask_alembic.run_errors import LockLost
from flask_alembic.run_errors import RunLocked
from racers import LONG
from racers import Race
from racers import wait_for
from servers import with_driver

pytestmark = pytest.mark.faults


def write_marked(
    app: Flask, revision: str, down: str | None, marks: Path, code: str = "pass"
) -> None:
    """Write a revision that notes in a file that it was entered."""
    mark = f"with open({str(marks)!r}, 'a') as file: file.write('{revision} ')"
    write_revision(app, revision, down, upgrade=f"{mark}\n{code}")


@contextmanager
def held(app: Flask, alembic: Alembic) -> t.Iterator[None]:
    """Hold the lock of an app's database, as another process would. It is held in a
    thread, so that no app context is pushed here.
    """
    done = threading.Event()

    def hold(is_held: Future[bool]) -> None:
        with app.app_context():
            lock = find_lock(alembic.migration_context, "default", True)
            assert lock is not None
            t.cast(t.Any, alembic.migration_context.connection).rollback()

            try:
                is_held.set_result(lock.try_acquire())
                assert done.wait(LONG)
            finally:
                lock.release()

    with ThreadPoolExecutor(1) as executor:
        answer: Future[bool] = Future()
        holder = executor.submit(hold, answer)

        try:
            assert answer.result(LONG)
            yield
        finally:
            done.set()
            holder.result(LONG)


def is_free(app: Flask, alembic: Alembic) -> bool:
    """Whether nobody holds the lock of an app's database. Its file is gone too."""
    if list(Path(app.root_path).parent.glob("*.migrate.lock")):
        return False

    with suppress(AssertionError), held(app, alembic):
        return True

    return False


def upgrade(app: Flask, alembic: Alembic, **options: t.Any) -> int:
    """Upgrade: the number of steps."""
    with app.app_context(), alembic.using(**options):
        return len(alembic.upgrade().steps)


@pytest.fixture
def pair(url: str, apps: Apps) -> tuple[Flask, Alembic, Flask, Alembic]:
    """Two apps with one database and the revision ``r1``, which does nothing."""
    app, alembic = apps.plain(url)
    other, other_alembic = apps.plain(url, name=Path(app.root_path).name)
    write_revision(app, "r1")
    return app, alembic, other, other_alembic


# Processes


def test_processes_at_once(url: str, apps: Apps, tmp_path: Path) -> None:
    """Of sixteen processes that upgrade an empty database at once each exits well, and
    each revision is run once, by one of them. The others say that it was another.
    """
    app, alembic = apps.plain(url)
    marks = tmp_path / "marks"
    make = "op.create_table('counter', sa.Column('n', sa.Integer))"
    make += "\nop.execute('INSERT INTO counter VALUES (0)')"
    count = "op.execute('UPDATE counter SET n = n + 1')"
    count += "\nop.create_table('b', sa.Column('n', sa.Integer))"
    write_marked(app, "r1", None, marks, f"import time; time.sleep(0.5)\n{make}")
    write_marked(app, "r2", "r1", marks, count)
    write_marked(app, "r3", "r2", marks)

    with Race(tmp_path) as race:
        for _ in range(16):
            race.start(app.root_path, url)

        racers = race.finish()

    texts = [racer.text for racer in racers]
    assert [racer.code for racer in racers] == [0] * 16, "\n".join(texts)
    assert marks.read_text() == "r1 r2 r3 "
    ends = sorted(text.splitlines()[-1] for text in texts)
    assert ends[0] == "3 revisions applied to default."
    waited = "Another run did the work: default is already at head (r3)."
    assert set(ends[1:]) <= {waited, "default is already at head (r3)."}
    engine = apps.engine(url)

    with engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT n FROM counter")) == 1

    assert is_free(app, alembic)


def test_version_tables_at_once(url: str, apps: Apps, tmp_path: Path) -> None:
    """Of processes that make the version table at once, one does so."""
    app, _ = apps.plain(url)

    with Race(tmp_path) as race:
        for _ in range(8):
            race.start(app.root_path, url, "ensure-version")

        racers = race.finish()

    texts = sorted(racer.text for racer in racers)
    assert [racer.code for racer in racers] == [0] * 8, "\n".join(texts)
    there = "default: the table alembic_version exists already.\n"
    assert texts == ["default: made the table alembic_version.\n"] + [there] * 7


def test_holder_is_killed(url: str, apps: Apps, tmp_path: Path) -> None:
    """When a process dies in the midst of a revision, one that waits goes on."""
    app, alembic = apps.plain(url)
    marks = tmp_path / "marks"
    code = f"import os, time\nis_first = not os.path.exists({str(marks)!r})"
    mark = f"with open({str(marks)!r}, 'a') as file: file.write('x')"
    code += f"\n{mark}\nif is_first: time.sleep({LONG})"
    write_revision(app, "r1", upgrade=code)

    with Race(tmp_path) as race:
        holder = race.start(app.root_path, url)
        wait_for(marks)
        waiter = race.start(app.root_path, url, engine=_longest_wait(url))
        time.sleep(0.3)
        holder.send(signal.SIGKILL)
        race.finish()

    assert holder.code == -signal.SIGKILL
    assert waiter.code == 0, waiter.text
    assert "1 revision applied to default." in waiter.text
    assert marks.read_text() == "xx"
    assert is_free(app, alembic)


def _longest_wait(url: str) -> dict[str, t.Any]:
    """A file of SQLite may be looked at while the dead process's journal is there."""
    return {"connect_args": {"timeout": 10}} if url.startswith("sqlite") else {}


def test_holder_hangs(url: str, apps: Apps, tmp_path: Path) -> None:
    """A process that waits for one that hangs gives up in time, with an exit code of
    its own, and says who it is and how to end that.
    """
    app, _ = apps.plain(url)
    marks = tmp_path / "marks"
    write_marked(app, "r1", None, marks, f"import time; time.sleep({LONG})")

    with Race(tmp_path) as race:
        holder = race.start(app.root_path, url)
        wait_for(marks)
        holder.send(signal.SIGSTOP)
        waiter = race.start(app.root_path, url, "upgrade", "--lock-timeout", "1.2")

        while not waiter.text:
            time.sleep(0.05)

        holder.send(signal.SIGKILL)
        race.finish()

    assert waiter.code == 3, waiter.text
    assert "Waiting for another run on the database 'default': " in waiter.text
    assert "(1 s of 1 s)." in waiter.text
    error = re.search("^Error: (.+)\nHint: (.+)", waiter.text, re.MULTILINE)
    assert error is not None, waiter.text
    start = "Another run on the database 'default' did not end within 1.2 s: "
    assert error[1].startswith(start)

    if url.startswith("mysql"):
        # The server says no more, where its performance schema is off.
        assert re.search(r": (session \d+ of root|pid \d+) on [\w.]+", error[1])
        assert re.search(r"KILL \d+$", error[2])
    else:
        place = f"pid {holder.pid} on {socket.gethostname()}, application -c, since "
        assert place in error[1]
        cure = r"SELECT pg_terminate_backend\(\d+\)$"
        is_file = url.startswith("sqlite")
        assert re.search(f"kill {holder.pid}$" if is_file else cure, error[2])


def test_nothing_to_do(pair: tuple[Flask, Alembic, Flask, Alembic]) -> None:
    """A run that has nothing to do takes no lock, so nothing keeps it."""
    app, alembic, other, other_alembic = pair
    assert upgrade(app, alembic) == 1

    with held(other, other_alembic):
        assert upgrade(app, alembic, lock_timeout=0) == 0

        with app.app_context():
            assert alembic.ensure_version()[0].created is False

    write_revision(app, "r2", "r1")

    with held(other, other_alembic), pytest.raises(RunLocked) as caught:
        upgrade(app, alembic, lock_timeout=0)

    assert caught.value.database == "default"
    assert upgrade(app, alembic, lock_timeout=0) == 1


# What is told


def test_progress(
    pair: tuple[Flask, Alembic, Flask, Alembic],
    db: Cli,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """While it waits, a command says on stderr for whom; with --quiet it does not."""
    app, _, other, other_alembic = pair
    monkeypatch.setattr(patience, "FIRST_NOTICE", 0.1)
    monkeypatch.setattr(patience, "NOTICE_INTERVAL", 0.2)
    logger = logging.getLogger("flask_alembic")
    before = (logger.level, logger.propagate, list(logger.handlers))

    for command in (["upgrade"], ["stamp"], ["stamp", "--purge", "r1"]):
        with held(other, other_alembic):
            result = db(app, *command, "--lock-timeout", "0.6")
            quiet = db(app, "--quiet", *command, "--lock-timeout", "0.3")

        assert result.exit_code == quiet.exit_code == 3
        assert result.stderr.count("Waiting for another run on the database") >= 2
        assert "Waiting" not in quiet.stderr
        assert quiet.stderr.startswith("Error: Another run on the database 'default'")

    assert (logger.level, logger.propagate, logger.handlers) == before
    assert db(app, "upgrade").stderr == ""


def test_warnings_on_the_command_line(apps: Apps, db: Cli, sqlite_url: str) -> None:
    """What this package logs while a command runs is a line on stderr."""
    app, _ = apps.plain(sqlite_url)
    code = "import logging\nlogging.getLogger('flask_alembic').warning('odd')"
    write_revision(app, "r1", upgrade=code)
    result = db(app, "upgrade")
    assert result.stderr == "Warning: odd\n"
    assert result.stdout.endswith("1 revision applied to default.\n")


@pytest.mark.parametrize(
    ("config", "options", "code"),
    [
        ({}, ["--no-lock"], 0),
        ({"lock": False}, [], 0),
        ({"lock_timeout": 0}, ["--no-lock"], 0),
        ({"lock_timeout": 0}, [], 3),
        ({}, ["--lock-timeout", "0"], 3),
        ({"lock_timeout": 1000}, ["--lock-timeout", "0.1"], 3),
    ],
)
def test_options(
    apps: Apps,
    db: Cli,
    sqlite_url: str,
    config: dict[str, t.Any],
    options: list[str],
    code: int,
) -> None:
    """The config and the command line say whether to lock, and how long to wait."""
    app, _ = apps.plain(sqlite_url, ALEMBIC=config)
    write_revision(app, "r1")

    with held(*apps.plain(sqlite_url)):
        assert db(app, "upgrade", *options).exit_code == code
        assert db(app, "stamp", *options).exit_code == code
        # Where nothing was applied there is nothing to undo, and no lock is needed.
        assert db(app, "downgrade", "base", *options).exit_code == 0


def test_another_run_did_it(
    url: str, apps: Apps, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who has waited and finds nothing to do says why, and the report for how long."""
    app, alembic = apps.plain(url)
    go_on = tmp_path / "go on"
    wait = (
        f"import os, time\nwhile not os.path.exists({str(go_on)!r}): time.sleep(0.01)"
    )
    write_marked(app, "r1", None, tmp_path / "marks", wait)
    monkeypatch.setattr(patience, "FIRST_NOTICE", 0.1)

    with Race(tmp_path) as race, told() as texts:
        race.start(app.root_path, url)
        wait_for(tmp_path / "marks")

        with ThreadPoolExecutor(1) as executor:
            waiter = executor.submit(report_of, app, alembic)

            while not texts:
                assert not waiter.done()
                time.sleep(0.01)

            go_on.touch()
            report = waiter.result(LONG)

        race.finish()

    assert texts[0].startswith("Waiting for another run on the database 'default': ")
    assert report.steps == ()
    assert report.waited > 0
    assert run_summary(report, "upgrade", ["r1"]) == [
        "Another run did the work: default is already at head (r1)."
    ]
    assert report_of(app, alembic).waited == 0


def report_of(app: Flask, alembic: Alembic) -> MigrationReport:
    with app.app_context():
        return alembic.upgrade()


@contextmanager
def told() -> t.Iterator[list[str]]:
    """What is logged to be told while a run waits."""
    texts: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: texts.append(  # type: ignore[method-assign]
        record.getMessage()
    )
    logger = logging.getLogger("flask_alembic")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)

    try:
        yield texts
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


def test_clock_goes_backwards(
    pair: tuple[Flask, Alembic, Flask, Alembic], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time is up in time all the same."""
    app, alembic, other, other_alembic = pair
    clock = iter(range(10**9, 0, -3600))
    monkeypatch.setattr(time, "time", lambda: float(next(clock)))

    with held(other, other_alembic), pytest.raises(RunLocked):
        upgrade(app, alembic, lock_timeout=0.3)


# What stays behind


def test_nothing_stays(url: str, apps: Apps) -> None:
    """After a run, and one that failed, nobody holds the lock; not even a connection
    that went back to the app's pool.
    """
    app = apps.flask()
    engine = apps.engine(url, pool_size=2)
    alembic = Alembic(app, metadatas=todo_metadata(), engines=engine)
    other, other_alembic = apps.plain(url)
    write_revision(app, "r1")
    write_revision(app, "r2", "r1", upgrade="raise ZeroDivisionError")

    with app.test_request_context():
        alembic.upgrade("r1")

    assert t.cast(t.Any, engine.pool).checkedin() == 1
    assert is_free(other, other_alembic)

    for context in (app.test_request_context(), app.app_context()):
        with context, pytest.raises(FlaskAlembicError):
            alembic.upgrade()

        assert is_free(other, other_alembic)


@pytest.mark.parametrize(
    "options", [{"pool_size": 1, "max_overflow": 0}, {"poolclass": sa.NullPool}]
)
def test_small_pools(url: str, apps: Apps, options: dict[str, t.Any]) -> None:
    """The lock needs nothing of the app's pool."""
    if "pool_size" in options:
        options = {**options, "pool_timeout": 0.2}

    app = apps.flask()
    engine = apps.engine(url, **options)
    alembic = Alembic(app, metadatas=todo_metadata(), engines=engine)
    write_revision(app, "r1")
    write_revision(app, "r2", "r1")

    with app.app_context():
        assert len(alembic.upgrade("r1").steps) == 1

    with app.test_request_context():
        assert len(alembic.upgrade().steps) == 1

    assert is_free(*apps.plain(url))


# Losing it

TAKE_AWAY: t.Final = {
    "postgresql": 'op.execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_locks'
    " WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database"
    ' WHERE datname = current_database())")',
    "mysql": "op.execute('DO RELEASE_ALL_LOCKS()')",
    "sqlite": "import glob, os\n[os.remove(path) for path in"
    " glob.glob(context.config.attributes['files'])]",
}


def test_lock_is_lost(
    url: str, apps: Apps, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """If it is taken away during a revision, the next one is not run. SQLAlchemy's pool
    does not complain of a session that is over.
    """
    app, alembic = apps.plain(url)
    name = sa.make_url(url).get_backend_name()
    code = TAKE_AWAY[name].replace(
        "context.config.attributes['files']", repr(f"{tmp_path}/*.migrate.lock")
    )
    write_revision(app, "r1", upgrade=code)
    write_revision(app, "r2", "r1", upgrade="raise ZeroDivisionError")

    with app.app_context(), pytest.raises(LockLost) as caught:
        alembic.upgrade()

    assert caught.value.database == "default"
    assert str(caught.value).startswith("The lock on the database 'default' is lost: ")
    assert not [r for r in caplog.records if r.name.startswith("sqlalchemy.pool")]

    with app.app_context():
        assert [script.revision for script in alembic.current()] == ["r1"]

    assert is_free(app, alembic)


# Threads and nested runs


def test_threads_on_one_database(
    url: str, apps: Apps, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Threads of one process that upgrade one database: the second one waits, and finds
    nothing to do; or gives up when the time is up.
    """
    started, go_on = threading.Event(), threading.Event()
    app, alembic = apps.plain(url, STARTED=started, GO_ON=go_on)
    code = "from flask import current_app\ncurrent_app.config['STARTED'].set()"
    code += f"\nassert current_app.config['GO_ON'].wait({LONG})"
    write_revision(app, "r1", upgrade=code)
    monkeypatch.setattr(patience, "FIRST_NOTICE", 0.1)

    with ThreadPoolExecutor(2) as executor, told() as texts:
        first = executor.submit(report_of, app, alembic)

        try:
            assert started.wait(LONG), first.exception()

            with pytest.raises(RunLocked, match="Another thread") as caught:
                upgrade(app, alembic, lock_timeout=0)

            second = executor.submit(report_of, app, alembic)

            while not texts:
                assert not second.done()
                time.sleep(0.01)
        finally:
            go_on.set()

        assert caught.value.database is None
        assert len(first.result(LONG).steps) == 1
        assert second.result(LONG).steps == ()
        assert second.result(LONG).waited > 0

    waiting = "Waiting for another run in another thread of this process ("
    assert texts[0].startswith(waiting)


def test_own_database_in_a_revision(url: str, apps: Apps) -> None:
    """A revision can't migrate the database that it runs on: it does not wait for
    itself, but is told.
    """
    app, alembic = apps.plain(url, AGAIN=None)
    inner, inner_alembic = apps.plain(url)
    write_revision(inner, "i1")
    code = "from flask import current_app\ncurrent_app.config['AGAIN']()"
    write_revision(app, "r1", upgrade=code)
    app.config["AGAIN"] = lambda: upgrade(inner, inner_alembic)

    with pytest.raises(FlaskAlembicError, match="wants to migrate that same database"):
        upgrade(app, alembic)

    assert is_free(app, alembic)
    # Its own table for the versions makes it another one.
    if not url.startswith("sqlite"):
        inner.config["ALEMBIC_CONTEXT"] = {"version_table": "inner_version"}
        assert upgrade(app, alembic) == 1


# Other locks


def test_lock_of_the_user(url: str, apps: Apps) -> None:
    """The config may have a function instead, which gets a connection and the name of
    the database, and returns a context manager.
    """
    calls: list[str] = []

    @contextmanager
    def lock(connection: sa.Connection, name: str) -> t.Iterator[None]:
        calls.append(f"{name} {connection.scalar(sa.text('SELECT 1'))}")

        try:
            yield
        finally:
            calls.append(f"end {connection.scalar(sa.text('SELECT 2'))}")

    app, alembic = apps.plain(url, ALEMBIC={"lock": lock})
    write_revision(
        app, "r1", upgrade="op.create_table('a', sa.Column('n', sa.Integer))"
    )

    with held(*apps.plain(url)):
        assert upgrade(app, alembic) == 1

    assert calls == ["default 1", "end 2"]
    assert tables(url) == {"a", "alembic_version"}
    assert upgrade(app, alembic) == 0
    assert len(calls) == 2


def test_other_dialect(
    apps: Apps, sqlite_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A database of a kind that has no lock here is migrated without, and that is
    logged once a process, with the cure.
    """
    registry.register("other", __name__, "OtherDialect")
    app, alembic = apps.plain(sqlite_url.replace("sqlite", "other"))
    write_revision(app, "r1")
    assert upgrade(app, alembic) == 1

    with app.app_context():
        alembic.downgrade()

    (record,) = [r for r in caplog.records if r.name == "flask_alembic"]
    assert record.levelname == "WARNING"
    assert "no lock for databases of the kind 'other'" in record.getMessage()
    assert "ALEMBIC['lock']" in record.getMessage()


class OtherDialect(SQLiteDialect_pysqlite):
    """A database that nobody knows."""

    name = "other"
    supports_statement_cache = True


class OtherImpl(DefaultImpl):
    """Alembic has to know it."""

    __dialect__ = "other"


def test_lock_file(apps: Apps, sqlite_url: str, tmp_path: Path) -> None:
    """A file that a dead process left is no lock. A link to the database is the same
    database.
    """
    app, alembic = apps.plain(sqlite_url)
    write_revision(app, "r1")
    (tmp_path / "test.db.migrate.lock").write_text("{")
    os.symlink(tmp_path / "test.db", tmp_path / "link.db")
    linked = apps.plain(f"sqlite:///{tmp_path / 'link.db'}")

    with held(*linked), pytest.raises(RunLocked):
        upgrade(app, alembic, lock_timeout=0)

    assert upgrade(app, alembic) == 1
    assert is_free(app, alembic)


def test_lock_file_cannot_be_made(
    apps: Apps, sqlite_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Then it is logged, and the run goes on."""
    app, alembic = apps.plain(sqlite_url)
    write_revision(app, "r1")
    (tmp_path / "test.db.migrate.lock").mkdir()
    assert upgrade(app, alembic) == 1
    (record,) = [r for r in caplog.records if r.name == "flask_alembic"]
    assert "There is no lock on the database 'default'" in record.getMessage()
    (tmp_path / "test.db.migrate.lock").rmdir()


def test_memory(apps: Apps) -> None:
    """A database in memory needs none."""
    app, alembic = apps.plain("sqlite://")
    write_revision(app, "r1")
    files = set(os.listdir("."))
    assert upgrade(app, alembic) == 1
    assert set(os.listdir(".")) == files


LARGE: t.Final = (
    "op.execute('PRAGMA cache_size = 1'); op.execute('INSERT INTO a WITH RECURSIVE"
    " i(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i LIMIT 5000) SELECT n FROM i')"
)
"""More than fits into memory, so that nobody can read the database any more."""


@pytest.mark.parametrize("insert", ["pass", LARGE], ids=["read", "locked"])
def test_longer_than_the_busy_timeout(
    apps: Apps, sqlite_url: str, tmp_path: Path, insert: str
) -> None:
    """On SQLite the others wait, also where a migration takes longer than the driver
    waits for a locked database, whether it can be read or not.
    """
    app, alembic = apps.plain(sqlite_url)
    marks, ready = tmp_path / "marks", tmp_path / "ready"
    write_marked(
        app,
        "r1",
        None,
        marks,
        f"op.create_table('a', sa.Column('n', sa.Integer))\n{insert}\n"
        f"open({str(ready)!r}, 'w').close()\nimport time; time.sleep(0.8)",
    )
    engine = {"connect_args": {"timeout": 0.1}}

    with Race(tmp_path) as race:
        race.start(app.root_path, sqlite_url, engine=engine)
        wait_for(ready)

        for _ in range(3):
            race.start(app.root_path, sqlite_url, engine=engine)

        racers = race.finish()

    assert [r.code for r in racers] == [0] * 4, [r.text for r in racers]
    assert marks.read_text() == "r1 "
    assert is_free(app, alembic)


def test_async(async_url: str, apps: Apps) -> None:
    """A database with an async driver has the same lock."""
    app, alembic, _ = apps.plain_async(async_url)
    other, other_alembic, _ = apps.plain_async(async_url)
    sync_driver = {"postgresql": "psycopg", "mysql": "pymysql", "sqlite": "pysqlite"}
    driver = sync_driver[sa.make_url(async_url).get_backend_name()]
    write_revision(app, "r1")

    for holder in (apps.plain(with_driver(async_url, driver)), (other, other_alembic)):
        with held(*holder), pytest.raises(RunLocked) as caught:
            upgrade(app, alembic, lock_timeout=0.2)

        found = caught.value.holder
        assert found is not None
        assert "mysql" in async_url or found.pid == os.getpid()

    assert upgrade(app, alembic) == 1
    assert is_free(other, other_alembic)


def test_two_names_of_one_database(
    pair: tuple[Flask, Alembic, Flask, Alembic],
) -> None:
    """A run that has one database twice does not wait for itself."""
    app, alembic, other, other_alembic = pair

    with app.app_context():
        first = find_lock(alembic.migration_context, "default", True)

        with other.app_context():
            second = find_lock(other_alembic.migration_context, "again", True)
            assert first is not None
            assert second is not None

            with holding([first, second], Patience(0)):
                assert not is_free(*pair[:2])

    assert is_free(app, alembic)
