"""Who works on tenants: threads, processes, a cluster."""

from __future__ import annotations

import threading
import time
import typing as t
from concurrent.futures import Executor
from concurrent.futures import Future
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from distributed import Client
from distributed import LocalCluster

from apps import Apps
from flask_alembic import ConfigurationError
from flask_alembic import FleetProgress
from flask_alembic import Tenant
from fleets import ADD
from fleets import ask
from fleets import CREATE
from fleets import errors
from fleets import make_tenants
from fleets import states
from fleets import Tenants
from servers import Databases

APP: t.Final = """
from flask import Flask
from flask_alembic import Alembic
import sqlalchemy as sa

def create_app():
    app = Flask("remote", root_path={root!r})
    Alembic(app, metadatas=sa.MetaData(), engines=sa.create_engine({url!r}))
    return app
"""


# What is refused before any server is asked.
without_server = pytest.mark.parametrize("server", ["sqlite"], indirect=True)


@pytest.fixture
def fleet(databases: Databases, apps: Apps) -> Tenants:
    """Five tenants on each of the servers in turn, and two revisions."""
    made = make_tenants(databases, apps, 5)
    made.write(CREATE, ADD)
    return made


@pytest.fixture
def module(fleet: Tenants, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where other processes find the app."""
    name = f"remote_{tmp_path.name.replace('-', '_')}"
    url = fleet.alembic.engines["default"].url.render_as_string(False)
    text = APP.format(root=fleet.app.root_path, url=url)
    (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return f"{name}:create_app"


def processes(urls: t.Iterable[str]) -> int:
    """How many processes have upgraded some databases."""
    query = "SELECT pid FROM alembic_version_history"
    return len({row[0] for url in urls for row in ask(url, query)})


def test_threads(fleet: Tenants) -> None:
    """An executor of threads may be the user's own."""
    with ThreadPoolExecutor(2, "mine") as executor:
        report = fleet.upgrade(executor=executor)

    assert errors(report) == [None] * 5
    assert states(report) == ["done"] * 5


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")
def test_processes(fleet: Tenants, module: str) -> None:
    """Other processes make the app, and send back what became of the tenants."""
    context: t.Any = __import__("multiprocessing").get_context("spawn")

    with ProcessPoolExecutor(2, context) as executor:
        report = fleet.upgrade(executor=executor, app=module, workers=2)

    assert errors(report) == [None] * 5
    assert states(report) == ["done"] * 5
    assert [len(result.steps) for result in report.tenants] == [2] * 5
    assert processes(fleet.urls) == 2
    assert states(fleet.upgrade()) == ["already there"] * 5


def test_dask(fleet: Tenants, module: str, tmp_path: Path) -> None:
    """A cluster of Dask works on tenants."""
    make: t.Any = LocalCluster
    connect: t.Any = Client
    cluster = make(
        n_workers=2,
        threads_per_worker=1,
        processes=True,
        # Any port: without an address it takes the usual one, which others may have.
        dashboard_address=":0",
        local_directory=str(tmp_path),
        silence_logs=50,
    )

    with cluster, connect(cluster) as client:
        executor = client.get_executor()
        report = fleet.upgrade(executor=executor, app=module, workers=2)
        executor.shutdown()

    assert errors(report) == [None] * 5
    assert states(report) == ["done"] * 5
    assert processes(fleet.urls) == 2


class Broken(Executor):
    """One whose workers do not come back."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error

    def submit(self, fn: t.Any, /, *args: t.Any, **kwargs: t.Any) -> Future[t.Any]:
        future: Future[t.Any] = Future()

        if self.error is None:
            future.cancel()
            # As executors do it, for those who wait.
            future.set_running_or_notify_cancel()
        else:
            future.set_exception(self.error)

        return future


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (OSError("gone"), "OSError: gone"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        (SystemExit(3), "SystemExit: 3"),
        (None, "CancelledError: its executor has cancelled it"),
    ],
)
def test_lost_worker(
    fleet: Tenants, module: str, error: BaseException | None, text: str
) -> None:
    """A worker that does not come back is told of for each of its tenants."""
    report = fleet.upgrade(executor=Broken(error), app=module)
    assert states(report) == ["failed"] * 5
    assert errors(report) == [f"The worker failed: {text}"] * 5

    with fleet.app.app_context():
        status = fleet.alembic.status_all(
            fleet.urls, executor=Broken(error), app=module
        )

    assert [s.error for s in status.tenants] == [f"The worker failed: {text}"] * 5


def test_secret_of_a_worker(fleet: Tenants, module: str) -> None:
    """What a worker quotes that fails holds no password."""
    url = "postgresql+psycopg://ada:s3cret-s3cret@127.0.0.1:9/x"
    executor = Broken(ValueError(f"There is something wrong with {url}."))
    report = fleet.upgrade([url], executor=executor, app=module)
    assert "ada:***@" in str(errors(report)[0])
    assert "s3cret" not in repr(report)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")
def test_other_revisions(fleet: Tenants, module: str) -> None:
    """Workers that have other revisions run none."""
    context: t.Any = __import__("multiprocessing").get_context("spawn")

    with ProcessPoolExecutor(1, context) as executor, fleet.app.app_context():
        assert fleet.alembic.heads()
        fleet.write("pass")
        report = fleet.alembic.upgrade_all(fleet.urls, executor=executor, app=module)

    assert states(report) == ["failed"] * 5
    assert "A worker has other revisions" in str(errors(report)[0])
    assert "Deploy the same code" in str(report.tenants[0].hint)


@without_server
def test_no_app(fleet: Tenants) -> None:
    """Other processes have to know how to make the app."""
    with pytest.raises(ConfigurationError, match="how to make the app"):
        fleet.upgrade(executor=Broken(OSError()))


@without_server
def test_engine_stays(fleet: Tenants, module: str) -> None:
    """An engine can't go to another process."""
    tenant = Tenant(name="ada", engine=fleet.alembic.engines["default"])

    with pytest.raises(ConfigurationError, match="'ada' can't go to another"):
        fleet.upgrade([tenant], executor=Broken(OSError()), app=module)


def test_progress(fleet: Tenants) -> None:
    """The caller is told each time that a tenant is over, in its own thread."""
    told: list[FleetProgress] = []
    threads = set()

    def tell(progress: FleetProgress) -> None:
        told.append(progress)
        threads.add(threading.get_ident())

    fleet.upgrade(progress=tell)
    assert [progress.tried for progress in told] == [1, 2, 3, 4, 5]
    assert {progress.total for progress in told} == {5}
    assert all(progress.seconds_left >= 0 for progress in told)
    assert told[-1].seconds_left == 0
    assert threads == {threading.get_ident()}


def test_bounded_connections(databases: Databases, apps: Apps) -> None:
    """No more tenants are worked on than the caller wants, and each has one connection,
    and on PostgreSQL another one for its lock.
    """
    fleet = make_tenants(databases, apps, 6)
    wait = {
        "sqlite": "SELECT 1",
        "postgresql": "SELECT pg_sleep(0.2)",
        "mariadb": "DO SLEEP(0.2)",
    }[databases.server.name]
    fleet.write(f"op.execute({wait!r})")
    most = [0]
    is_over = threading.Event()
    watch = threading.Thread(target=_count, args=(databases, fleet, most, is_over))
    watch.start()

    try:
        assert states(fleet.upgrade(workers=2)) == ["done"] * 6
    finally:
        is_over.set()
        watch.join()

    assert most[0] <= 4


def _count(
    databases: Databases, fleet: Tenants, most: list[int], is_over: threading.Event
) -> None:
    if databases.server.url is None:
        return

    names = ", ".join(f"'{sa.make_url(url).database}'" for url in fleet.urls)
    query = {
        "postgresql": "SELECT count(*) FROM pg_stat_activity WHERE datname IN ({})",
        "mariadb": "SELECT count(*) FROM information_schema.processlist"
        " WHERE db IN ({})",
    }[databases.server.name].format(names)
    url = databases.server.url.render_as_string(False)

    while not is_over.is_set():
        most[0] = max(most[0], ask(url, query)[0][0])
        time.sleep(0.02)


@without_server
@pytest.mark.parametrize("workers", [0, -1, 1.5, True, "2"])
def test_wrong_workers(fleet: Tenants, workers: t.Any) -> None:
    """The number of workers is a number."""
    with pytest.raises(ConfigurationError, match="whole number, 1 or more"):
        fleet.upgrade(workers=workers)
