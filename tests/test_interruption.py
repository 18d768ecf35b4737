"""Ctrl-C and SIGTERM: what is under way is rolled back, and it is told where things
stand.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
import typing as t
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask

from apps import Apps
from apps import write_revision
from conftest import Cli
from conftest import tables
from flask_alembic import Alembic
from flask_alembic.run_errors import interruption_of
from servers import Databases
from servers import Server

pytestmark = pytest.mark.faults

PROGRAM: t.Final = """
import os
import sqlalchemy as sa
from flask import Flask
from flask_alembic import Alembic
from sqlalchemy.ext.asyncio import create_async_engine

def create_app():
    app = Flask("app", root_path=os.environ["ROOT"])
    url = os.environ["URL"]
    is_async = any(name in url for name in ("aiosqlite", "asyncpg", "aiomysql"))
    make = create_async_engine if is_async else sa.create_engine
    Alembic(app, metadatas=sa.MetaData(), engines=make(url))
    return app
"""

# What a revision does until the signal comes. It is not there in the second run.
WAIT: t.Final = """
import os, time
if "READY" in os.environ:
    print("ready", flush=True)
    {wait}
""".strip()
SLEEP: t.Final = WAIT.format(wait="time.sleep(60)")
STUBBORN: t.Final = """
import os, time
if "READY" in os.environ:
    try:
        print("ready", flush=True)
        time.sleep(60)
    finally:
        print("ready", flush=True)
        time.sleep(60)
""".strip()
MAKE: t.Final = 'op.create_table("made", sa.Column("id", sa.Integer))'
INSERT: t.Final = "op.execute('INSERT INTO item VALUES (1)')"
ITEM: t.Final = 'op.create_table("item", sa.Column("id", sa.Integer))'
LONG_QUERY: t.Final = {
    "postgresql": "SELECT pg_sleep(60)",
    "mariadb": "CREATE TABLE slow AS SELECT SLEEP(2) AS x",
}
AT_R1: t.Final = "default is at r1.\n"
INTERRUPTED: t.Final = "Revision r2 was interrupted on the database 'default'."
NOTHING_KEPT: t.Final = (
    "Nothing of this revision was kept. To go on, run the same command again."
)


class Command:
    """A command in a process of its own, which has come to a revision that waits."""

    def __init__(self, app: Flask, url: str, *args: str) -> None:
        program = Path(app.root_path, "program.py")
        program.write_text(PROGRAM)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "flask", "--app", str(program), "db", *args],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "ROOT": app.root_path, "URL": url, "READY": "1"},
            # A shell starts what runs in the background without it.
            preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
        )
        self.wait()

    def wait(self) -> None:
        """Wait until the revision says that it waits."""
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        line = self.process.stdout.readline()
        assert line == "ready\n", line + self.process.stderr.read()

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    def end(self) -> tuple[int, str, str]:
        """The exit code, and what was printed."""
        stdout, stderr = self.process.communicate(timeout=30)
        return self.process.returncode, stdout, stderr


def make(apps: Apps, url: str, code: str) -> tuple[Flask, Alembic]:
    """An app whose second revision waits."""
    app, alembic = apps.plain(url, sa.MetaData())
    write_revision(app, "r1", upgrade=ITEM)
    write_revision(app, "r2", "r1", upgrade=code, downgrade=code)
    return app, alembic


def heads(url: str) -> list[str]:
    """What the version table holds."""
    with sa.create_engine(url, poolclass=sa.NullPool).connect() as connection:
        rows = connection.exec_driver_sql("SELECT version_num FROM alembic_version")
        return sorted(rows.scalars())


SESSIONS: t.Final = {
    "postgresql": (
        "SELECT query FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    ),
    "mariadb": (
        "SELECT info FROM information_schema.processlist"
        " WHERE db = database() AND id <> connection_id()"
    ),
}


def sessions(url: str, server: str) -> list[str]:
    """What the other sessions of a database are at."""
    with sa.create_engine(url, poolclass=sa.NullPool).connect() as connection:
        return list(connection.exec_driver_sql(SESSIONS[server]).scalars())


def wait_for_statement(url: str, server: str) -> None:
    """Wait until the server is at work on the long one."""
    while LONG_QUERY[server] not in sessions(url, server):
        time.sleep(0.05)


# Processes


def test_terminated(url: str, server: Server, apps: Apps) -> None:
    """SIGTERM rolls back, says where things stand and exits with 143. The same command
    goes on from there.
    """
    app, alembic = make(apps, url, f"{INSERT}\n{SLEEP}")
    command = Command(app, url, "upgrade")
    command.send(signal.SIGTERM)
    code, stdout, stderr = command.end()
    assert stderr == (
        f"{AT_R1}Error: Terminated. {INTERRUPTED}\nHint: {NOTHING_KEPT}\n"
    )
    assert stdout.startswith("  r1  r1  upgrade  ")
    assert code == 143
    assert heads(url) == ["r1"]

    with app.app_context():
        assert alembic.upgrade().databases == {"default": ("r2",)}


def test_terminated_with_statements_kept(url: str, server: Server, apps: Apps) -> None:
    """What can't be rolled back is told as after a failure."""
    app, _ = make(apps, url, f"{MAKE}\n{SLEEP}")
    command = Command(app, url, "upgrade")
    command.send(signal.SIGTERM)
    code, _, stderr = command.end()
    assert code == 143

    if server.name == "mariadb":
        assert stderr == (
            f"{AT_R1}"
            "Kept on default of r2:\n"
            "  CREATE TABLE made ( id INTEGER )\n"
            f"Error: Terminated. {INTERRUPTED}\n"
            "Hint: MariaDB can't roll back DDL. Undo by hand what was kept and run the"
            " same command again.\n"
        )
    else:
        assert NOTHING_KEPT in stderr
        assert tables(url) == {"alembic_version", "item"}


