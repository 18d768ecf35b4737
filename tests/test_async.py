"""Async engines: every command and method works on them, from anywhere, and the app's
own pool is left alone.
"""

from __future__ import annotations

import asyncio
import gc
import signal
import subprocess
import sys
import textwrap
import threading
import time
import typing as t
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import current_app
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from flask_sqlalchemy_lite import SQLAlchemy as SQLAlchemyLite
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from apps import Apps
from apps import todo_metadata
from apps import write_revision
from conftest import Cli
from conftest import tables
from flask_alembic import Alembic
from flask_alembic import ConfigurationError
from flask_alembic import ConnectionFailed
from flask_alembic import FlaskAlembicError
from flask_alembic import MigrationFailed
from servers import Databases
from servers import with_driver

SYNC_DRIVERS: t.Final = {
    "sqlite": "pysqlite",
    "postgresql": "psycopg",
    "mysql": "pymysql",
}

MAKE: t.Final = """
op.create_table(
    "todo",
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("text", sa.String(50)),
)
""".strip()
DROP: t.Final = 'op.drop_table("todo")'
INSERT: t.Final = "op.execute(\"INSERT INTO todo VALUES (1, 'one')\")"
RUN_ASYNC: t.Final = """
async def fill(connection, text, *, id):
    await connection.execute(
        sa.text("INSERT INTO todo VALUES (:id, :text)"), {"id": id, "text": text}
    )
    return (await connection.execute(sa.text("SELECT text FROM todo"))).scalars().all()

assert op.run_async(fill, "one", id=1) == ["one"]
"""

COUNT_CONNECTIONS: t.Final = {
    "postgresql": "SELECT count(*) FROM pg_stat_activity WHERE datname = '{name}'",
    "mysql": "SELECT count(*) FROM information_schema.processlist WHERE db = '{name}'",
}

in_postgresql = pytest.mark.parametrize("driver", ["asyncpg", "psycopg"], indirect=True)
in_sqlite = pytest.mark.parametrize("driver", ["aiosqlite"], indirect=True)


def sync_url(url: str) -> str:
    """The same database, for a connection of the test's own."""
    return with_driver(url, SYNC_DRIVERS[sa.make_url(url).get_backend_name()])


def ask(url: str, statement: str) -> list[tuple[t.Any, ...]]:
    """What a statement gives, on a connection of the test's own."""
    engine = sa.create_engine(sync_url(url), poolclass=sa.NullPool)

    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(sa.text(statement))]


def async_tables(url: str) -> set[str]:
    """The tables of a database."""
    return tables(sync_url(url))


def open_connections(url: str, expected: int = 0) -> int:
    """How many connections to a database its server has, but the one that asks. With
    aiosqlite each has a thread.
    """
    made = sa.make_url(url)
    statement = COUNT_CONNECTIONS.get(made.get_backend_name())
    deadline = time.monotonic() + 5

    # It takes a server a moment to notice that a connection was closed.
    while True:
        if statement is None:
            count = len(named_threads("_connection_worker_thread"))
        else:
            count = ask(url, statement.format(name=made.database))[0][0] - 1

        if count == expected or time.monotonic() > deadline:
            return count

        time.sleep(0.05)


def named_threads(*names: str) -> list[str]:
    """The threads that run, whose name has one of these in it."""
    running = [thread.name for thread in threading.enumerate()]
    return [x for x in running if any(name in x for name in names)]


