"""App contexts, connections and transactions: what is opened, and what is left."""

from __future__ import annotations

import contextvars
import logging
import os
import subprocess
import sys
import threading
import typing as t
from pathlib import Path

import alembic.op
import pytest
import sqlalchemy as sa
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import event

from apps import Apps
from apps import todo_metadata
from apps import write_revision
from conftest import tables
from flask_alembic import Alembic
from flask_alembic import ConnectionFailed
from flask_alembic import FlaskAlembicError
from flask_alembic import MigrationFailed
from servers import Databases
from servers import Server

READS: t.Final[dict[str, t.Callable[[Alembic], object]]] = {
    "branches": Alembic.branches,
    "check": Alembic.check,
    "compare_metadata": Alembic.compare_metadata,
    "current": Alembic.current,
    "current_by_database": Alembic.current_by_database,
    "heads": Alembic.heads,
    "log": Alembic.log,
    "log to current": lambda alembic: alembic.log(end="current"),
    "needs_revision": Alembic.needs_revision,
    "needs_upgrade": Alembic.needs_upgrade,
    "produce_migrations": Alembic.produce_migrations,
    "show": lambda alembic: alembic.show("heads"),
    "show current": lambda alembic: alembic.show("current"),
}

Come = tuple[str, t.Callable[[], None]]

INSERT: t.Final = "op.execute(\"INSERT INTO todo (id, text) VALUES ({}, 'x')\")"

LOST: t.Final = (
    "flask_alembic",
    logging.ERROR,
    "A database went away before the work of 'op' outside of a migration was committed."
    " That work is lost.",
)

on_network = pytest.mark.parametrize("server", ["postgresql", "mariadb"], indirect=True)
on_postgresql = pytest.mark.parametrize("server", ["postgresql"], indirect=True)
with_transactional_ddl = pytest.mark.parametrize(
    "server", ["sqlite", "postgresql"], indirect=True
)


def pool_of(engine: sa.Engine) -> sa.QueuePool:
    assert isinstance(engine.pool, sa.QueuePool)
    return engine.pool


def connects(engine: sa.Engine) -> list[t.Any]:
    """The driver's connections, as they are made from now on."""
    made: list[t.Any] = []

    @event.listens_for(engine, "connect")
    def connect(driver: t.Any, _record: t.Any) -> None:
        made.append(driver)

    return made


def engine_of(app: Flask, alembic: Alembic) -> sa.Engine:
    with app.app_context():
        return alembic.databases["default"].engine


def ids(url: str) -> list[int]:
    """The rows of ``todo``, asked on a connection of the test's own."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)

    with engine.connect() as connection:
        return list(connection.scalars(sa.text("SELECT id FROM todo ORDER BY id")))


def open_transactions(url: str) -> int:
    """How many transactions others have open in a database."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)

    if engine.dialect.name == "sqlite":
        return _sqlite_is_locked(engine)

    query = {
        "postgresql": "SELECT count(*) FROM pg_stat_activity WHERE xact_start IS NOT"
        " NULL AND datname = current_database() AND pid <> pg_backend_pid()",
        "mysql": "SELECT count(*) FROM information_schema.innodb_trx"
        " JOIN information_schema.processlist ON id = trx_mysql_thread_id"
        " WHERE db = DATABASE() AND id <> CONNECTION_ID()",
    }[engine.dialect.name]

    with engine.connect() as connection:
        return int(connection.scalar(sa.text(query)) or 0)


def _sqlite_is_locked(engine: sa.Engine) -> int:
    """A reader keeps others from committing, and a writer from beginning."""
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout = 0")

        try:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            connection.exec_driver_sql("CREATE TABLE lock_probe (i INTEGER)")
            connection.exec_driver_sql("COMMIT")
            connection.exec_driver_sql("DROP TABLE lock_probe")
        except sa.exc.OperationalError:
            return 1

    return 0