def test_interrupted(url: str, apps: Apps) -> None:
    """Ctrl-C does the same, and ends as it does in any program that uses Click."""
    app, _ = make(apps, url, f"{INSERT}\n{SLEEP}")
    command = Command(app, url, "upgrade")
    command.send(signal.SIGINT)
    code, _, stderr = command.end()
    lines = [line for line in stderr.splitlines() if line]
    assert lines == [AT_R1.rstrip(), INTERRUPTED, NOTHING_KEPT, "Aborted!"]
    assert code == 1
    assert heads(url) == ["r1"]


@pytest.mark.parametrize("server", ["postgresql", "mariadb"], indirect=True)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_within_a_statement(
    url: str, server: Server, apps: Apps, number: signal.Signals
) -> None:
    """The server is waited for no longer. PostgreSQL ends the statement. MariaDB may go
    on with it, which is told.
    """
    wait = WAIT.format(wait=f"op.execute({LONG_QUERY[server.name]!r})")
    app, _ = make(apps, url, f"{INSERT}\n{wait}")
    command = Command(app, url, "upgrade")
    wait_for_statement(url, server.name)
    command.send(number)
    code, _, stderr = command.end()
    assert code == (143 if number == signal.SIGTERM else 1)
    assert heads(url) == ["r1"]

    if server.name == "postgresql":
        assert NOTHING_KEPT in stderr
        assert sessions(url, server.name) == []
    else:
        # CREATE has committed the INSERT.
        assert (
            "Kept on default of r2:\n"
            "  INSERT INTO item VALUES (1)\n"
            "Not answered by default, and may be kept too:\n"
            f"  {LONG_QUERY[server.name]}\n"
        ) in stderr
        assert "It may still be at work." in stderr


@pytest.mark.parametrize("driver", ["asyncpg", "aiomysql"], indirect=True)
def test_within_a_statement_of_an_async_driver(
    async_databases: Databases, driver: str, apps: Apps
) -> None:
    """So it is with an async engine."""
    url = async_databases.make()
    server = async_databases.server.name
    wait = WAIT.format(wait=f"op.execute({LONG_QUERY[server]!r})")
    app, _ = make(apps, url, wait)
    name = sa.make_url(url).drivername.split("+")[1]
    command = Command(app, url.replace(f"+{name}:", f"+{driver}:"), "upgrade")
    wait_for_statement(url, server)
    command.send(signal.SIGTERM)
    code, _, stderr = command.end()
    assert f"Error: Terminated. {INTERRUPTED}" in stderr
    assert ("Not answered by default" in stderr) == (server == "mariadb")
    assert code == 143
    assert heads(url) == ["r1"]