@pytest.fixture(scope="module", autouse=True)
def only_garbage_of_ours() -> None:
    """Let garbage be looked for among what these tests make, not in all of pytest."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def no_thread_left(apps: Apps) -> t.Iterator[None]:
    """No event loop of ours runs on, and no connection is left to the collector, which
    would warn.
    """
    yield
    gc.collect()
    assert named_threads("flask-alembic", "asyncio_") == []


# Every method


def test_methods(apps: Apps, async_url: str) -> None:
    """What runs, looks, compares and writes does so as on a sync engine."""
    app, alembic, _ = apps.plain_async(async_url)

    with app.app_context():
        assert alembic.needs_upgrade() is False
        assert alembic.needs_revision()
        assert alembic.check().ok is False
        assert [diff[0] for diff in alembic.compare_metadata()] == ["add_table"]
        assert alembic.produce_migrations().upgrade_ops is not None
        assert async_tables(async_url) == set(), "reading creates nothing"

        (script,) = alembic.revision("create todo")
        assert script is not None
        assert alembic.needs_upgrade()
        report = alembic.upgrade()
        assert [step.revision for step in report.steps] == [script.revision]
        assert report.databases == {"default": (script.revision,)}
        assert [found.revision for found in alembic.current()] == [script.revision]
        assert alembic.current_by_database() == {"default": (script,)}
        assert alembic.log(end="current") == [script]
        assert alembic.show("current") == [script]
        assert alembic.check().ok
        assert alembic.compare_metadata() == []

        alembic.downgrade("base")
        assert async_tables(async_url) == {"alembic_version"}
        alembic.stamp()
        assert alembic.run_migrations(lambda heads, context: []).databases == {
            "default": (script.revision,)
        }

    assert open_connections(async_url) == 0


def test_commands(apps: Apps, async_url: str, db: Cli) -> None:
    """The commands print what they do for a sync engine."""
    app, _, _ = apps.plain_async(async_url)
    write_revision(app, "r1", upgrade=MAKE, downgrade=DROP, message="create todo")

    for args, lines in [
        (["current"], "default: base"),
        (["upgrade"], "1 revision applied to default."),
        (["current"], "r1 (head), create todo"),
        (["check"], "default"),
        (["stamp", "r1"], "default"),
        (["downgrade", "base"], "1 revision undone on default; it is at base now."),
    ]:
        result = db(app, *args)
        assert result.exit_code == 0, result.output
        assert lines in result.output

    assert open_connections(async_url) == 0


def test_properties_keep_a_connection(apps: Apps, async_url: str) -> None:
    """What `op` does is committed at the end of the app context, which ends the
    connection and its event loop.
    """
    app, alembic, _ = apps.plain_async(async_url)

    with app.app_context():
        alembic.op.create_table("made", sa.Column("id", sa.Integer))
        alembic.ops["default"].execute("INSERT INTO made VALUES (1)")
        connection = alembic.migration_context.connection
        assert connection is not None
        assert alembic.context is alembic.migration_contexts["default"]
        assert alembic.env.get_bind() is connection
        assert connection.execute(sa.text("SELECT id FROM made")).all() == [(1,)]
        assert sa.inspect(connection).has_table("made")
        assert open_connections(async_url, expected=1) == 1

    assert ask(async_url, "SELECT id FROM made") == [(1,)]
    assert open_connections(async_url) == 0


def test_operations_are_rolled_back(apps: Apps, async_url: str) -> None:
    """What `op` did is rolled back where the app context ends by an exception."""
    app, alembic, _ = apps.plain_async(async_url)

    with app.app_context():
        alembic.op.create_table("made", sa.Column("id", sa.Integer))

    with pytest.raises(ZeroDivisionError):
        with app.app_context():
            alembic.op.execute("INSERT INTO made VALUES (1)")
            raise ZeroDivisionError

    assert ask(async_url, "SELECT id FROM made") == []


def test_second_connection(apps: Apps, async_url: str) -> None:
    """The engine of a revision's connection gives connections for anybody, too."""
    app, alembic, _ = apps.plain_async(async_url)

    with app.app_context():
        engine = alembic.op.get_bind().engine

        with engine.begin() as connection:
            connection.execute(sa.text("CREATE TABLE made (id INTEGER)"))

        assert sa.inspect(engine).get_table_names() == ["made"]
        # SQLAlchemy leaves the connection of an inspector to the collector.
        gc.collect()

    assert open_connections(async_url) == 0


@pytest.mark.parametrize("batch", [1, 1000])
def test_cursors(apps: Apps, async_url: str, batch: int) -> None:
    """Results come in pieces where that is asked for, and the driver's own cursors can
    be used as those of a sync driver.
    """
    app, alembic, _ = apps.plain_async(async_url)

    with app.app_context():
        alembic.op.create_table("made", sa.Column("id", sa.Integer))
        connection = alembic.op.get_bind()
        made = sa.table("made", sa.column("id"))
        rows = [{"id": number} for number in range(5)]
        assert connection.execute(sa.insert(made), rows).rowcount in (5, -1)
        query = sa.select(made.c.id).order_by(made.c.id)
        result = connection.execution_options(yield_per=batch).execute(query)
        assert [tuple(row) for row in result] == [(number,) for number in range(5)]

        driver: t.Any = connection.connection.dbapi_connection

        with driver.cursor() as cursor:
            cursor.arraysize = 2
            cursor.execute("SELECT id FROM made ORDER BY id")
            assert cursor.description[0][0] == "id"
            assert len(cursor.fetchmany()) == 2
            assert [tuple(row) for row in cursor] == [(2,), (3,), (4,)]


# From anywhere


@pytest.mark.parametrize("caller", ["script", "view", "async view", "loop", "thread"])
def test_callers(apps: Apps, async_url: str, caller: str) -> None:
    """It does not matter whether an event loop runs in the thread."""
    app, alembic, _ = apps.plain_async(async_url)
    write_revision(app, "r1", upgrade=f"{MAKE}\n{INSERT}", downgrade=DROP)

    def migrate() -> str:
        alembic.upgrade()
        alembic.downgrade("base")
        alembic.upgrade()
        alembic.op.execute("UPDATE todo SET text = 'two'")
        return ",".join(script.revision for script in alembic.current())

    def migrate_in_context() -> str:
        with app.app_context():
            return migrate()

    async def main() -> str:
        return migrate_in_context()

    async def in_thread() -> str:
        return await asyncio.to_thread(migrate_in_context)

    @app.get("/sync")
    def view() -> str:
        return migrate()

    @app.get("/async")
    async def async_view() -> str:
        await asyncio.sleep(0)
        return migrate()

    callers: dict[str, t.Callable[[], str]] = {
        "script": migrate_in_context,
        "view": lambda: app.test_client().get("/sync").text,
        "async view": lambda: app.test_client().get("/async").text,
        "loop": lambda: asyncio.run(main()),
        "thread": lambda: asyncio.run(in_thread()),
    }
    answer = callers[caller]()
    assert answer == "r1"
    assert ask(async_url, "SELECT text FROM todo") == [("two",)]
    assert open_connections(async_url) == 0


