"""Tenants that fail, commands that meet, and commands that are killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import typing as t
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa

from apps import Apps
from conftest import Cli
from conftest import tables
from flask_alembic import Tenant
from fleets import ADD
from fleets import ask
from fleets import CREATE
from fleets import errors
from fleets import make_tenants
from fleets import states
from fleets import Tenants
from servers import Databases

pytestmark = pytest.mark.faults

SLOW: t.Final = "import time\ntime.sleep(0.1)"

APP: t.Final = """
from flask import Flask
from flask_alembic import Alembic
import sqlalchemy as sa

app = Flask("slow", root_path={root!r})
app.config["ALEMBIC"] = {{"tenants": {urls!r}}}
Alembic(app, metadatas=sa.MetaData(), engines=sa.create_engine({url!r}))
"""


@pytest.fixture
def fleet(databases: Databases, apps: Apps) -> Tenants:
    """Four tenants on each of the servers in turn, and three revisions."""
    made = make_tenants(databases, apps)
    made.write(CREATE, ADD, "op.create_index('ix', 'todo', ['text'])")
    return made


@pytest.fixture
def command(fleet: Tenants, tmp_path: Path) -> t.Callable[..., subprocess.Popen[str]]:
    """Starts ``flask db`` on the tenants in a process of its own."""
    url = fleet.alembic.engines["default"].url.render_as_string(False)
    text = APP.format(root=fleet.app.root_path, urls=fleet.urls, url=url)
    (tmp_path / "slow.py").write_text(text)

    def start(*args: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "flask", "--app", "slow", "db", *args],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(tmp_path)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # A shell starts what runs in the background without it.
            preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
        )

    return start


def spoil(url: str) -> None:
    """Make a table that is in the way."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)

    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE todo (other INTEGER)")


def mend(url: str) -> None:
    """Drop it."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)

    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE todo")


def applied(url: str) -> list[str]:
    """What was applied to a tenant, in this order."""
    query = "SELECT revision FROM alembic_version_history ORDER BY id"
    return [row[0] for row in ask(url, query)]


def test_one_fails(fleet: Tenants) -> None:
    """One that fails does not keep the others from being done. Run again, the same does
    the rest.
    """
    spoil(fleet.urls[2])
    report = fleet.upgrade()
    assert states(report) == ["done", "done", "failed", "done"]
    assert not report.ok
    assert not report.only_locked
    assert report.tenants[2].error_type == "MigrationFailed"
    name = report.tenants[2].tenant
    assert f"Revision 0001aa failed on the tenant '{name}'" in str(errors(report)[2])

    mend(fleet.urls[2])
    report = fleet.upgrade()
    assert states(report) == ["already there"] * 2 + ["done", "already there"]
    assert report.ok


def test_first_fails(fleet: Tenants) -> None:
    """If the first one fails, another one is run for the others."""
    spoil(fleet.urls[0])
    assert states(fleet.upgrade()) == ["failed", "done", "done", "done"]


def test_stop_on_error(fleet: Tenants) -> None:
    """With ``stop_on_error`` no other one is begun, and the next call begins there."""
    spoil(fleet.urls[1])
    report = fleet.upgrade(workers=1, stop_on_error=True)
    assert states(report) == ["done", "failed", "not tried", "not tried"]
    assert [tables(url) for url in fleet.urls[2:]] == [set(), set()]

    mend(fleet.urls[1])
    report = fleet.upgrade(workers=1, stop_on_error=True)
    assert states(report) == ["already there", "done", "done", "done"]


def test_server_down(fleet: Tenants) -> None:
    """A tenant whose server is down is told of, without its password."""
    down = sa.make_url("postgresql+psycopg://ada:s3cret-s3cret@127.0.0.1:9/x")
    report = fleet.upgrade([*fleet.urls, down])
    assert states(report) == ["done"] * 4 + ["failed"]
    result = report.tenants[-1]
    assert result.tenant == "postgresql+psycopg://ada:***@127.0.0.1:9/x"
    assert result.error_type == "ConnectionFailed"
    assert "s3cret" not in repr(report)
    assert not result.is_locked


def test_unknown_revision(fleet: Tenants) -> None:
    """A tenant at a revision that no file has is told of."""
    fleet.upgrade(fleet.urls[:2])
    engine = sa.create_engine(fleet.urls[1], poolclass=sa.NullPool)

    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'lost'")

    report = fleet.upgrade()
    assert states(report) == ["already there", "failed", "done", "done"]
    assert report.tenants[1].error_type == "UnknownRevisionError"
    assert "'lost'" in str(errors(report)[1])


def test_secret_in_error(fleet: Tenants, databases: Databases) -> None:
    """A password that a revision's error quotes is taken out."""
    if databases.server.url is None:
        pytest.skip("SQLite has no passwords")

    url = sa.make_url(fleet.urls[0]).set(password="s3cret-s3cret")
    fleet.write("raise ValueError(str(op.get_bind().engine.url.password))")
    report = fleet.upgrade([url])
    assert states(report) == ["failed"]
    assert "***" in str(errors(report)[0])
    assert "s3cret" not in repr(report)