def test_second_signal(sqlite_url: str, apps: Apps) -> None:
    """The second SIGTERM kills at once, also a revision that does not want to end."""
    app, _ = make(apps, sqlite_url, STUBBORN)
    command = Command(app, sqlite_url, "upgrade")
    command.send(signal.SIGTERM)
    command.wait()
    command.send(signal.SIGTERM)
    assert command.end() == (-signal.SIGTERM, "", "")
    assert heads(sqlite_url) == ["r1"]


@pytest.mark.parametrize("args", [("downgrade", "base"), ("stamp", "--verify", "r1")])
def test_other_commands(sqlite_url: str, apps: Apps, args: tuple[str, ...]) -> None:
    """Other commands that run revisions tell it too."""
    app, alembic = make(apps, sqlite_url, SLEEP)
    at = "r1"

    with app.app_context():
        # It waits in a process of its own only.
        alembic.upgrade(at := "r2" if args[0] == "downgrade" else "r1")

    command = Command(app, sqlite_url, *args)
    command.send(signal.SIGTERM)
    code, _, stderr = command.end()
    assert "Error: Terminated." in stderr
    assert (f"default is at {at}." in stderr) == (args[0] == "downgrade")
    assert code == 143
    assert heads(sqlite_url) == [at]


def test_from_a_program(sqlite_url: str, apps: Apps) -> None:
    """A program that calls the method ends by SIGTERM as it always does: the handler is
    the command line's.
    """
    app, _ = make(apps, sqlite_url, SLEEP)
    call = (
        "\nwith (app := create_app()).app_context():"
        "\n    app.extensions['alembic'].upgrade()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM + call],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "ROOT": app.root_path, "URL": sqlite_url, "READY": "1"},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.terminate()
    process.communicate(timeout=30)
    assert process.returncode == -signal.SIGTERM


# The handler


@contextmanager
def handled_by(handler: t.Any) -> t.Iterator[None]:
    """SIGTERM is handled by something for a while."""
    before = signal.signal(signal.SIGTERM, handler)

    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def ours(number: int, frame: object) -> None:
    raise AssertionError("no signal was sent")


LOOK: t.Final = "import signal; print(signal.getsignal(signal.SIGTERM))"


@pytest.mark.parametrize("handler", [signal.SIG_DFL, signal.SIG_IGN, ours])
@pytest.mark.parametrize(
    "end", ["pass", "raise RuntimeError", "raise KeyboardInterrupt"]
)
def test_handler_is_restored(
    sqlite_url: str, apps: Apps, db: Cli, handler: t.Any, end: str
) -> None:
    """However the command ends, SIGTERM is handled as before. Where it is ignored, it
    stays so for the command.
    """
    app, _ = apps.plain(sqlite_url, sa.MetaData())
    write_revision(app, "r1", upgrade=f"{LOOK}\n{end}")

    with handled_by(handler):
        result = db(app, "upgrade")
        assert signal.getsignal(signal.SIGTERM) is handler

    assert ("_terminate" in result.output) == (handler is not signal.SIG_IGN)


def test_signal_after_a_command(sqlite_url: str, apps: Apps, db: Cli) -> None:
    """A SIGTERM that came to a command leaves the next one as it should be, too."""
    app, _ = apps.plain(sqlite_url, sa.MetaData())
    kill = "import os, signal; os.kill(os.getpid(), signal.SIGTERM)"
    write_revision(app, "r1", upgrade=kill)

    for _ in range(2):
        result = db(app, "upgrade")
        assert result.exit_code == 143
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_in_a_thread(sqlite_url: str, apps: Apps, db: Cli) -> None:
    """In another thread than the first no handler can be set, and the command runs."""
    app, _ = apps.plain(sqlite_url, sa.MetaData())
    write_revision(app, "r1", upgrade=LOOK)
    results = []
    thread = threading.Thread(target=lambda: results.append(db(app, "upgrade")))
    thread.start()
    thread.join()
    assert results[0].exit_code == 0
    assert "_terminate" not in results[0].output


# What is told from Python


def interrupted(app: Flask, alembic: Alembic) -> KeyboardInterrupt:
    """Upgrade, which is interrupted. The report tells what was applied."""
    with app.app_context():
        with pytest.raises(KeyboardInterrupt) as caught:
            alembic.upgrade()

        known = interruption_of(caught.value)
        assert known is not None
        assert alembic.last_report.databases == known.standing
        assert alembic.last_report.steps == known.applied

    assert type(caught.value) is KeyboardInterrupt
    return caught.value


def test_note(databases: Databases, apps: Apps) -> None:
    """``KeyboardInterrupt`` stays what it is, and a note at it tells where things
    stand. The databases are rolled back, all of them.
    """
    urls = {"default": databases.make(), "other": databases.make()}
    metadatas: dict[str | None, sa.MetaData] = {name: sa.MetaData() for name in urls}
    app, alembic = apps.several(urls, metadatas)
    write_revision(app, "r1", upgrade=ITEM, arguments="engine_name")
    code = f"{INSERT}\nif engine_name == 'other':\n    raise KeyboardInterrupt"
    write_revision(app, "r2", "r1", upgrade=code, arguments="engine_name")
    error = interrupted(app, alembic)
    known = interruption_of(error)
    assert known is not None
    # A database that can't roll back has the revision already.
    at = "r2" if databases.server.name == "mariadb" else "r1"
    assert known.standing == {"default": (at,), "other": ("r1",)}
    assert {n: tuple(heads(url)) for n, url in urls.items()} == known.standing
    assert known.database == "other"
    assert error.__notes__ == [
        "Revision r2 was interrupted on the database 'other'. Nothing of this revision"
        " was kept. To go on, run the same command again."
    ]


@pytest.mark.parametrize("server", ["sqlite", "postgresql"], indirect=True)
def test_interrupted_commit(url: str, apps: Apps) -> None:
    """Of a commit that is interrupted nobody knows, and that is told."""
    app = apps.flask()
    engine = apps.engine(url)
    alembic = Alembic(app, metadatas=sa.MetaData(), engines=engine)
    write_revision(app, "r1", upgrade=ITEM)
    write_revision(app, "r2", "r1", upgrade=MAKE)

    def interrupt(connection: sa.Connection) -> None:
        if sa.inspect(connection).has_table("made"):
            raise KeyboardInterrupt

    sa.event.listen(engine, "commit", interrupt)
    error = interrupted(app, alembic)
    assert error.__notes__ == [
        "The commit of revision r2 on the database 'default' was interrupted, and may"
        " have taken effect. Run 'flask db current' to see whether it has, and run the"
        " same command again to go on."
    ]
    assert heads(url) == ["r1"]
    assert tables(url) == {"alembic_version", "item"}


class Interrupts(logging.Handler):
    """A handler of logs that raises."""

    def emit(self, record: logging.LogRecord) -> None:
        """Raise."""
        raise KeyboardInterrupt


def test_between_two_revisions(sqlite_url: str, apps: Apps) -> None:
    """Between two revisions there is nothing to roll back."""
    app, alembic = apps.plain(sqlite_url, sa.MetaData())
    write_revision(app, "r1", upgrade=ITEM)
    path = write_revision(app, "r2", "r1", arguments="engine_name=''")
    # A warning comes before such a revision.
    functions = (
        "def upgrade_gone():\n    op.f('x')\n\n\ndef downgrade_gone():\n    pass\n"
    )
    path.write_text(f"{path.read_text()}\n\n{functions}")
    logger, handler = logging.getLogger("flask_alembic"), Interrupts()
    logger.addHandler(handler)

    try:
        error = interrupted(app, alembic)
    finally:
        logger.removeHandler(handler)

    assert error.__notes__ == [
        "The run was interrupted between two revisions. To go on, run the same command"
        " again."
    ]
    assert heads(sqlite_url) == ["r1"]


def test_interrupted_before_the_run(sqlite_url: str, apps: Apps, db: Cli) -> None:
    """Where no run was under way, there is nothing to tell of."""
    app, _ = apps.plain(sqlite_url, sa.MetaData())
    kill = "import os, signal; os.kill(os.getpid(), signal.SIGTERM)"
    write_revision(app, "r1", header=kill)
    result = db(app, "upgrade")
    assert result.output == "Error: Terminated.\n"
    assert result.exit_code == 143