def test_in_a_thread_of_an_async_view(apps: Apps, async_url: str) -> None:
    """In a thread the event loop of the view goes on. The app context is there too."""
    app, alembic, _ = apps.plain_async(async_url)
    write_revision(app, "r1", upgrade=MAKE)
    turns = []

    @app.get("/")
    async def view() -> str:
        async def count() -> None:
            while True:
                turns.append(1)
                await asyncio.sleep(0)

        task = asyncio.create_task(count())
        report = await asyncio.to_thread(alembic.upgrade)
        task.cancel()
        return report.steps[0].revision

    assert app.test_client().get("/").text == "r1"
    assert len(turns) > 10
    assert open_connections(async_url) == 0


def test_threads(apps: Apps, async_databases: Databases, driver: str) -> None:
    """Threads have a connection and an event loop each."""
    url = with_driver(async_databases.make(), driver)
    app, alembic, _ = apps.plain_async(url)
    write_revision(app, "r1", upgrade=MAKE)
    seen: list[t.Any] = []

    def read() -> None:
        with app.app_context():
            for _ in range(5):
                seen.append([script.revision for script in alembic.current()])

    with app.app_context():
        alembic.upgrade()

    threads = [threading.Thread(target=read) for _ in range(4)]

    for thread in threads:
        thread.start()

    for thread in threads:
        thread.join()

    assert seen == [["r1"]] * 20
    assert open_connections(url) == 0


# What is left


def test_twenty_times(apps: Apps, async_url: str) -> None:
    """Nothing is left of upgrades and reads: no connection, thread, task or warning."""
    app, alembic, _ = apps.plain_async(async_url)
    write_revision(app, "r1", upgrade=MAKE, downgrade=DROP)
    before = threading.active_count()

    async def main() -> None:
        for _ in range(20):
            with app.app_context():
                alembic.upgrade()
                assert alembic.current()
                alembic.downgrade("base")
                assert alembic.op is not None

        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())
    gc.collect()
    assert threading.active_count() == before
    assert open_connections(async_url) == 0


def test_pool_of_the_app(apps: Apps, async_url: str) -> None:
    """The app's pool neither lends nor receives a connection: it has the same one
    before and after, and the event loop that it belongs to goes on using it.
    """
    # Up to SQLAlchemy 2.0, files of SQLite are not pooled by default.
    app, alembic, engine = apps.plain_async(async_url, poolclass=AsyncAdaptedQueuePool)
    write_revision(app, "r1", upgrade=MAKE)
    pool = engine.sync_engine.pool
    made: list[t.Any] = []
    event.listen(pool, "connect", lambda dbapi, record: made.append(dbapi))

    async def driver_connection() -> t.Any:
        async with engine.connect() as connection:
            await connection.execute(sa.text("SELECT 1"))
            raw = await connection.get_raw_connection()
            return raw.driver_connection

    async def main() -> None:
        before = await driver_connection()
        status = pool.status()

        with app.app_context():
            alembic.upgrade()
            assert alembic.op.get_bind() is not None
            assert pool.status() == status

        assert pool.status() == status
        assert engine.sync_engine.pool is pool
        assert await driver_connection() is before
        await engine.dispose()

    asyncio.run(main())
    # On PostgreSQL there is one more, for the lock.
    assert len(made) == (4 if "postgresql" in async_url else 3)
    assert open_connections(async_url) == 0


def test_open_to_the_end(async_databases: Databases, driver: str) -> None:
    """A script that never ends its app context ends all the same."""
    url = with_driver(async_databases.make(), driver)
    code = f"""
        import sqlalchemy as sa
        from flask import Flask
        from flask_alembic import Alembic
        from sqlalchemy.ext.asyncio import create_async_engine

        app = Flask("app", root_path={str(async_databases.folder)!r})
        engine = create_async_engine({url!r})
        alembic = Alembic(app, metadatas=sa.MetaData(), engines=engine)
        app.app_context().push()
        print(alembic.op.get_bind().scalar(sa.text("SELECT 7")), flush=True)
        """
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (result.stdout, result.stderr, result.returncode) == ("7\n", "", 0)


# In memory


def memory(apps: Apps) -> tuple[Flask, Alembic, AsyncEngine]:
    """An app with a database in memory."""
    app, alembic, engine = apps.plain_async("sqlite+aiosqlite://")
    write_revision(app, "r1", upgrade=f"{MAKE}\n{INSERT}", downgrade=DROP)
    return app, alembic, engine