def test_locked(fleet: Tenants) -> None:
    """A tenant that another run keeps for too long is told of as locked; the others
    are done.
    """
    is_held, is_over = threading.Event(), threading.Event()

    def hold() -> None:
        # A run that asks for a long time keeps the lock meanwhile.
        app, alembic = fleet.app, fleet.alembic
        tenant = sa.create_engine(fleet.urls[1], poolclass=sa.NullPool)

        with app.app_context(), tenant.connect() as connection:
            with alembic.use_connection(connection):
                context = alembic.migration_context
                from flask_alembic.locks import find_lock
                from flask_alembic.locks import holding
                from flask_alembic.locks import Patience

                lock = find_lock(context, "default", True)
                connection.commit()
                assert lock is not None

                with holding([lock], Patience(1)):
                    is_held.set()
                    is_over.wait(30)

    holder = threading.Thread(target=hold)
    holder.start()
    is_held.wait(10)

    try:
        with fleet.app.app_context(), fleet.alembic.using(lock_timeout=0.2):
            report = fleet.alembic.upgrade_all(fleet.urls, workers=2)
    finally:
        is_over.set()
        holder.join()

    assert states(report) == ["done", "failed", "done", "done"]
    assert report.tenants[1].is_locked
    assert report.only_locked
    assert states(fleet.upgrade()) == ["already there", "done", *["already there"] * 2]


def test_two_commands(
    fleet: Tenants, command: t.Callable[..., subprocess.Popen[str]]
) -> None:
    """Of two commands at once, each revision is run by one, on each tenant."""
    fleet.write(SLOW)
    both = [command("upgrade", "--all-tenants") for _ in range(2)]
    outputs = [process.communicate(timeout=60) for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs

    for url in fleet.urls:
        query = "SELECT revision FROM alembic_version_history ORDER BY id"
        assert [row[0] for row in ask(url, query)] == [
            f"000{n}aa" for n in (1, 2, 3, 4)
        ]


def test_killed(
    fleet: Tenants, command: t.Callable[..., subprocess.Popen[str]]
) -> None:
    """After ``kill -9`` in the middle, the same command does the rest."""
    fleet.write(SLOW)
    process = command("upgrade", "--all-tenants", "--workers", "2")
    deadline = time.monotonic() + 30

    while not tables(fleet.urls[0]) and time.monotonic() < deadline:
        time.sleep(0.01)

    time.sleep(0.15)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    again = command("upgrade", "--all-tenants")
    output, errors_ = again.communicate(timeout=60)
    assert again.returncode == 0, (output, errors_)

    for url in fleet.urls:
        query = "SELECT revision FROM alembic_version_history ORDER BY id"
        assert [row[0] for row in ask(url, query)] == [
            f"000{n}aa" for n in (1, 2, 3, 4)
        ]
        assert ask(url, "SELECT version_num FROM alembic_version") == [("0004aa",)]


@pytest.mark.parametrize(
    "number, code", [(signal.SIGINT, 1), (signal.SIGTERM, 128 + signal.SIGTERM)]
)
def test_interrupted(
    fleet: Tenants,
    command: t.Callable[..., subprocess.Popen[str]],
    number: signal.Signals,
    code: int,
) -> None:
    """Ctrl-C and SIGTERM let the tenant come to its end that is being worked on, begin
    no other, and tell what became of them.
    """
    fleet.write("import time\ntime.sleep(1)")
    process = command("upgrade", "--all-tenants", "--workers", "1")
    deadline = time.monotonic() + 30

    while not tables(fleet.urls[0]) and time.monotonic() < deadline:
        time.sleep(0.01)

    process.send_signal(number)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == code
    assert "done           1\n" in output
    assert "not tried      3\n" in output
    assert [bool(tables(url)) for url in fleet.urls] == [True, False, False, False]


def test_exit_codes(fleet: Tenants, db: Cli) -> None:
    """The command exits with 1 if a tenant failed."""
    spoil(fleet.urls[1])
    fleet.app.config["ALEMBIC"]["tenants"] = [
        Tenant(name=f"t{n}", url=url) for n, url in enumerate(fleet.urls)
    ]
    result = db(fleet.app, "upgrade", "--all-tenants", "--workers", "1")
    assert result.exit_code == 1
    assert "failed         1\n  t1: Revision 0001aa failed" in result.output
    mend(fleet.urls[1])
    assert db(fleet.app, "upgrade", "--all-tenants").exit_code == 0
