"""Threads of one process that use Alembic at the same time."""

from __future__ import annotations

import threading
import typing as t
from concurrent.futures import Future
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask
from flask_sqlalchemy import SQLAlchemy

from apps import Apps
from apps import todo_metadata
from apps import write_revision
from conftest import tables
from flask_alembic import Alembic
from servers import Databases

pytestmark = pytest.mark.faults

LONG: t.Final = 60
"""Seconds after which a thread is thought to hang. Nothing waits so long."""

WAIT: t.Final = f"""
from flask import current_app
current_app.config["STARTED"].set()
assert current_app.config["GO_ON"].wait({LONG})
op.create_table("late", sa.Column("id", sa.Integer))
"""


def in_threads(
    count: int, work: t.Callable[[int], t.Any], *, rounds: int = 1
) -> list[t.Any]:
    """Run work in threads that begin each round together. An error of any is raised."""
    # A thread that fails breaks the barrier, so that the others don't wait for it.
    barrier = threading.Barrier(count, timeout=LONG)

    def run(number: int) -> list[t.Any]:
        try:
            results = []

            for _ in range(rounds):
                barrier.wait()
                results.append(work(number))

            return results
        except BaseException:
            barrier.abort()
            raise

    with ThreadPoolExecutor(count) as executor:
        futures = [executor.submit(run, number) for number in range(count)]

    # The first cause, not the broken barriers that came of it.
    errors = [error for future in futures if (error := future.exception())]
    errors.sort(key=lambda error: isinstance(error, threading.BrokenBarrierError))

    if errors:
        raise errors[0]

    return [result for future in futures for result in future.result()]


def waiting_app(url: str, apps: Apps) -> tuple[Flask, Alembic]:
    """An app whose only revision waits, in the middle, until it is told to go on."""
    app, alembic = apps.plain(url, STARTED=threading.Event(), GO_ON=threading.Event())
    code = f"op.create_table('early', sa.Column('id', sa.Integer)){WAIT}"
    write_revision(app, "r1", upgrade=code)
    return app, alembic


def upgrade(app: Flask, alembic: Alembic) -> int:
    """Upgrade: the number of steps."""
    with app.app_context():
        return len(alembic.upgrade().steps)


def start(app: Flask, alembic: Alembic, executor: ThreadPoolExecutor) -> Future[int]:
    """Let a thread begin to upgrade a waiting app."""
    future = executor.submit(upgrade, app, alembic)
    assert app.config["STARTED"].wait(LONG), future.exception()
    return future


def numbered_app(url: str, apps: Apps, number: int) -> tuple[Flask, Alembic]:
    """An app with revisions that make and drop tables of its own."""
    app, alembic = apps.plain(url)
    previous = None

    for step in range(3):
        name = f"t{number}_{step}"
        id_ = f"a{number}s{step}"
        write_revision(
            app,
            id_,
            previous,
            upgrade=f"op.create_table({name!r}, sa.Column('id', sa.Integer))\n"
            f"op.execute('INSERT INTO {name} VALUES ({number})')",
            downgrade=f"op.drop_table({name!r})",
        )
        previous = id_

    return app, alembic


def test_each_app_migrates_its_own_database(databases: Databases, apps: Apps) -> None:
    """Two threads that migrate two apps at the same time never touch the database of
    the other, though Alembic has one ``op`` for all.
    """
    urls = [databases.make() for _ in range(2)]
    made = [numbered_app(url, apps, number) for number, url in enumerate(urls)]
    own = [{f"t{number}_{step}" for step in range(3)} for number in range(2)]

    def there_and_back(number: int) -> None:
        app, alembic = made[number]

        with app.app_context():
            assert len(alembic.upgrade().steps) == 3
            assert tables(urls[number]) == {*own[number], "alembic_version"}
            assert len(alembic.downgrade("base").steps) == 3

        assert tables(urls[number]) == {"alembic_version"}

    in_threads(2, there_and_back, rounds=6)
    in_threads(2, lambda number: upgrade(*made[number]))
    assert [tables(url) for url in urls] == [
        {*names, "alembic_version"} for names in own
    ]