async def texts(engine: AsyncEngine) -> list[t.Any]:
    """What the app sees in the table."""
    async with engine.connect() as connection:
        return [*(await connection.execute(sa.text("SELECT text FROM todo"))).scalars()]


def test_in_memory(apps: Apps) -> None:
    """The pool is the database, so the app sees what was migrated, and it stays."""
    app, alembic, engine = memory(apps)

    for _ in range(3):
        with app.app_context():
            alembic.upgrade()
            assert [script.revision for script in alembic.current()] == ["r1"]
            alembic.op.execute("UPDATE todo SET text = text || '+'")

        assert len(named_threads("_connection_worker")) == 1

    assert asyncio.run(texts(engine)) == ["one+++"]


def test_in_memory_in_a_transaction_of_the_app(apps: Apps) -> None:
    """The app's transaction on the only connection is left alone."""
    app, alembic, engine = memory(apps)

    with app.app_context():
        alembic.upgrade()

    async def main() -> None:
        async with engine.connect() as connection:
            await connection.execute(sa.text("INSERT INTO todo VALUES (2, 'two')"))

            with app.app_context():
                with pytest.raises(FlaskAlembicError, match="is in memory") as info:
                    alembic.downgrade()

            assert info.value.hint is not None
            await connection.commit()

    asyncio.run(main())
    assert asyncio.run(texts(engine)) == ["one", "two"]


def test_in_memory_failure(apps: Apps) -> None:
    """A failed revision is rolled back, and the database is still there."""
    app, alembic, engine = memory(apps)
    write_revision(
        app, "r2", "r1", upgrade="op.execute('DELETE FROM todo')\nraise KeyError(1)"
    )

    with app.app_context():
        with pytest.raises(MigrationFailed):
            alembic.upgrade()

    assert asyncio.run(texts(engine)) == ["one"]


# What the app's engine has


def test_pool_hooks(apps: Apps, async_url: str) -> None:
    """Hooks on connecting run on our connections too, where the driver's own functions
    can be awaited, and they know the app.
    """
    app, alembic, engine = apps.plain_async(async_url)
    seen: list[t.Any] = []

    @event.listens_for(engine.sync_engine, "do_connect")
    def do_connect(
        dialect: t.Any, record: t.Any, args: t.Any, kwargs: dict[str, t.Any]
    ) -> None:
        seen.append(("do_connect", current_app.name))

    @event.listens_for(engine.sync_engine, "connect")
    def connect(connection: t.Any, record: t.Any) -> None:
        cursor = connection.cursor()
        cursor.execute("SELECT 5")
        seen.append(("connect", cursor.fetchall()[0][0]))
        cursor.close()

    @event.listens_for(engine.sync_engine, "checkout")
    def checkout(connection: t.Any, record: t.Any, proxy: t.Any) -> None:
        seen.append(("checkout", hasattr(connection, "run_async")))

    @event.listens_for(engine.sync_engine, "close")
    def close(connection: t.Any, record: t.Any) -> None:
        seen.append(("close", None))

    with app.app_context():
        alembic.current()

    assert seen == [
        ("do_connect", "app"),
        ("connect", 5),
        ("checkout", True),
        ("close", None),
    ]


def test_engine_hooks(apps: Apps, async_url: str) -> None:
    """Hooks on executing are in force, and so are the engine's options."""
    app, _, engine = apps.plain_async(async_url)
    engine = engine.execution_options(logging_token="here")
    alembic = app.extensions["alembic"]
    alembic.engines = {"default": engine}
    write_revision(app, "r1", upgrade=MAKE)
    statements: list[str] = []
    options: list[t.Any] = []
    pool = engine.sync_engine.pool

    @event.listens_for(engine.sync_engine, "before_cursor_execute", retval=True)
    def before(
        connection: sa.Connection,
        cursor: t.Any,
        statement: str,
        parameters: t.Any,
        *args: t.Any,
    ) -> tuple[str, t.Any]:
        statements.append(statement)
        options.append(connection.get_execution_options()["logging_token"])
        return f"/* migrating */ {statement}", parameters

    with app.app_context():
        alembic.upgrade()

    assert any("CREATE TABLE todo" in statement for statement in statements)
    assert set(options) == {"here"}
    assert engine.sync_engine.pool is pool
    assert async_tables(async_url) == {"todo", "alembic_version"}


def test_schema_translate_map(apps: Apps, async_url: str) -> None:
    """An engine that was made of another by options is as good."""
    app, alembic, engine = apps.plain_async(async_url)
    alembic.engines = {"default": engine.execution_options(schema_translate_map={})}
    write_revision(app, "r1", upgrade=MAKE)

    with app.app_context():
        alembic.upgrade()

    assert async_tables(async_url) == {"todo", "alembic_version"}


@in_postgresql
def test_isolation_level_of_the_engine(apps: Apps, async_url: str) -> None:
    """An isolation level is set on our connections too."""
    app, alembic, engine = apps.plain_async(async_url, isolation_level="SERIALIZABLE")
    other = engine.execution_options(isolation_level="REPEATABLE READ")
    query = sa.text("SHOW transaction_isolation")

    with app.app_context():
        assert alembic.op.get_bind().scalar(query) == "serializable"

    alembic.engines = {"default": other}

    with app.app_context():
        assert alembic.op.get_bind().scalar(query) == "repeatable read"


