"""Runs ``flask`` and ``python`` commands, each in a process of its own that has what
every command imports: the documentation has a hundred of them.

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
from pkgutil import walk_packages

from flask import cli

import flask_alembic

IMPORTED: t.Final = (
    *(name for _, name, _ in walk_packages(flask_alembic.__path__, "flask_alembic.")),
    "alembic.op",
    "flask_sqlalchemy",
    "flask_sqlalchemy_lite",
    "sqlalchemy.dialects.mysql.pymysql",
    "sqlalchemy.dialects.sqlite.pysqlite",
)


class Request(t.TypedDict):
    """What is to be run."""

    arguments: list[str]
    folder: str
    environment: dict[str, str]
    output: str


def main() -> None:
    """Answer requests, until there are no more."""
    # A page shows what is in a folder without what Python keeps there.
    sys.dont_write_bytecode = True

    for name in IMPORTED:
        importlib.import_module(name)

    gc.freeze()

    for number, line in enumerate(sys.stdin):
        request: Request = json.loads(line)
        process = os.fork()

        if not process:
            # Ids are made of the time, in seconds: a person does not type so fast.
            move_clock(number * 10)
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
    output = os.open(request["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.argv = request["arguments"]

    try:
        if sys.argv[0] == "flask":
            cli.main()
        else:
            sys.argv.pop(0)
            sys.path[0] = request["folder"]
            runpy.run_path(sys.argv[0], run_name="__main__")
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(bool(error.code))
    except Exception:
        traceback.print_exc()
        code = 1
    else:
        code = 0

    # Taking the interpreter down would take longer than all the rest.
    os._exit(code)


if __name__ == "__main__":
    main()