def test_one_extension_for_several_apps(databases: Databases, apps: Apps) -> None:
    """So it is where the apps share one extension, whose databases Flask-SQLAlchemy
    has: an app for each tenant.
    """
    urls = [databases.make() for _ in range(4)]
    db = SQLAlchemy()
    db.Table("todo", sa.Column("id", sa.Integer, primary_key=True))
    alembic = Alembic()
    made = []

    for url in urls:
        app = apps.flask(SQLALCHEMY_DATABASE_URI=url)
        db.init_app(app)
        alembic.init_app(app)
        write_revision(
            app, "r1", upgrade="op.create_table('todo', sa.Column('id', sa.Integer))"
        )
        made.append(app)

    try:
        steps = in_threads(4, lambda number: upgrade(made[number], alembic))
    finally:
        for app in made:
            with app.app_context():
                db.engine.dispose()

    assert steps == [1] * 4
    assert [tables(url) for url in urls] == [{"todo", "alembic_version"}] * 4


@pytest.mark.parametrize("in_request", [True, False])
def test_health_checks(url: str, apps: Apps, in_request: bool) -> None:
    """Eight threads that ask whether an upgrade is needed get answers, and leave no
    connection behind.
    """
    app = apps.flask()
    engine = apps.engine(url, pool_size=8, max_overflow=0)
    alembic = Alembic(app, metadatas=todo_metadata(), engines=engine)
    write_revision(app, "r1")
    upgrade(app, alembic)

    def ask(_: int) -> bool:
        with app.test_request_context() if in_request else app.app_context():
            return alembic.needs_upgrade()

    answers = in_threads(8, ask, rounds=25)
    assert answers == [False] * 200
    assert isinstance(engine.pool, sa.QueuePool)
    assert engine.pool.checkedout() == 0


def test_health_checks_of_a_new_process(url: str, apps: Apps, tmp_path: Path) -> None:
    """That is so from the very first call on, when nothing has been read yet; the files
    are read once, for all threads, and so is one run whose header only that can tell.
    """
    for number in range(3):
        app, alembic = apps.plain(url)
        mark = tmp_path / f"read{number}"
        header = f"with open({str(mark)!r}, 'a') as f: vars(), f.write('x')"
        write_revision(app, "r1", header=header)

        def ask(_: int, app: Flask = app, alembic: Alembic = alembic) -> bool:
            with app.app_context():
                return alembic.needs_upgrade()

        assert in_threads(8, ask) == [True] * 8
        assert mark.read_text() == "x"


def test_request_ends_during_a_migration(url: str, apps: Apps) -> None:
    """While one thread migrates, requests in others begin, read and end, and disturb
    nothing.
    """
    app, alembic = waiting_app(url, apps)

    @app.get("/")
    def index() -> str:
        return str(alembic.needs_upgrade())

    @app.get("/hello")
    def hello() -> str:
        return "hello"

    with ThreadPoolExecutor(1) as executor:
        migration = start(app, alembic, executor)

        try:
            for _ in range(3):
                assert app.test_client().get("/hello").text == "hello"

                with app.app_context():
                    pass

                assert (
                    in_threads(2, lambda _: app.test_client().get("/").text)
                    == ["True"] * 2
                )
        finally:
            app.config["GO_ON"].set()

        assert migration.result(LONG) == 1

    assert tables(url) == {"early", "late", "alembic_version"}
    assert app.test_client().get("/").text == "False"