@in_postgresql
def test_connect_args(apps: Apps, async_url: str, driver: str) -> None:
    """What is not in the URL counts."""
    arguments: dict[str, dict[str, t.Any]] = {
        "asyncpg": {"server_settings": {"application_name": "the app"}},
        "psycopg": {"application_name": "the app"},
    }
    app, alembic, _ = apps.plain_async(async_url, connect_args=arguments[driver])

    with app.app_context():
        name = alembic.op.get_bind().scalar(sa.text("SHOW application_name"))
        assert name == "the app"


def test_async_creator(apps: Apps, async_url: str, driver: str) -> None:
    """The app's own way to connect is taken; the URL may say nothing."""
    url = sa.make_url(async_url)
    where: dict[str, t.Any] = {"host": url.host, "user": url.username}
    calls: list[int] = []

    async def connect() -> t.Any:
        calls.append(1)

        if driver == "aiosqlite":
            import aiosqlite

            return await aiosqlite.connect(t.cast(str, url.database))

        if driver == "aiomysql":
            import aiomysql

            return await aiomysql.connect(db=url.database, port=url.port, **where)

        if driver == "asyncpg":
            import asyncpg

            return await asyncpg.connect(database=url.database, port=url.port, **where)

        import psycopg

        return await psycopg.AsyncConnection.connect(
            dbname=url.database, port=url.port, **where
        )

    empty = sa.URL.create(url.drivername, database="nowhere")
    app = apps.flask()
    engine = apps.async_engine(empty.render_as_string(), async_creator=connect)
    alembic = Alembic(app, metadatas=todo_metadata(), engines=engine)
    write_revision(app, "r1", upgrade=MAKE)

    with app.app_context():
        alembic.upgrade()

    # On PostgreSQL there is one more, for the lock.
    assert len(calls) == (2 if driver in ("asyncpg", "psycopg") else 1)
    assert async_tables(async_url) == {"todo", "alembic_version"}


# Revisions


@in_postgresql
def test_autocommit_block(apps: Apps, async_url: str) -> None:
    """An index is made without a lock, outside of a transaction."""
    app, alembic, _ = apps.plain_async(async_url)
    concurrently = """
with op.get_context().autocommit_block():
    op.create_index("ix", "todo", ["text"], postgresql_concurrently=True)
op.execute("INSERT INTO todo VALUES (1, 'one')")
"""
    write_revision(app, "r1", upgrade=f"{MAKE}\n{concurrently}")

    with app.app_context():
        alembic.upgrade()

    assert ask(
        async_url, "SELECT indisvalid FROM pg_index WHERE indexrelid = 'ix'::regclass"
    ) == [(True,)]
    assert ask(async_url, "SELECT text FROM todo") == [("one",)]


def test_run_async(apps: Apps, async_url: str) -> None:
    """`op.run_async()` calls a coroutine function, in the revision's transaction."""
    app, alembic, _ = apps.plain_async(async_url)
    write_revision(app, "r1", upgrade=f"{MAKE}\n{RUN_ASYNC}")
    second = RUN_ASYNC.replace("id=1", "id=2").replace("==", "!=")
    broken = f"{second}\nraise KeyError(1)"
    write_revision(app, "r2", "r1", upgrade=broken)

    async def count(connection: AsyncConnection) -> t.Any:
        return await connection.scalar(sa.text("SELECT count(*) FROM todo"))

    with app.app_context():
        alembic.upgrade("r1")

        with pytest.raises(MigrationFailed, match="KeyError"):
            alembic.upgrade()

        assert alembic.op.run_async(count) == 1


def test_failure(apps: Apps, async_url: str, driver: str) -> None:
    """A revision that fails is told and rolled back as with a sync driver."""
    app, alembic, _ = apps.plain_async(async_url)
    write_revision(app, "r1", upgrade=MAKE)
    write_revision(app, "r2", "r1", upgrade=f"{INSERT}\n{INSERT.replace('one', 'x')}")

    with app.app_context():
        with pytest.raises(MigrationFailed) as info:
            alembic.upgrade()

        assert [script.revision for script in alembic.current()] == ["r1"]

    error = info.value
    assert isinstance(error.__cause__, sa.exc.IntegrityError)
    kind = {
        "aiosqlite": "IntegrityError: UNIQUE constraint failed: todo.id",
        "asyncpg": "UniqueViolationError: duplicate key value violates unique"
        ' constraint "todo_pkey"',
        "psycopg": 'UniqueViolation: duplicate key value violates unique constraint "'
        'todo_pkey"',
        "aiomysql": "IntegrityError: (1062, \"Duplicate entry '***' for key"
        " 'PRIMARY'\")",
    }[driver]
    assert str(error) == f"Revision r2 failed on the database 'default': {kind}"
    assert error.kept == ()
    assert ask(async_url, "SELECT * FROM todo") == []


