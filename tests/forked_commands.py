"""Runs ``flask``, ``alembic`` and ``python`` commands, each in a process of its own
that has what every command imports: there are hundreds of them in the tests, and
importing takes longer than what most of them do.

A line on stdin is a request, and one on stdout the answer: the id of a process that was
started, or the exit code of one that was waited for.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import runpy
import sys
import time
import traceback
import typing as t
import warnings
from pathlib import Path
from pkgutil import walk_packages

import alembic.config
from flask import cli

import flask_alembic

IMPORTED: t.Final = (
    *(name for _, name, _ in walk_packages(flask_alembic.__path__, "flask_alembic.")),
    "alembic.autogenerate",
    "alembic.op",
    "asyncpg",
    "flask_migrate",
    "flask_sqlalchemy",
    "flask_sqlalchemy_lite",
    "sqlalchemy.dialects.mysql.pymysql",
    "sqlalchemy.dialects.postgresql.psycopg",
    "sqlalchemy.dialects.sqlite.pysqlite",
    "sqlalchemy.ext.asyncio",
    "psycopg",
    "pymysql",
)


POLL: t.Final = 0.002  # seconds


@t.final
class Command(t.TypedDict):
    """What is to be run."""

    arguments: list[str]
    folder: str
    environment: dict[str, str]
    output: str
    errors: str
    later: int


@t.final
class Wait(t.TypedDict):
    """Which process is to be waited for, and how many seconds at most."""

    pid: int
    seconds: float


def main() -> None:
    """Answer requests, until there are no more."""
    for name in IMPORTED:
        importlib.import_module(name)

    gc.freeze()

    for line in sys.stdin:
        request: Command | Wait = json.loads(line)
        answer = wait(request) if "pid" in request else start(request)
        sys.stdout.write(f"{json.dumps(answer)}\n")


def start(command: Command) -> int:
    """Start a process: its id."""
    if pid := os.fork():
        return pid

    move_clock(command["later"])
    run(command)


def wait(request: Wait) -> int | None:
    """Wait for a process: its exit code, or that of the signal that killed it."""
    end = time.monotonic() + request["seconds"]

    while time.monotonic() < end:
        pid, status = os.waitpid(request["pid"], os.WNOHANG)

        if pid:
            return os.waitstatus_to_exitcode(status)

        time.sleep(POLL)

    return None


def move_clock(seconds: float) -> None:
    """Let this process live later than it does."""
    real_time = time.time
    time.time = lambda: real_time() + seconds


def run(command: Command) -> t.NoReturn:
    """Be the process that was asked for."""
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    redirect(command)
    os.chdir(command["folder"])
    os.environ.clear()
    os.environ.update(command["environment"])
    sys.dont_write_bytecode = "PYTHONDONTWRITEBYTECODE" in os.environ
    sys.argv = command["arguments"]

    try:
        program()
    except SystemExit as error:
        code = exit_code(error)
    except BaseException:
        traceback.print_exc()
        code = 1
    else:
        code = 0

    sys.stdout.flush()
    sys.stderr.flush()
    # Taking the interpreter down would take longer than all the rest.
    os._exit(code)


def redirect(command: Command) -> None:
    """Write where it was asked for. Both may be one file."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND
    output = os.open(command["output"], flags)
    os.dup2(output, 1)
    is_one = command["errors"] == command["output"]
    os.dup2(output if is_one else os.open(command["errors"], flags), 2)


def exit_code(error: SystemExit) -> int:
    """What Python makes of it: a text is printed, and is an error."""
    if isinstance(error.code, str):
        sys.stderr.write(f"{error.code}\n")

    return error.code if isinstance(error.code, int) else int(bool(error.code))


def program() -> None:
    """Run the program that ``sys.argv`` begins with."""
    # What stands first is the folder of this file.
    own = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    sys.path[:1] = filter(None, own)

    match sys.argv:
        case ["flask", *_]:
            cli.main()
        case ["alembic", *_]:
            alembic.config.main()
        case ["python", *_]:
            sys.argv.pop(0)
            python()
        case _:
            raise NotImplementedError(sys.argv[0])


def python() -> None:
    """Do with ``sys.argv`` what Python does with its arguments."""
    if sys.argv[0] == "-W":
        warnings.simplefilter(t.cast(t.Literal["error"], sys.argv[1]))
        del sys.argv[:2]

    match sys.argv:
        case ["-c", code, *_]:
            del sys.argv[1]
            sys.path.insert(0, "")
            main_module = sys.modules["__main__"] = type(sys)("__main__")
            exec(compile(code, "<string>", "exec"), main_module.__dict__)
        case ["-m", name, *_]:
            del sys.argv[0]
            sys.path.insert(0, os.getcwd())
            runpy.run_module(name, run_name="__main__", alter_sys=True)
        case [script, *_]:
            sys.path.insert(0, str(Path(script).absolute().parent))
            runpy.run_path(script, run_name="__main__")


if __name__ == "__main__":
    main()
