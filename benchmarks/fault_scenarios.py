"""What is done to the apps. A scenario returns "ok", or what went wrong in a few words;
``None`` where it does not apply.
"""

from __future__ import annotations

import os
import socket
import threading
import time
import typing as t
from contextlib import suppress

import sqlalchemy as sa

from fault_apps import App
from fault_apps import ending
from fault_apps import Process

OK: t.Final = "ok"
AT_ONCE: t.Final = 8
COUNT: t.Final = "op.execute('UPDATE counter SET n = n + 1')"
HOLD: t.Final = 6
"""Seconds for which a reader stays in its transaction."""

Scenario = t.Callable[[App], str | None]


def empty_database(app: App) -> str:
    """8 processes upgrade one empty database"""
    app.write([[_create(f"t{number}")] for number in range(5)])
    return _at_once(app, tables=5)


def data_migration(app: App) -> str:
    """8 processes, 10 revisions that count and make a table"""
    app.write([[COUNT, _create(f"t{number}")] for number in range(10)])
    return _at_once(app, tables=10, count=10)


def gunicorn(app: App) -> str:
    """gunicorn -w 4, upgrade() in the factory"""
    app.write([["time.sleep(0.2)", _create(f"t{number}")] for number in range(5)])
    options = ["-w", "4", "-b", "unix:gunicorn.sock", "--graceful-timeout", "3"]
    command = ["-m", "gunicorn", *options, "app:create_app()"]

    with ending(app.start("python", *command, UPGRADE_IN_FACTORY="1")) as process:
        # Long enough for workers that fail to have taken the master with them.
        _until(lambda: not process.running or not app.missing(["t4"]), 30)
        time.sleep(3)
        problems = [] if process.running else ["the service ended"]

        if process.running and not _answers(app):
            problems.append("requests fail")

    return _told(problems + _unfinished(app, tables=5, count=0))


def killed(app: App) -> str:
    """kill -9 within 5 operations, typed again"""
    kill = "if 'KILL' in os.environ: os.kill(os.getpid(), signal.SIGKILL)"
    first, last = [_create("t0"), COUNT, _create("t1")], [_create("t2"), _index("t1")]
    app.write([[*first, kill, *last]])
    app.db("upgrade", KILL="1")
    return _told(_unfinished(app, tables=3, count=1))


def mended(app: App) -> str:
    """The 3rd of 5 statements fails, is mended, typed again"""
    first, last = [_create("t0"), COUNT], [_create("t1"), _index("t1")]
    app.write([[*first, "op.execute('UPDATE nowhere SET n = 1')", *last]])
    app.db("upgrade")
    app.write([[*first, _create("t2"), *last]])
    return _told(_unfinished(app, tables=3, count=1))


def children(app: App) -> str | None:
    """Batch mode on a parent, foreign_keys=ON, ON DELETE CASCADE"""
    if app.database.kind != "sqlite":
        return None

    alter = (
        "with op.batch_alter_table('parent') as batch_op:\n"
        "    batch_op.alter_column('name', nullable=False,"
        " existing_type=sa.String(40))"
    )
    app.write([[alter]])
    process = app.db("upgrade")
    rows = app.scalar("SELECT count(*) FROM child")
    problems = [process.reason()] if process.failed else []
    lost = [f"child rows 2 -> {rows}"] if rows != 2 else []
    return _told(problems + lost)


def reader(app: App) -> str | None:
    """ALTER behind an idle transaction of 6 s: other readers"""
    if app.database.kind == "sqlite":
        return None

    app.write([["op.add_column('parent', sa.Column('more', sa.Integer()))"]])
    process, waits = _read_meanwhile(app)
    ended = f"upgrade failed: {process.reason()}" if process.failed else "upgraded"
    return f"readers wait up to {max(waits):.1f} s, {ended}"


def request(app: App) -> str:
    """Requests while another thread of the process migrates"""
    steps = ["time.sleep(0.5)", COUNT, _create("t0"), "time.sleep(0.5)", _create("t1")]
    app.write([steps, [_create("t2")]])
    (app.folder / "both.py").write_text(BOTH)
    process = app.start("python", "both.py")
    process.wait()
    problems = [process.reason()] if process.failed else []
    return _told(problems + _unfinished(app, tables=3, count=1))


BOTH: t.Final = """
import sys
import threading
import time

from app import create_app
from app import upgrade

app = create_app()
failed = []


def migrate():
    try:
        with app.app_context():
            upgrade()
    except BaseException as error:
        failed.append(f"{type(error).__name__}: {error}".splitlines()[0])


thread = threading.Thread(target=migrate)
thread.start()

while thread.is_alive():
    response = app.test_client().get("/")

    if response.status_code != 200:
        failed.append(f"Error: a request got {response.status}")

    time.sleep(0.1)

if failed:
    sys.exit(failed[0])
"""

SCENARIOS: t.Final[tuple[Scenario, ...]] = (
    empty_database,
    data_migration,
    gunicorn,
    killed,
    mended,
    children,
    reader,
    request,
)


def _create(table: str) -> str:
    return f"op.create_table('{table}', sa.Column('id', sa.Integer()))"


def _index(table: str) -> str:
    return f"op.create_index('ix_{table}', '{table}', ['id'])"


def _at_once(app: App, *, tables: int, count: int = 0) -> str:
    """Upgrade in several processes, which begin together."""
    start = app.folder / "start"
    command = ("flask", "db", "upgrade")
    processes = [app.start(*command, START=str(start)) for _ in range(AT_ONCE)]
    _until(lambda: len(list(app.folder.glob("start-*"))) == AT_ONCE, 30)
    start.touch()

    for process in processes:
        process.wait()

    failed = sum(process.failed for process in processes)
    problems = [f"{failed} of {AT_ONCE} failed"] if failed else []
    return _told(problems + _unfinished(app, tables=tables, count=count))


def _unfinished(app: App, *, tables: int, count: int) -> list[str]:
    """Type the command once more, and tell what is wrong even then."""
    again = app.db("upgrade")
    problems = [f"again: {again.reason()}"] if again.failed else []

    if missing := app.missing(f"t{number}" for number in range(tables)):
        problems.append(f"{len(missing)} of {tables} tables missing")

    if (counter := app.counter()) != count:
        problems.append(f"counter {counter} instead of {count}")

    return problems


def _read_meanwhile(app: App) -> tuple[Process, list[float]]:
    """Upgrade while one reader is idle in its transaction and another one reads.

    :return: The upgrade, and how long each of the reads took, in seconds.
    """
    statement = sa.text("SELECT count(*) FROM parent")
    done = threading.Event()
    waits: list[float] = []

    def read() -> None:
        while not done.is_set():
            started = time.monotonic()
            app.scalar(str(statement))
            waits.append(time.monotonic() - started)
            time.sleep(0.05)

    thread = threading.Thread(target=read)

    with app.database.connect() as idle:
        idle.execute(statement)
        process = app.start("flask", "db", "upgrade")
        thread.start()
        time.sleep(HOLD)

    process.wait()
    done.set()
    thread.join()
    return process, waits


def _answers(app: App) -> bool:
    """Whether all of 8 requests are answered."""
    for _ in range(8):
        with socket.socket(socket.AF_UNIX) as client, suppress(OSError):
            client.settimeout(5)
            # A path of a socket must be short, and that of the folder may not be.
            client.connect(os.path.relpath(app.folder / "gunicorn.sock"))
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")

            if b" 200 " in client.recv(100):
                continue

        return False

    return True


def _until(condition: t.Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds

    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)


def _told(problems: list[str]) -> str:
    return "; ".join(problems) or OK