@pytest.mark.parametrize("driver", ["aiomysql"], indirect=True)
def test_kept_on_mariadb(apps: Apps, async_url: str) -> None:
    """MariaDB can't roll back DDL; what was kept is told."""
    app, alembic, _ = apps.plain_async(async_url)
    made = 'op.execute("CREATE TABLE made (id INTEGER)")'
    write_revision(app, "r1", upgrade=f"{made}\nraise KeyError(1)")

    with app.app_context():
        with pytest.raises(MigrationFailed) as info:
            alembic.upgrade()

    assert info.value.kept == ("CREATE TABLE made (id INTEGER)",)


KILL: t.Final = {
    "asyncpg": "SELECT pg_terminate_backend(pg_backend_pid())",
    "psycopg": "SELECT pg_terminate_backend(pg_backend_pid())",
    "aiomysql": "KILL CONNECTION_ID()",
}


@pytest.mark.parametrize("driver", KILL, indirect=True)
def test_connection_lost(apps: Apps, async_url: str, driver: str) -> None:
    """A connection that is lost fails the revision, and the next try has a new one."""
    app, alembic, _ = apps.plain_async(async_url)
    write_revision(app, "r1", upgrade=MAKE)
    path = write_revision(
        app, "r2", "r1", upgrade=f'op.execute("{KILL[driver]}")\n{INSERT}'
    )

    with app.app_context():
        with pytest.raises(MigrationFailed) as info:
            alembic.upgrade()

        assert isinstance(info.value.__cause__, sa.exc.DBAPIError)
        assert [script.revision for script in alembic.current()] == ["r1"]

    path.write_text(path.read_text().replace(KILL[driver], "SELECT 1"))

    with app.app_context():
        alembic.upgrade()

    assert ask(async_url, "SELECT text FROM todo") == [("one",)]
    assert open_connections(async_url) == 0


@pytest.mark.parametrize("driver", KILL, indirect=True)
def test_reconnect(apps: Apps, async_url: str, driver: str) -> None:
    """A connection that `op` lost is made anew, as SQLAlchemy does it."""
    app, alembic, _ = apps.plain_async(async_url)

    with app.app_context():
        connection = alembic.op.get_bind()

        with pytest.raises(sa.exc.DBAPIError):
            connection.execute(sa.text(KILL[driver]))
            connection.execute(sa.text("SELECT 1"))

        assert connection.invalidated
        connection.rollback()
        assert connection.scalar(sa.text("SELECT 5")) == 5

    assert open_connections(async_url) == 0


@in_sqlite
def test_sqlite_rolls_back_ddl(apps: Apps, async_url: str) -> None:
    """Transactions cover DDL, and foreign keys are checked at the end of a revision."""
    app, alembic, engine = apps.plain_async(async_url)

    @event.listens_for(engine.sync_engine, "connect")
    def connect(connection: t.Any, record: t.Any) -> None:
        connection.execute("PRAGMA foreign_keys=ON")

    child = """
op.create_table(
    "child",
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("todo_id", sa.Integer, sa.ForeignKey("todo.id", ondelete="CASCADE")),
)
op.execute("INSERT INTO child VALUES (1, 1)")
"""
    batch = """
with op.batch_alter_table("todo") as batch:
    batch.add_column(sa.Column("done", sa.Boolean()))
"""
    write_revision(app, "r1", upgrade=f"{MAKE}\n{INSERT}\n{child}")
    write_revision(app, "r2", "r1", upgrade=batch)
    orphan = 'op.execute("INSERT INTO child VALUES (2, 5)")'
    write_revision(app, "r3", "r2", upgrade=f"op.drop_column('todo', 'text')\n{orphan}")

    with app.app_context():
        with pytest.raises(MigrationFailed, match="FOREIGN KEY constraint failed"):
            alembic.upgrade()

        assert [script.revision for script in alembic.current()] == ["r2"]

    assert ask(async_url, "SELECT id, text, done FROM todo") == [(1, "one", None)]
    assert ask(async_url, "SELECT id FROM child") == [(1,)]


@in_sqlite
def test_hook_that_begins(apps: Apps, async_url: str) -> None:
    """The usual recipe for transactions on SQLite, which begins by itself."""
    app, alembic, engine = apps.plain_async(async_url)

    @event.listens_for(engine.sync_engine, "connect")
    def connect(connection: t.Any, record: t.Any) -> None:
        connection.isolation_level = None

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    write_revision(app, "r1", upgrade=MAKE)
    write_revision(app, "r2", "r1", upgrade=f"{DROP}\nraise KeyError(1)")

    with app.app_context():
        with pytest.raises(MigrationFailed):
            alembic.upgrade()

    assert async_tables(async_url) == {"todo", "alembic_version"}