def cut(url: str) -> None:
    """Let the server end all other connections to a database."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    own, listing, end = {
        "postgresql": (
            "pg_backend_pid()",
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database()",
            "SELECT pg_terminate_backend({})",
        ),
        "mysql": (
            "CONNECTION_ID()",
            "SELECT id FROM information_schema.processlist WHERE db = DATABASE()",
            "KILL {}",
        ),
    }[engine.dialect.name]

    with engine.connect() as connection:
        me = connection.scalar(sa.text(f"SELECT {own}"))

        for pid in connection.scalars(sa.text(listing)).all():
            if pid != me:
                connection.execute(sa.text(end.format(pid)))


def at_head(url: str, apps: Apps, **config: t.Any) -> tuple[Flask, Alembic]:
    """An app with the table ``todo``, whose database is at head."""
    app, alembic_ = apps.plain(url, **config)

    with app.app_context():
        alembic_.revision("todo")

    with app.app_context():
        alembic_.upgrade()

    return app, alembic_


# Requests and the pool


def test_request_gives_connection_back(url: str, apps: Apps) -> None:
    """In a request a connection comes from the app's pool and goes back to it, as soon
    as a method returns.
    """
    app, alembic_ = at_head(url, apps)
    engine = engine_of(app, alembic_)
    made = connects(engine)

    for name, read in READS.items():
        with app.test_request_context():
            read(alembic_)
            assert pool_of(engine).checkedout() == 0, name

        assert open_transactions(url) == 0, name

    assert len(made) == 1


def test_request_keeps_contexts_until_its_end(url: str, apps: Apps) -> None:
    """Who asks for a migration context may use its connection until the end of the
    request; then it goes back.
    """
    app, alembic_ = at_head(url, apps)
    engine = engine_of(app, alembic_)
    made = connects(engine)

    for _ in range(3):
        with app.test_request_context():
            context = alembic_.migration_context
            alembic_.current()
            assert alembic_.migration_context is context
            assert context.connection is not None
            assert context.connection.scalar(sa.text("SELECT 1")) == 1
            assert pool_of(engine).checkedout() == 1

        assert pool_of(engine).checkedout() == 0

    assert len(made) == 1


def test_upgrade_in_a_request(url: str, apps: Apps) -> None:
    """A migration may run in a request, and leaves the pool as it was."""
    app, alembic_ = apps.plain(url)
    engine = engine_of(app, alembic_)
    made = connects(engine)

    with app.test_request_context():
        alembic_.revision("todo")

    with app.test_request_context():
        assert len(alembic_.upgrade().steps) == 1
        assert pool_of(engine).checkedout() == 0

    # On PostgreSQL there was one more, for the lock.
    assert pool_of(engine).checkedin() == 1
    assert len(made) == (2 if "postgresql" in url else 1)
    assert tables(url) == {"todo", "alembic_version"}


def test_pool_of_one_connection(url: str, apps: Apps) -> None:
    """A view that asks whether the database is up to date can use its only connection
    afterwards, and before.
    """
    engine = apps.engine(url, pool_size=1, max_overflow=0, pool_timeout=0.1)
    app = apps.flask()
    alembic_ = Alembic(app, metadatas=todo_metadata(), engines=engine)

    @app.get("/")
    def index() -> str:
        with engine.connect() as connection:
            connection.execute(sa.text("SELECT 1"))

        behind = alembic_.needs_upgrade()

        with engine.connect() as connection:
            connection.execute(sa.text("SELECT 1"))

        return str(behind)

    write_revision(app, "r1")
    assert app.test_client().get("/").text == "True"

    with app.app_context():
        alembic_.upgrade()

    assert app.test_client().get("/").text == "False"


# Outside of requests


def test_nothing_of_ours_stays_in_the_pool(url: str, apps: Apps) -> None:
    """Outside of a request the pool gets nothing of ours, so that whoever connects next
    connects anew: a server may have forked meanwhile.
    """
    app, alembic_ = apps.plain(url)
    write_revision(app, "r1")
    uses: dict[str, t.Callable[[Alembic], object]] = {
        **READS,
        "upgrade": Alembic.upgrade,
        "migration_context": lambda alembic: alembic.migration_context,
        "op": lambda alembic: alembic.op,
    }
    engine = engine_of(app, alembic_)
    made = connects(engine)

    for name, use in uses.items():
        with app.app_context():
            use(alembic_)

        assert pool_of(engine).checkedout() == 0, name
        before = len(made)

        with engine.connect():
            assert len(made) == before + 1, name

        engine.dispose()


CHILD: t.Final = """
import os
import sys

import sqlalchemy as sa
from flask import Flask
from flask_alembic import Alembic

url, root = sys.argv[1:]
engine = sa.create_engine(url)
made = []
sa.event.listen(engine, "connect", lambda driver, record: made.append(driver))
app = Flask("app", root_path=root)
alembic = Alembic(app, metadatas=sa.MetaData(), engines=engine)

with app.app_context():
    alembic.upgrade()
    assert not alembic.needs_upgrade()

before = len(made)
assert before


def tell():
    # The server's own name for the connection.
    query = {
        "sqlite": "SELECT 0",
        "postgresql": "SELECT pg_backend_pid()",
        "mysql": "SELECT CONNECTION_ID()",
    }[engine.dialect.name]

    with engine.connect() as connection:
        name = connection.scalar(sa.text(query))

    os.write(1, f"{name} {len(made) - before}\\n".encode())


for _ in range(2):
    if not os.fork():
        tell()
        os._exit(0)

for _ in range(2):
    os.wait()

