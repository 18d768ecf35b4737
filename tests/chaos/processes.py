"""Processes that upgrade: forked from this one, which has imported all that they need,
or started as somebody types the command. A process that hangs is killed.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import resource
import signal
import sys
import time
import traceback
import typing as t
from contextlib import suppress
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path

HANG: t.Final = "hang"
LIMIT: t.Final = 30.0
"""Seconds after which a process counts as one that hangs."""

_POLL: t.Final = 0.005


def warm_up() -> None:
    """Import what a command needs, once, so that the forked ones need not."""
    sys.dont_write_bytecode = True
    names = ("alembic", "flask.cli", "flask_alembic", "flask_sqlalchemy", "sqlalchemy")

    for name in (*names, "psycopg", "pymysql"):
        importlib.import_module(name)

    package = importlib.import_module("flask_alembic")

    for module in pkgutil.walk_packages(package.__path__, "flask_alembic."):
        importlib.import_module(module.name)

    for dialect in ("sqlite.pysqlite", "postgresql.psycopg", "mysql.pymysql"):
        importlib.import_module(f"sqlalchemy.dialects.{dialect}")


@dataclass
class Process:
    """A child of ours."""

    pid: int
    result: int | str | None = field(default=None)
    """The exit code, negative for a signal, or :data:`HANG`."""

    def send(self, number: int) -> None:
        """Send a signal, unless it has ended already."""
        if not self.ended():
            os.kill(self.pid, number)

    def ended(self) -> bool:
        """Whether it has ended."""
        if self.result is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)

            if pid:
                self.result = os.waitstatus_to_exitcode(status)

        return self.result is not None

    def wait(self, limit: float = LIMIT) -> int | str:
        """Wait for it, and kill it if that takes too long.

        :param limit: Seconds.
        :return: The exit code, or :data:`HANG`.
        """
        deadline = time.monotonic() + limit

        while not self.ended():
            if time.monotonic() > deadline:
                self.kill()
                self.result = HANG

            time.sleep(_POLL)

        assert self.result is not None
        return self.result

    def kill(self) -> None:
        """End it, and collect it."""
        if not self.ended():
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

            os.waitpid(self.pid, 0)
            self.result = -signal.SIGKILL


def fork(work: t.Callable[[], object], log: Path) -> Process:
    """Do something in a child. It ends where the work does.

    :param work: What to do.
    :param log: Where its output goes.
    """
    pid = os.fork()

    if pid:
        return Process(pid)

    code = 1

    try:
        _redirect(log)
        work()
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(bool(error.code))
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def upgrade(
    folder: Path, log: Path, *, typed: bool, point: str | None, file_limit: int | None
) -> Process:
    """Run ``flask db upgrade`` in an app's folder.

    :param folder: The folder.
    :param log: Where its output goes.
    :param typed: Whether to start an interpreter for it.
    :param point: At which statement it does what to itself.
    :param file_limit: The size of the largest file that it can write, in bytes.
    """

    def work() -> None:
        os.chdir(folder)
        os.environ |= {"FLASK_APP": "app", "PYTHONDONTWRITEBYTECODE": "1"}
        os.environ.pop("CHAOS_POINT", None)

        if point is not None:
            os.environ["CHAOS_POINT"] = point

        if file_limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit, file_limit))

        command = [sys.executable, "-m", "flask", "db", "upgrade"]
        os.execv(sys.executable, command) if typed else _in_process(folder)

    return fork(work, log)


def _in_process(folder: Path) -> None:
    from flask.cli import main

    sys.path.insert(0, str(folder))
    sys.argv = ["flask", "db", "upgrade"]
    main()


def _redirect(log: Path) -> None:
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
