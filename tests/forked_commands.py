"""Runs ``flask``, ``alembic`` and ``python`` commands, each in a process of its own
that has what every command imports: there are hundreds of them in the tests, and
importing takes longer than what most of them do.

A line on stdin is a request, and the answer on stdout is the exit code.
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
    "alembic.op",
    "flask_migrate",
    "flask_sqlalchemy",
    "flask_sqlalchemy_lite",
    "sqlalchemy.dialects.mysql.pymysql",
    "sqlalchemy.dialects.postgresql.psycopg",
    "sqlalchemy.dialects.sqlite.pysqlite",
    "psycopg",
    "pymysql",
)


class Request(t.TypedDict):
    """What is to be run."""

    arguments: list[str]
    folder: str
    environment: dict[str, str]
    output: str
    errors: str
    later: int


def main() -> None:
    """Answer requests, until there are no more."""
    for name in IMPORTED:
        importlib.import_module(name)

    gc.freeze()

    for line in sys.stdin:
        request: Request = json.loads(line)
        process = os.fork()

        if not process:
            move_clock(request["later"])
            run(request)

        _, status = os.waitpid(process, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")


def move_clock(seconds: float) -> None:
    """Let this process live later than it does."""
    real_time = time.time
    time.time = lambda: real_time() + seconds


def run(request: Request) -> t.NoReturn:
    """Be the process that was asked for."""
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    redirect(request)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.dont_write_bytecode = "PYTHONDONTWRITEBYTECODE" in os.environ
    sys.argv = request["arguments"]

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


def redirect(request: Request) -> None:
    """Write where it was asked for. Both may be one file."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND
    output = os.open(request["output"], flags)
    os.dup2(output, 1)
    is_one = request["errors"] == request["output"]
    os.dup2(output if is_one else os.open(request["errors"], flags), 2)


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