@pytest.mark.skipif(sys.platform == "win32", reason="sends a signal")
@pytest.mark.parametrize("driver", ["asyncpg", "psycopg", "aiomysql"], indirect=True)
def test_interrupt(async_databases: Databases, driver: str) -> None:
    """Ctrl-C ends a statement that runs for long, and nothing is left on the server."""
    url = with_driver(async_databases.make(), driver)
    sleep = "SELECT SLEEP(60)" if driver == "aiomysql" else "SELECT pg_sleep(60)"
    code = f"""
        import signal
        import sqlalchemy as sa
        from flask import Flask
        from flask_alembic import Alembic
        from sqlalchemy.ext.asyncio import create_async_engine

        # What is run in the background of a shell ignores it.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        app = Flask("app", root_path={str(async_databases.folder)!r})
        engine = create_async_engine({url!r})
        alembic = Alembic(app, metadatas=sa.MetaData(), engines=engine)

        with app.app_context():
            op = alembic.op
            print("ready", flush=True)
            op.execute({sleep!r})
        """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)

    try:
        _, err = process.communicate(timeout=20)
    finally:
        process.kill()

    assert err.strip().splitlines()[-1] == "KeyboardInterrupt"

    if driver != "aiomysql":
        # MariaDB notices when it has done what it was asked for.
        assert open_connections(url) == 0


# What can't be reached


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg", "aiomysql"], indirect=True)
@pytest.mark.parametrize(
    "change",
    [
        {"port": 9},
        {"host": "nowhere.invalid"},
        {"database": "missing"},
        {"username": "nobody"},
    ],
    ids=["port", "host", "database", "user"],
)
def test_connection_failed(
    apps: Apps, async_url: str, change: dict[str, t.Any], db: Cli
) -> None:
    """It is told in one way, whatever the driver raises, and without the password."""
    url = sa.make_url(async_url).set(password="s3cret-word", **change)
    app, alembic, _ = apps.plain_async(url.render_as_string(hide_password=False))

    with app.app_context():
        with pytest.raises(ConnectionFailed, match="Can't connect to the") as info:
            alembic.current()

    assert info.value.database == "default"
    assert "s3cret-word" not in str(info.value)
    assert not str(info.value).endswith(": ")
    result = db(app, "current")
    assert result.exit_code == 1
    assert "s3cret-word" not in result.output
    assert result.output.startswith("Error: Can't connect to the database 'default'")


def test_connection_failed_on_sqlite(apps: Apps, tmp_path: Path) -> None:
    """A folder that is missing."""
    app, alembic, _ = apps.plain_async(f"sqlite+aiosqlite:///{tmp_path}/no/app.db")

    with app.app_context():
        with pytest.raises(ConnectionFailed, match="unable to open database file"):
            alembic.current()


def test_without_greenlet(tmp_path: Path) -> None:
    """SQLAlchemy 2.1 does not install greenlet by itself. Nothing else needs it."""
    code = f"""
        import sys
        sys.modules["greenlet"] = None
        import sqlalchemy as sa
        from flask import Flask
        from flask_alembic import Alembic

        app = Flask("app", root_path={str(tmp_path)!r})
        engine = sa.create_engine("sqlite+aiosqlite:///{tmp_path}/app.db")
        Alembic(app, metadatas=sa.MetaData(), engines=engine)
        print(app.test_cli_runner().invoke(args=["db", "current"]).output)
        """
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.stderr == ""
    assert result.stdout.strip() == (
        "Error: The database 'default' has an async engine, which needs the package"
        " greenlet.\nHint: Install it: pip install 'sqlalchemy[asyncio]'."
    )


# Where engines come from


def lite(apps: Apps, metadatas: t.Any, **config: t.Any) -> tuple[Flask, Alembic]:
    """An app with Flask-SQLAlchemy-Lite."""
    app = apps.flask(**config)
    SQLAlchemyLite(app)
    return app, Alembic(app, metadatas=metadatas)


def test_connection_of_the_app(apps: Apps, async_url: str) -> None:
    """Inside `run_sync()` the app's own connection can be used, and its transaction."""
    app, alembic, engine = apps.plain_async(async_url)
    write_revision(app, "r1", upgrade=f"{MAKE}\n{RUN_ASYNC}")

    def migrate(connection: sa.Connection) -> None:
        with app.app_context(), alembic.use_connection(connection):
            alembic.upgrade()

    async def main() -> None:
        async with engine.begin() as connection:
            await connection.run_sync(migrate)

        await engine.dispose()

    asyncio.run(main())
    assert ask(async_url, "SELECT text FROM todo") == [("one",)]


def test_lite(apps: Apps, async_url: str) -> None:
    """The async engines of Flask-SQLAlchemy-Lite are found."""
    app, alembic = lite(
        apps, todo_metadata(), SQLALCHEMY_ASYNC_ENGINES={"default": async_url}
    )

    with app.app_context():
        alembic.revision("create todo")
        alembic.upgrade()
        assert alembic.check().ok

    assert async_tables(async_url) == {"todo", "alembic_version"}


