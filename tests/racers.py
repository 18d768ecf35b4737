"""Processes that run ``flask db`` at once. They are forked from one that has imported
everything, so that they start at the same time.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import typing as t
from dataclasses import dataclass
from pathlib import Path

LONG: t.Final = 60
"""Seconds after which a process is thought to hang. Nothing waits so long."""

_PROGRAM: t.Final = """
import json, os, sys, traceback
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.ext.asyncio import create_async_engine
from flask_alembic import Alembic
import alembic.context, alembic.op, alembic.autogenerate
import flask_alembic.cli.run, flask_alembic.extension, flask_alembic.runner
import flask_alembic.operations.upgrade, flask_alembic.environment
import asyncpg, psycopg, pymysql


def race(root, url, args, output, engine, config):
    app = Flask("app", root_path=root)
    app.config.update(config)
    is_async = "asyncpg" in url
    made = (create_async_engine if is_async else sa.create_engine)(url, **engine)
    Alembic(app, metadatas=sa.MetaData(), engines=made)
    result = app.test_cli_runner().invoke(args=["db", *args])
    text = result.output
    if result.exception and not isinstance(result.exception, SystemExit):
        text += "".join(traceback.format_exception(result.exception))
    with open(output, "w") as file:
        file.write(text)
    return result.exit_code


for line in sys.stdin:
    pid = os.fork()
    if not pid:
        code = 70
        try:
            code = race(**json.loads(line))
        finally:
            sys.stdout.flush()
            os._exit(code)
    print(pid, flush=True)

while True:
    try:
        pid, status = os.wait()
    except ChildProcessError:
        break
    print(pid, os.waitstatus_to_exitcode(status), flush=True)
"""


@dataclass
class Racer:
    """One process."""

    pid: int
    output: Path
    code: int | None = None

    @property
    def text(self) -> str:
        """What it printed."""
        return self.output.read_text() if self.output.exists() else ""

    def send(self, number: signal.Signals) -> None:
        """Send a signal to it."""
        os.kill(self.pid, number)


class Race:
    """Starts processes, and waits for all of them at the end.

    :param folder: Where what they print goes to.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.racers: list[Racer] = []
        self._process = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", _PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Race:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.returncode is None:
            for racer in self.racers:
                racer.send(signal.SIGKILL)

            self._process.communicate()

    def start(
        self,
        root: str,
        url: str,
        *args: str,
        engine: t.Mapping[str, t.Any] | None = None,
        **config: t.Any,
    ) -> Racer:
        """Start ``flask db`` with arguments."""
        output = self.folder / f"racer{len(self.racers)}.txt"
        request = {
            "root": root,
            "url": url,
            "args": args or ("upgrade",),
            "output": str(output),
            "engine": engine or {},
            "config": config,
        }
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{json.dumps(request)}\n")
        self._process.stdin.flush()
        racer = Racer(int(self._process.stdout.readline()), output)
        self.racers.append(racer)
        return racer

    def finish(self) -> list[Racer]:
        """Wait for all: the processes, with their exit codes."""
        out, _ = self._process.communicate(timeout=LONG)
        pairs = [line.split() for line in out.splitlines()]
        codes = {int(pid): int(code) for pid, code in pairs}

        for racer in self.racers:
            racer.code = codes[racer.pid]

        return self.racers


def wait_for(path: Path) -> None:
    """Wait until a file is there."""
    end = time.monotonic() + LONG

    while not path.exists():
        assert time.monotonic() < end, f"{path} did not come"
        time.sleep(0.01)