def test_request_fails_during_a_migration(url: str, apps: Apps) -> None:
    """That is so for a context that ends by an exception."""
    app, alembic = waiting_app(url, apps)

    with ThreadPoolExecutor(1) as executor:
        migration = start(app, alembic, executor)

        try:
            with pytest.raises(ZeroDivisionError), app.app_context():
                assert alembic.needs_upgrade()
                assert alembic.migration_context
                raise ZeroDivisionError
        finally:
            app.config["GO_ON"].set()

        assert migration.result(LONG) == 1

    assert tables(url) == {"early", "late", "alembic_version"}


def test_migration_waits_for_another(databases: Databases, apps: Apps) -> None:
    """A migration of another app in another thread runs after it, and completely."""
    urls = [databases.make() for _ in range(2)]
    app, alembic = waiting_app(urls[0], apps)
    other, other_alembic = numbered_app(urls[1], apps, 1)

    with ThreadPoolExecutor(2) as executor:
        first = start(app, alembic, executor)

        try:
            second = executor.submit(upgrade, other, other_alembic)
            assert tables(urls[1]) == set()
            assert not second.done()
        finally:
            app.config["GO_ON"].set()

        assert first.result(LONG) == 1
        assert second.result(LONG) == 3

    assert [tables(url) for url in urls] == [
        {"early", "late", "alembic_version"},
        {"t1_0", "t1_1", "t1_2", "alembic_version"},
    ]


def test_migration_that_fails_lets_the_next_one_run(
    databases: Databases, apps: Apps
) -> None:
    """A migration that raises does not keep others from running."""
    urls = [databases.make() for _ in range(2)]
    failing, failing_alembic = apps.plain(urls[0])
    write_revision(failing, "r1", upgrade="raise ZeroDivisionError")
    made = [(failing, failing_alembic), numbered_app(urls[1], apps, 1)]

    def run(number: int) -> int:
        try:
            return upgrade(*made[number])
        except Exception:
            return -1

    assert in_threads(2, run) == [-1, 3]
    assert tables(urls[1]) == {"t1_0", "t1_1", "t1_2", "alembic_version"}


def test_migration_that_migrates_another_app(databases: Databases, apps: Apps) -> None:
    """A revision may upgrade another app; ``op`` is its own again afterwards."""
    urls = [databases.make() for _ in range(2)]
    inner, inner_alembic = numbered_app(urls[1], apps, 1)
    outer, outer_alembic = apps.plain(urls[0], INNER=(inner, inner_alembic))
    code = """
op.create_table("before", sa.Column("id", sa.Integer))
from flask import current_app
inner, alembic = current_app.config["INNER"]
with inner.app_context():
    assert len(alembic.upgrade().steps) == 3
op.create_table("after", sa.Column("id", sa.Integer))
"""
    write_revision(outer, "r1", upgrade=code)

    assert upgrade(outer, outer_alembic) == 1
    assert [tables(url) for url in urls] == [
        {"before", "after", "alembic_version"},
        {"t1_0", "t1_1", "t1_2", "alembic_version"},
    ]


def test_extension_is_registered_in_several_threads(
    apps: Apps, sqlite_url: str
) -> None:
    """Threads that each make an app of the same folder find a whole template."""
    folder = apps.flask("shared")

    def make(number: int) -> int:
        app, alembic = apps.plain(sqlite_url, name="shared")

        with app.app_context():
            return len(alembic.heads())

    assert in_threads(8, make, rounds=3) == [0] * 24
    assert folder.root_path


def test_revisions_made_in_several_threads(apps: Apps, sqlite_url: str) -> None:
    """Each gets an id of its own, and all are in the history afterwards."""
    app, alembic = apps.plain(sqlite_url)
    write_revision(app, "r1")

    def make(number: int) -> str:
        with app.app_context():
            (script,) = alembic.revision("same", empty=True, parent="r1", splice=True)
            assert script is not None
            return script.revision

    ids = in_threads(4, make, rounds=5)
    assert len(set(ids)) == 20

    with app.app_context():
        assert {script.revision for script in alembic.heads()} == set(ids)