tell()
engine.dispose()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
def test_forked_processes_share_no_connection(url: str, apps: Apps) -> None:
    """An app that upgrades in its factory and is forked then, as servers do with
    their workers, has a connection of its own in each process.
    """
    app = apps.flask()
    write_revision(app, "r1", upgrade="op.execute('CREATE TABLE x (id INT)')")
    result = subprocess.run(
        [sys.executable, "-c", CHILD, url, app.root_path],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert result.returncode == 0, result.stderr
    told = [line.split() for line in result.stdout.splitlines()]
    assert len(told) == 3
    assert [new for _, new in told] == ["1"] * 3

    if not url.startswith("sqlite"):
        assert len({name for name, _ in told}) == 3


# Reading


def test_reading_creates_no_version_table(url: str, apps: Apps) -> None:
    """Looking at a database leaves it empty."""
    app, alembic_ = apps.plain(url)
    write_revision(app, "r1")

    for name, read in READS.items():
        with app.app_context():
            read(alembic_)

        assert tables(url) == set(), name


def test_comparing_for_a_revision_creates_no_version_table(
    url: str, apps: Apps
) -> None:
    """So does autogenerate."""
    app, alembic_ = apps.plain(url)

    with app.app_context():
        alembic_.revision("todo")

    assert tables(url) == set()


@pytest.mark.parametrize("in_request", [True, False])
def test_reading_leaves_no_transaction(url: str, apps: Apps, in_request: bool) -> None:
    """Also where a connection is open for the whole context, no transaction of a read
    stays open on it.
    """
    app, alembic_ = at_head(url, apps)

    with app.test_request_context() if in_request else app.app_context():
        assert alembic_.migration_context
        assert open_transactions(url) == 0

        for name, read in READS.items():
            read(alembic_)
            assert open_transactions(url) == 0, name


def test_running_leaves_no_transaction(url: str, apps: Apps) -> None:
    """Nor does one of a run."""
    app, alembic_ = at_head(url, apps)

    with app.app_context():
        assert alembic_.migration_context

        for verb in ("upgrade", "downgrade", "stamp"):
            getattr(alembic_, verb)()
            assert open_transactions(url) == 0, verb


def test_connection_is_usable_after_a_run(url: str, apps: Apps) -> None:
    """The connection of a context stays open when a migration has run on it."""
    app, alembic_ = apps.plain(url)

    with app.app_context():
        alembic_.revision("todo")

    with app.app_context():
        context = alembic_.migration_context
        alembic_.upgrade()
        assert alembic_.migration_context is context
        assert context.connection is not None
        assert context.connection.scalar(sa.text("SELECT count(*) FROM todo")) == 0
        assert context.get_current_heads() == tuple(
            script.revision for script in alembic_.heads()
        )


# Operations outside of a migration


def test_operations_are_committed(url: str, apps: Apps) -> None:
    """What is done by ``op`` lasts when the app context ends."""
    app, alembic_ = at_head(url, apps)

    with app.app_context():
        alembic_.op.bulk_insert(todo_metadata().tables["todo"], [{"id": 1}])
        alembic_.op.create_table("extra", sa.Column("id", sa.Integer))

    assert ids(url) == [1]
    assert "extra" in tables(url)


def test_operations_are_committed_before_a_run(url: str, apps: Apps) -> None:
    """What was done before a migration lasts, and the migration sees it."""
    app, alembic_ = at_head(url, apps)
    head = script_id(app, alembic_)
    write_revision(app, "zz", head, upgrade=INSERT.format(2) + "\nraise KeyError")

    with app.app_context():
        alembic_.op.execute("INSERT INTO todo (id) VALUES (1)")

        with pytest.raises(MigrationFailed):
            alembic_.upgrade()

    assert ids(url) == [1]


def script_id(app: Flask, alembic_: Alembic) -> str:
    with app.app_context():
        (script,) = alembic_.heads()
        return script.revision


def test_operations_are_rolled_back_by_an_exception(url: str, apps: Apps) -> None:
    """When the context ends by an exception, what can be rolled back is."""
    app, alembic_ = at_head(url, apps)

    with pytest.raises(ZeroDivisionError), app.app_context():
        alembic_.op.execute("INSERT INTO todo (id) VALUES (1)")
        raise ZeroDivisionError

    assert ids(url) == []


def test_reading_does_not_end_the_work_of_operations(url: str, apps: Apps) -> None:
    """A read in between neither commits the work nor loses it."""
    app, alembic_ = at_head(url, apps)

    with app.app_context():
        alembic_.op.execute("INSERT INTO todo (id) VALUES (1)")
        alembic_.current()
        assert not alembic_.needs_upgrade()
        assert ids(url) == []

    assert ids(url) == [1]


def test_each_database_has_operations_of_its_own(apps: Apps, tmp_path: Path) -> None:
    """``ops`` of a database go to that one."""
    urls = {name: f"sqlite:///{tmp_path / name}.db" for name in ("default", "other")}
    app, alembic_ = apps.several(urls)

    with app.app_context():
        for name, op in alembic_.ops.items():
            op.create_table(f"of_{name}", sa.Column("id", sa.Integer))

    assert {name: tables(url) for name, url in urls.items()} == {
        "default": {"of_default"},
        "other": {"of_other"},
    }


# Databases in memory


def memory_app(apps: Apps, kind: str) -> tuple[Flask, Alembic, sa.Engine]:
    """An app whose database is in memory."""
    if kind == "plain":
        app, alembic_ = apps.plain("sqlite://")
        return app, alembic_, engine_of(app, alembic_)

    app = apps.flask(SQLALCHEMY_DATABASE_URI="sqlite://")
    db = SQLAlchemy(app)
    db.Table("todo", sa.Column("id", sa.Integer, primary_key=True), sa.Column("text"))
    alembic_ = Alembic(app)

    with app.app_context():
        return app, alembic_, db.engine


each_memory = pytest.mark.parametrize("kind", ["plain", "flask_sqlalchemy"])


@each_memory
@pytest.mark.parametrize("in_request", [True, False])
def test_memory_keeps_its_tables(apps: Apps, kind: str, in_request: bool) -> None:
    """A database in memory lives as long as its engine, not as an app context."""
    app, alembic_, engine = memory_app(apps, kind)
    context = app.test_request_context if in_request else app.app_context

    with context():
        alembic_.op.create_table("todo", sa.Column("id", sa.Integer))

    write_revision(app, "r1", upgrade="op.execute('INSERT INTO todo (id) VALUES (1)')")

    with context():
        alembic_.upgrade()

    for _ in range(3):
        with context():
            assert [script.revision for script in alembic_.current()] == ["r1"]
            assert not alembic_.needs_upgrade()

    with engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT id FROM todo")) == 1

    engine.dispose()


def test_memory_and_an_uncommitted_session(apps: Apps) -> None:
    """A session that has work on the only connection is neither committed nor lost:
    that is a clear error, and the session goes on.
    """
    app = apps.flask(SQLALCHEMY_DATABASE_URI="sqlite://")
    db = SQLAlchemy(app)
    alembic_ = Alembic(app)
    write_revision(app, "r1")

    with app.app_context():
        db.session.execute(sa.text("CREATE TABLE todo (id INTEGER)"))
        db.session.commit()
        db.session.execute(sa.text("INSERT INTO todo VALUES (1)"))

        for verb in ("current", "upgrade", "needs_upgrade", "check"):
            with pytest.raises(FlaskAlembicError, match="in memory") as info:
                getattr(alembic_, verb)()

            assert info.value.hint is not None
            assert "commit" in info.value.hint

        db.session.rollback()
        assert db.session.scalars(sa.text("SELECT id FROM todo")).all() == []
        db.session.execute(sa.text("INSERT INTO todo VALUES (2)"))
        db.session.commit()
        alembic_.upgrade()
        assert db.session.scalars(sa.text("SELECT id FROM todo")).all() == [2]

    with app.app_context():
        db.engine.dispose()


@pytest.mark.parametrize("end", ["commit", "rollback"])
@pytest.mark.parametrize("verb", ["current", "upgrade"])
def test_memory_and_an_uncommitted_connection(apps: Apps, end: str, verb: str) -> None:
    """So it is where the engine gives each thread one connection."""
    app, alembic_, engine = memory_app(apps, "plain")
    write_revision(app, "r1")

    with app.app_context(), engine.connect() as connection:
        connection.execute(sa.text("CREATE TABLE todo (id INTEGER)"))
        connection.commit()
        connection.execute(sa.text("INSERT INTO todo VALUES (1)"))

        with pytest.raises(FlaskAlembicError, match="in memory"):
            getattr(alembic_, verb)()

        getattr(connection, end)()

    with engine.connect() as connection:
        found = connection.scalars(sa.text("SELECT id FROM todo")).all()

    assert found == ([1] if end == "commit" else [])
    engine.dispose()


# Contexts in contexts, and in threads


def test_nested_context_leaves_the_outer_one(url: str, apps: Apps) -> None:
    """A context inside another has connections of its own: neither the outer's
    connection nor its transaction ends with it.
    """
    app, alembic_ = at_head(url, apps)

    with app.app_context():
        outer = alembic_.migration_context
        alembic_.op.execute("INSERT INTO todo (id) VALUES (1)")

        with app.app_context():
            assert alembic_.migration_context is not outer
            assert len(alembic_.current()) == 1

        with app.app_context():
            pass

        assert outer is alembic_.migration_context
        assert outer.connection is not None
        assert outer.connection.in_transaction()
        assert ids(url) == []
        alembic_.op.execute("INSERT INTO todo (id) VALUES (2)")

    assert ids(url) == [1, 2]


def test_context_of_another_app_inside(apps: Apps, tmp_path: Path) -> None:
    """So it is with a context of another app."""
    urls = [f"sqlite:///{tmp_path / name}.db" for name in "ab"]
    (app, alembic_), (other, other_alembic) = (at_head(url, apps) for url in urls)

    with app.app_context():
        alembic_.op.execute("INSERT INTO todo (id) VALUES (1)")

        with other.app_context():
            other_alembic.op.execute("INSERT INTO todo (id) VALUES (2)")

        alembic_.op.execute("INSERT INTO todo (id) VALUES (3)")

    assert [ids(url) for url in urls] == [[1, 3], [2]]


def test_migration_that_pushes_a_context(url: str, apps: Apps) -> None:
    """A revision may push a context of its own app, as code that it calls may do."""
    app, alembic_ = at_head(url, apps)
    head = script_id(app, alembic_)
    code = (
        f"{INSERT.format(1)}\n"
        "from flask import current_app\n"
        "app = current_app._get_current_object()\n"
        "with app.app_context():\n"
        "    app.extensions['alembic'].current()\n"
        f"{INSERT.format(2)}"
    )
    write_revision(app, "zz", head, upgrade=code)

    with app.app_context():
        alembic_.upgrade()

    assert ids(url) == [1, 2]


def test_copied_context_in_another_thread(url: str, apps: Apps) -> None:
    """A thread that was given a copy of the context has connections of its own."""
    app, alembic_ = at_head(url, apps)
    found: list[t.Any] = []

    def work() -> None:
        context = alembic_.migration_context
        found.append((context, context.connection, alembic_.current()))

    with app.app_context():
        own = alembic_.migration_context
        alembic_.op.execute("INSERT INTO todo (id) VALUES (1)")
        thread = threading.Thread(target=contextvars.copy_context().run, args=[work])
        thread.start()
        thread.join()
        ((context, connection, current),) = found
        assert context is not own
        assert connection is not own.connection
        assert current == alembic_.current()
        assert ids(url) == []

    # The connections of both are closed with the context.
    assert connection.closed
    assert own.connection is not None
    assert own.connection.closed
    assert ids(url) == [1]


def test_op_after_an_exception(url: str, apps: Apps) -> None:
    """A revision that raises does not leave its ``op`` behind."""
    app, alembic_ = apps.plain(url)
    write_revision(app, "r1", upgrade="raise ZeroDivisionError")

    with app.app_context():
        with pytest.raises(MigrationFailed):
            alembic_.upgrade()

        with pytest.raises((AttributeError, NameError)):
            alembic.op.execute("CREATE TABLE evil (id INT)")

    # MariaDB can't roll back that the version table was made.
    assert tables(url) <= {"alembic_version"}


@pytest.mark.parametrize("error", [KeyboardInterrupt, GeneratorExit])
def test_migration_that_is_interrupted(
    url: str, apps: Apps, error: type[BaseException]
) -> None:
    """Ctrl-C ends it at once: nothing is left open, and what can be rolled back is."""
    app, alembic_ = at_head(url, apps)
    head = script_id(app, alembic_)
    code = f"{INSERT.format(1)}\nraise {error.__name__}"
    path = write_revision(app, "zz", head, upgrade=code)

    with pytest.raises(error), app.app_context():
        alembic_.upgrade()

    assert ids(url) == []
    assert open_transactions(url) == 0
    path.unlink()

    with app.app_context():
        assert not alembic_.needs_upgrade()


# Databases that go away, and come


@on_network
@pytest.mark.parametrize("verb", ["current", "needs_upgrade", "check", "upgrade"])
def test_database_goes_away_after_a_read(url: str, apps: Apps, verb: str) -> None:
    """Ending a context that has nothing to commit can't fail: the work was done."""
    app, alembic_ = at_head(url, apps)

    with app.app_context():
        assert alembic_.migration_context
        getattr(alembic_, verb)()
        cut(url)

    with app.app_context():
        assert len(alembic_.current()) == 1


@on_network
def test_database_goes_away_after_an_own_read(url: str, apps: Apps) -> None:
    """Nor if the app itself read, on the connection of the migration context."""
    app, alembic_ = at_head(url, apps)

    with app.app_context():
        connection = alembic_.migration_context.connection
        assert connection is not None
        assert connection.scalar(sa.text("SELECT count(*) FROM todo")) == 0
        assert connection.in_transaction()
        cut(url)


@on_network
@pytest.mark.parametrize("in_request", [True, False])
def test_database_goes_away_in_a_read(url: str, apps: Apps, in_request: bool) -> None:
    """Nor where a read failed: only that error is raised."""
    app, alembic_ = at_head(url, apps)

    with app.test_request_context() if in_request else app.app_context():
        assert alembic_.migration_context
        cut(url)

        with pytest.raises(sa.exc.OperationalError):
            alembic_.current()

    with app.app_context():
        assert len(alembic_.current()) == 1


@on_network
def test_database_goes_away_before_work_is_committed(
    url: str, apps: Apps, caplog: pytest.LogCaptureFixture
) -> None:
    """Work that can't be committed is lost, and the log tells that. The end of a
    context does not raise for it.
    """
    app, alembic_ = at_head(url, apps)

    with app.app_context():
        alembic_.op.execute("INSERT INTO todo (id) VALUES (1)")
        cut(url)

    assert ids(url) == []
    assert caplog.record_tuples[-1:] == [LOST]


@on_network
def test_database_goes_away_in_work(
    url: str, apps: Apps, caplog: pytest.LogCaptureFixture
) -> None:
    """So it is where a statement failed for that, and the app went on."""
    app, alembic_ = at_head(url, apps)

    with app.app_context():
        alembic_.op.execute("INSERT INTO todo (id) VALUES (1)")
        cut(url)

        with pytest.raises(sa.exc.DBAPIError):
            alembic_.op.execute("INSERT INTO todo (id) VALUES (2)")

    assert ids(url) == []
    assert caplog.record_tuples[-1:] == [LOST]


@on_network
def test_database_goes_away_at_the_end_of_a_block(url: str, apps: Apps) -> None:
    """A block of the user's own is a place to raise."""
    app, alembic_ = at_head(url, apps)

    with app.app_context(), pytest.raises((sa.exc.DBAPIError, FlaskAlembicError)):
        with alembic_.using(directory="migrations"):
            alembic_.op.execute("INSERT INTO todo (id) VALUES (1)")
            cut(url)

    assert ids(url) == []


def test_engine_with_options(url: str, apps: Apps) -> None:
    """An engine that ``execution_options()`` made is migrated like any other one, and
    its options count.
    """
    engine = apps.engine(url).execution_options(schema_translate_map={"x": None})
    app = apps.flask()
    alembic_ = Alembic(app, metadatas=todo_metadata(), engines=engine)
    write_revision(
        app,
        "a1",
        upgrade="op.create_table('made', sa.Column('id', sa.Integer), schema='x')",
    )

    with app.app_context():
        alembic_.upgrade()
        assert [script.revision for script in alembic_.current()] == ["a1"]

    assert tables(url) == {"alembic_version", "made"}


@on_network
def test_database_goes_away_in_a_migration(url: str, apps: Apps) -> None:
    """A migration whose connection is cut says so, and can be run again in the same
    context.
    """
    app, alembic_ = at_head(url, apps)
    head = script_id(app, alembic_)
    app.config["CUT"] = cut
    code = (
        "from flask import current_app\n"
        f"{INSERT.format(1)}\n"
        "if cut := current_app.config.pop('CUT', None):\n"
        f"    cut({url!r})\n"
        f"{INSERT.format(2)}"
    )
    write_revision(app, "zz", head, upgrade=code)

    with app.app_context():
        with pytest.raises(MigrationFailed) as info:
            alembic_.upgrade()

        assert info.value.revision == "zz"
        assert [step.revision for step in alembic_.upgrade().steps] == ["zz"]

    assert ids(url) == [1, 2]


@pytest.fixture
def come(server: Server, databases: Databases, url: str) -> t.Iterator[Come]:
    """A URL whose database is missing, and what makes it."""
    if server.url is None:
        folder = databases.folder / "missing"
        yield f"sqlite:///{folder / 'test.db'}", folder.mkdir
        return

    engine = sa.create_engine(
        server.url, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT"
    )
    name = sa.make_url(url).database
    pending = ["CREATE"]

    def execute(verb: str) -> None:
        with engine.connect() as connection:
            connection.execute(sa.text(f"{verb} DATABASE {name}"))

    def create() -> None:
        while pending:
            execute(pending.pop())

    execute("DROP")
    yield url, create
    create()


@pytest.mark.parametrize("in_request", [True, False])
def test_waiting_for_the_database(come: Come, apps: Apps, in_request: bool) -> None:
    """A retry in the same context is a real one: it connects again, and migrates."""
    url, create = come
    app, alembic_ = apps.plain(url)
    write_revision(app, "r1", upgrade="op.execute('CREATE TABLE x (id INT)')")

    with app.test_request_context() if in_request else app.app_context():
        for _ in range(2):
            with pytest.raises(ConnectionFailed) as info:
                alembic_.upgrade()

            assert isinstance(info.value, sa.exc.OperationalError)
            assert info.value.database == "default"

            with pytest.raises(ConnectionFailed):
                alembic_.current()

            with pytest.raises(ConnectionFailed):
                assert alembic_.migration_contexts

        create()
        assert len(alembic_.upgrade().steps) == 1
        assert len(alembic_.current()) == 1

    assert tables(url) == {"x", "alembic_version"}


def test_one_of_two_databases_is_missing(apps: Apps, tmp_path: Path) -> None:
    """If one can't be reached nothing is done on the others, and nothing stays open."""
    urls = {
        "default": f"sqlite:///{tmp_path}/there.db",
        "other": f"sqlite:///{tmp_path}/missing/other.db",
    }
    app, alembic_ = apps.several(urls)

    with app.app_context():
        engine = alembic_.databases["default"].engine

    with app.test_request_context():
        with pytest.raises(ConnectionFailed, match="'other'"):
            alembic_.upgrade()

        assert pool_of(engine).checkedout() == 0
        Path(tmp_path, "missing").mkdir()
        alembic_.revision("both")

    with app.app_context():
        alembic_.upgrade()

    assert (
        tables(urls["default"])
        == tables(urls["other"])
        == {
            "todo",
            "alembic_version",
        }
    )


def test_files_need_no_database(come: Come, apps: Apps) -> None:
    """What is only about files works while no database can be reached."""
    url, _ = come
    app, alembic_ = apps.plain(url)
    write_revision(app, "r1")
    write_revision(app, "r2", "r1")
    write_revision(app, "r3", "r1")

    with app.app_context():
        assert len(alembic_.heads()) == 2
        assert len(alembic_.log()) == 3
        assert len(alembic_.branches()) == 1
        assert len(alembic_.show("heads")) == 2
        merged = alembic_.merge()
        assert merged is not None
        (script,) = alembic_.revision("next", empty=True)
        assert script is not None
        assert script.down_revision == merged.revision


# Changes while the app runs


def test_config_that_changes(apps: Apps, sqlite_url: str) -> None:
    """The config is read when a context first needs it."""
    app, alembic_ = apps.plain(sqlite_url)

    with app.app_context():
        folder = alembic_.script_directory.dir

    app.config["ALEMBIC"]["script_location"] = "elsewhere"
    app.config["ALEMBIC_CONTEXT"]["version_table"] = "elsewhere"
    app.config["ALEMBIC_CONTEXT"]["compare_type"] = False

    with app.app_context():
        alembic_.mkdir()
        assert alembic_.script_directory.dir != folder
        assert alembic_.settings.script_location == Path(app.root_path, "elsewhere")

    app.config["ALEMBIC"] = {}

    with app.app_context():
        assert alembic_.script_directory.dir == folder


def test_context_options_that_change(apps: Apps, sqlite_url: str) -> None:
    """So are the options of the context."""
    app, alembic_ = apps.plain(sqlite_url)

    for value in (True, False):
        app.config["ALEMBIC_CONTEXT"]["compare_type"] = value

        with app.app_context():
            assert alembic_.migration_context.opts["compare_type"] is value


def test_files_that_change(apps: Apps, sqlite_url: str) -> None:
    """A file that is added, changed or deleted while the app runs is seen by the next
    context.
    """
    app, alembic_ = apps.plain(sqlite_url)

    def heads() -> list[tuple[str, str]]:
        with app.app_context():
            return [(script.revision, script.doc) for script in alembic_.heads()]

    assert heads() == []
    write_revision(app, "r1", message="one")
    assert heads() == [("r1", "one")]
    second = write_revision(app, "r2", "r1", message="two")
    assert heads() == [("r2", "two")]
    write_revision(app, "r2", "r1", message="two, but changed")
    assert heads() == [("r2", "two, but changed")]
    second.unlink()
    assert heads() == [("r1", "one")]


def test_new_revision_is_seen_at_once(apps: Apps, sqlite_url: str) -> None:
    """What a context wrote itself it knows."""
    app, alembic_ = apps.plain(sqlite_url)

    with app.app_context():
        (script,) = alembic_.revision("todo")
        assert alembic_.heads() == (script,)
        alembic_.upgrade()
        assert alembic_.current() == (script,)


def test_engine_that_changes(apps: Apps, tmp_path: Path) -> None:
    """Engines and metadata can be exchanged, as tests and tenants do."""
    urls = [f"sqlite:///{tmp_path / name}.db" for name in "ab"]
    app, alembic_ = at_head(urls[0], apps)
    alembic_.engines = {"default": apps.engine(urls[1])}

    with app.app_context():
        assert alembic_.needs_upgrade()
        alembic_.upgrade()

    assert tables(urls[1]) == {"todo", "alembic_version"}


def test_engine_that_is_known_late(apps: Apps, sqlite_url: str) -> None:
    """The database extension may be registered after this one."""
    app = apps.flask(SQLALCHEMY_DATABASE_URI=sqlite_url)
    alembic_ = Alembic(app)
    db = SQLAlchemy()
    db.Table("todo", sa.Column("id", sa.Integer, primary_key=True))
    db.init_app(app)

    with app.app_context():
        alembic_.revision("todo")

    with app.app_context():
        alembic_.upgrade()
        db.engine.dispose()

    assert tables(sqlite_url) == {"todo", "alembic_version"}


# Transactions of others


def test_transaction_of_a_test_suite(
    url: str, apps: Apps, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a test lets the engine give out one connection, in a transaction that is
    rolled back at the end, everything runs inside and nothing is committed.
    """
    app, alembic_ = at_head(url, apps)
    head = script_id(app, alembic_)
    write_revision(app, "zz", head, upgrade=INSERT.format(1))
    engine = engine_of(app, alembic_)

    with engine.connect() as connection, connection.begin() as transaction:
        with monkeypatch.context() as patch:
            patch.setattr(engine, "connect", lambda: connection)

            with app.app_context():
                connection.execute(sa.text("INSERT INTO todo (id) VALUES (7)"))
                assert len(alembic_.upgrade().steps) == 1
                assert not alembic_.needs_upgrade()

            assert transaction.is_active
            assert not connection.closed
            found = connection.scalars(sa.text("SELECT id FROM todo ORDER BY id"))
            assert found.all() == [1, 7]
            transaction.rollback()

    assert ids(url) == []

    with app.app_context():
        assert [script.revision for script in alembic_.current()] == [head]


@on_postgresql
def test_ddl_in_the_transaction_of_a_test_suite(
    url: str, apps: Apps, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On PostgreSQL that is so for tables."""
    app, alembic_ = apps.plain(url)
    engine = engine_of(app, alembic_)

    with engine.connect() as connection, connection.begin() as transaction:
        with monkeypatch.context() as patch:
            patch.setattr(engine, "connect", lambda: connection)

            with app.app_context():
                alembic_.revision("todo")
                alembic_.upgrade()
                assert not alembic_.needs_revision()
                alembic_.op.create_table("extra", sa.Column("id", sa.Integer))

            assert {"todo", "extra"} <= set(sa.inspect(connection).get_table_names())
            transaction.rollback()

    assert tables(url) == set()


@pytest.mark.parametrize("pool_size", [1, 5])
def test_engine_that_runs_a_statement_on_connect(
    url: str, apps: Apps, pool_size: int
) -> None:
    """A hook that sets something up on each connection begins a transaction by that;
    the migration is committed all the same.
    """
    app = apps.flask()
    engine = apps.engine(url, pool_size=pool_size, max_overflow=0, pool_timeout=0.1)
    alembic_ = Alembic(app, metadatas=todo_metadata(), engines=engine)

    @event.listens_for(engine, "engine_connect")
    def set_up(connection: sa.Connection) -> None:
        connection.execute(sa.text("SELECT 1"))
        assert connection.in_transaction()

    with app.app_context():
        alembic_.revision("todo")

    with app.app_context():
        assert len(alembic_.upgrade().steps) == 1
        assert not alembic_.needs_upgrade()

    assert tables(url) == {"todo", "alembic_version"}
    assert open_transactions(url) == 0


@on_postgresql
def test_what_an_engine_sets_up_on_connect_lasts(url: str, apps: Apps) -> None:
    """What the hook sets is so for the whole run."""
    app, alembic_ = apps.plain(url)
    write_revision(
        app,
        "r1",
        upgrade="name = op.get_bind().scalar(sa.text('SHOW search_path'))\n"
        "assert name == 'tenant', name\n"
        "op.create_table('inside', sa.Column('id', sa.Integer))",
    )
    engine = engine_of(app, alembic_)

    with engine.begin() as connection:
        connection.execute(sa.text("CREATE SCHEMA tenant"))

    @event.listens_for(engine, "engine_connect")
    def set_up(connection: sa.Connection) -> None:
        connection.execute(sa.text("SET search_path TO tenant"))

    with app.app_context():
        alembic_.upgrade()

    assert tables(url) == set()


# The driver of SQLite

TWO_STEPS: t.Final = (
    "op.create_table('first', sa.Column('id', sa.Integer))\n"
    "op.execute('INSERT INTO first VALUES (1)')\n"
    "op.execute('nonsense')"
)


def sqlite_engine(apps: Apps, url: str, kind: str) -> sa.Engine:
    """An engine as the documentations of SQLAlchemy and Python advise."""
    arguments: dict[str, dict[str, t.Any]] = {
        "legacy": {},
        "autocommit": {"autocommit": True},
        "no autocommit": {"autocommit": False},
        "isolation": {"isolation_level": None},
        "immediate": {"isolation_level": "IMMEDIATE"},
        "begin hook": {},
    }
    engine = apps.engine(url, connect_args=arguments[kind])

    if kind == "begin hook":

        @event.listens_for(engine, "connect")
        def connect(driver: t.Any, _record: t.Any) -> None:
            driver.isolation_level = None

        @event.listens_for(engine, "begin")
        def begin(connection: sa.Connection) -> None:
            connection.exec_driver_sql("BEGIN")

    return engine


each_driver = pytest.mark.parametrize(
    "kind",
    [
        "legacy",
        "isolation",
        "immediate",
        "begin hook",
        *(
            pytest.param(
                kind,
                marks=pytest.mark.skipif(
                    sys.version_info < (3, 12), reason="Python 3.12 has the argument"
                ),
            )
            for kind in ("autocommit", "no autocommit")
        ),
    ],
)


def driver_state(driver: t.Any) -> tuple[object, ...]:
    """How the driver deals with transactions."""
    return (
        driver.isolation_level,
        getattr(driver, "autocommit", None),
        # Without autocommit the driver is always in one.
        driver.in_transaction and getattr(driver, "autocommit", None) is not False,
    )


@each_driver
@pytest.mark.parametrize("in_request", [True, False])
def test_failing_revision_on_sqlite(
    apps: Apps, sqlite_url: str, kind: str, in_request: bool
) -> None:
    """Whatever the user's engine does about transactions, a revision that fails leaves
    nothing, and the driver's connection is given back as it was.
    """
    app = apps.flask()
    engine = sqlite_engine(apps, sqlite_url, kind)
    made = connects(engine)
    alembic_ = Alembic(app, metadatas=todo_metadata(), engines=engine)
    write_revision(app, "r1", upgrade="op.execute('CREATE TABLE good (id INTEGER)')")
    write_revision(app, "r2", "r1", upgrade=TWO_STEPS)

    # The pool's connection, before we had it.
    with engine.connect() as connection:
        connection.execute(sa.text("SELECT 1"))

    before = driver_state(made[0])

    with app.test_request_context() if in_request else app.app_context():
        with pytest.raises(MigrationFailed):
            alembic_.upgrade()

    assert tables(sqlite_url) == {"good", "alembic_version"}

    if in_request:
        assert len(made) == 1
        assert driver_state(made[0]) == before

    with engine.connect() as connection:
        assert driver_state(connection.connection.dbapi_connection) == before

    write_revision(app, "r2", "r1", upgrade=TWO_STEPS.replace("nonsense", "SELECT 1"))

    with app.app_context():
        alembic_.upgrade()

    assert tables(sqlite_url) == {"good", "first", "alembic_version"}


@each_driver
def test_app_after_a_migration_on_sqlite(
    apps: Apps, sqlite_url: str, kind: str
) -> None:
    """The app's own work on the same connection is committed and rolled back as
    before.
    """
    app = apps.flask()
    engine = sqlite_engine(apps, sqlite_url, kind)
    alembic_ = Alembic(app, metadatas=todo_metadata(), engines=engine)

    with app.test_request_context():
        alembic_.revision("todo")

    with app.test_request_context():
        alembic_.upgrade()

        if kind not in {"isolation", "autocommit"}:
            with engine.connect() as connection:
                connection.execute(sa.text("INSERT INTO todo (id) VALUES (1)"))
                connection.rollback()

        with engine.begin() as connection:
            connection.execute(sa.text("INSERT INTO todo (id) VALUES (2)"))

    assert ids(sqlite_url) == [2]


@with_transactional_ddl
def test_failing_revision_keeps_those_before(url: str, apps: Apps) -> None:
    """A revision is the unit: those before the failing one last, and of that one
    nothing does.
    """
    app, alembic_ = apps.plain(url)
    write_revision(app, "r1", upgrade="op.execute('CREATE TABLE good (id INTEGER)')")
    write_revision(app, "r2", "r1", upgrade=TWO_STEPS)

    with app.app_context():
        with pytest.raises(MigrationFailed) as info:
            alembic_.upgrade()

        assert info.value.standing == {"default": ("r1",)}
        assert [script.revision for script in alembic_.current()] == ["r1"]

    assert tables(url) == {"good", "alembic_version"}
