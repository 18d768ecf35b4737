"""Processes that run ``flask db`` at once. They are forked from one that has imported
everything, so that they start at the same time.
"""

from __future__ import annotations

import json
import os
import signal
import time
import typing as t
from dataclasses import dataclass
from pathlib import Path

from commands import command_server

LONG: t.Final = 60
"""Seconds after which a process is thought to hang. Nothing waits so long."""

_PROGRAM: t.Final = """
import json, sys, traceback
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.ext.asyncio import create_async_engine
from flask_alembic import Alembic


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


sys.exit(race(**json.loads(sys.argv[1])))
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

    def __enter__(self) -> Race:
        return self

    def __exit__(self, *_: object) -> None:
        for racer in self._running():
            racer.send(signal.SIGKILL)

        self.finish()

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
        pid = command_server().start(
            ["python", "-W", "error", "-c", _PROGRAM, json.dumps(request)],
            self.folder,
            os.environ,
            output.with_suffix(".errors"),
        )
        self.racers.append(Racer(pid, output))
        return self.racers[-1]

    def finish(self) -> list[Racer]:
        """Wait for all: the processes, with their exit codes."""
        for racer in self._running():
            racer.code = command_server().wait(racer.pid)

        return self.racers

    def _running(self) -> list[Racer]:
        return [racer for racer in self.racers if racer.code is None]


def wait_for(path: Path) -> None:
    """Wait until a file is there."""
    end = time.monotonic() + LONG

    while not path.exists():
        assert time.monotonic() < end, f"{path} did not come"
        time.sleep(0.01)