def test_lite_with_both(apps: Apps, async_url: str, sqlite_url: str, db: Cli) -> None:
    """A sync and an async engine, each with its metadata, are migrated in step."""
    app, alembic = lite(
        apps,
        {"default": todo_metadata(), "logs": todo_metadata()},
        SQLALCHEMY_ENGINES={"default": sqlite_url},
        SQLALCHEMY_ASYNC_ENGINES={"logs": async_url},
    )

    with app.app_context():
        (script,) = alembic.revision("create todo")
        assert script is not None
        report = alembic.upgrade()
        assert sorted(step.database for step in report.steps) == ["default", "logs"]
        assert alembic.check().ok
        alembic.ops["logs"].execute("INSERT INTO todo VALUES (1, 'one')")

    assert tables(sqlite_url) == async_tables(async_url) == {"todo", "alembic_version"}
    assert ask(async_url, "SELECT text FROM todo") == [("one",)]
    output = db(app, "current").output
    assert output.splitlines() == [
        f"default: <base> -> {script.revision} (default) (head), create todo",
        f"logs: <base> -> {script.revision} (default) (head), create todo",
    ]
    assert "1 revision undone on logs" in db(app, "downgrade").output
    assert tables(sqlite_url) == async_tables(async_url) == {"alembic_version"}


@pytest.mark.parametrize("driver", ["aiosqlite", "asyncpg", "psycopg"], indirect=True)
def test_failure_on_one_of_both(apps: Apps, async_url: str, sqlite_url: str) -> None:
    """A failure on the sync database rolls the async one back."""
    app, alembic = lite(
        apps,
        {"logs": todo_metadata(), "default": todo_metadata()},
        SQLALCHEMY_ENGINES={"default": sqlite_url},
        SQLALCHEMY_ASYNC_ENGINES={"logs": async_url},
    )
    write_revision(app, "r1", upgrade=MAKE, arguments="engine_name")
    body = f'{INSERT}\nif engine_name == "default": raise KeyError(1)'
    write_revision(app, "r2", "r1", upgrade=body, arguments="engine_name")

    with app.app_context():
        with pytest.raises(MigrationFailed) as info:
            alembic.upgrade()

    assert info.value.standing == {"logs": ("r1",), "default": ("r1",)}
    assert ask(async_url, "SELECT * FROM todo") == []


@pytest.mark.parametrize("sync", ["sqlite:///one.db", "sqlite://"])
def test_two_databases_of_one_name(apps: Apps, sync: str) -> None:
    """A sync and an async engine of one name, for two databases."""
    app, alembic = lite(
        apps,
        todo_metadata(),
        SQLALCHEMY_ENGINES={"default": sync},
        SQLALCHEMY_ASYNC_ENGINES={
            "default": sync.replace("one", "two").replace("sqlite", "sqlite+aiosqlite")
        },
    )

    with app.app_context():
        with pytest.raises(ConfigurationError, match="two databases 'default'"):
            alembic.current()


def test_two_engines_of_one_database(apps: Apps, async_url: str) -> None:
    """An app that reaches one database by both has one database, migrated once."""
    app, alembic = lite(
        apps,
        todo_metadata(),
        SQLALCHEMY_ENGINES={"default": sync_url(async_url)},
        SQLALCHEMY_ASYNC_ENGINES={"default": async_url},
    )
    write_revision(app, "r1", upgrade=MAKE)

    with app.app_context():
        assert len(alembic.upgrade().steps) == 1
        assert alembic.databases["default"].engine.dialect.is_async is False


def test_flask_sqlalchemy(apps: Apps, async_url: str, driver: str) -> None:
    """An async driver in the URL of Flask-SQLAlchemy, whose engines look sync."""
    url = async_url.replace("+psycopg", "+psycopg_async")
    app = apps.flask(SQLALCHEMY_DATABASE_URI=url)
    db = SQLAlchemy(app, metadata=todo_metadata())
    alembic = Alembic(app)

    with app.app_context():
        alembic.revision("create todo")
        alembic.upgrade()
        assert alembic.check().ok
        assert db.engine.dialect.is_async

    assert async_tables(async_url) == {"todo", "alembic_version"}


def test_engines_argument(apps: Apps, async_url: str, sqlite_url: str) -> None:
    """Sync and async engines can be passed together."""
    app = apps.flask()
    alembic = Alembic(
        app,
        metadatas={"a": todo_metadata(), "b": todo_metadata()},
        engines={"a": apps.async_engine(async_url), "b": apps.engine(sqlite_url)},
    )
    write_revision(app, "r1", upgrade=MAKE)

    with app.app_context():
        assert alembic.upgrade().databases == {"a": ("r1",), "b": ("r1",)}


def test_start_costs_nothing(tmp_path: Path) -> None:
    """An app with an async engine starts no event loop until it migrates."""
    engine = create_async_engine("postgresql+asyncpg://nowhere.invalid/x")
    app = Flask("app", root_path=str(tmp_path))
    alembic = Alembic(app, metadatas=sa.MetaData(), engines=engine)

    with app.app_context():
        assert alembic.databases["default"].engine is engine.sync_engine
        assert alembic.heads() == ()

    assert named_threads("flask-alembic", "asyncio_", "_connection_worker") == []
