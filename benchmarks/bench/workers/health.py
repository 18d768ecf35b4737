"""Calls ``needs_upgrade()`` in requests, as a health check does, in turns with a
``SELECT`` on a connection of the same pool.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import typing as t
from statistics import median

import sqlalchemy as sa
from flask import Flask

from bench.workers.answers import answer
from bench.workers.answers import Found
from bench.workers.answers import Task
from bench.workers.answers import timed
from flask_alembic import Alembic

THREADS: t.Final = 8
PATIENCE: t.Final = 10
"""Seconds after which threads count as hanging."""

Call = t.Callable[[], t.Any]


class Counters:
    """What is counted while calls are made.

    :param engine: The engine whose connections and statements count.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self.files = 0
        self.connections = 0
        self.statements = 0
        sys.addaudithook(self._see)
        sa.event.listen(engine, "connect", self._connect)
        sa.event.listen(engine, "before_cursor_execute", self._execute)

    def _see(self, event: str, arguments: object) -> None:
        self.files += event == "open"

    def _connect(self, *_: object) -> None:
        self.connections += 1

    def _execute(self, *_: object) -> None:
        self.statements += 1


class Service:
    """An app with the extension.

    :param task: What the worker was told.
    """

    def __init__(self, task: Task) -> None:
        self.engine = sa.create_engine(task["url"])
        # The extension may leave the pool of the app empty.
        self.other = sa.create_engine(task["url"])
        self.task = task
        self.app, self.extension = self.make_app()
        self.environ = {
            "REQUEST_METHOD": "GET",
            "PATH_INFO": "/health",
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "wsgi.url_scheme": "http",
        }

    def make_app(self) -> tuple[Flask, Alembic]:
        """A new app on the same engine."""
        app = Flask(__name__)
        app.config["ALEMBIC"] = {"script_location": self.task["migrations"]}
        extension = Alembic(
            app, metadatas=sa.MetaData(), engines=self.engine, run_mkdir=False
        )
        return app, extension

    def select(self) -> t.Any:
        """Read the version as simply as it can be done, in a request."""
        with self.app.request_context(self.environ), self.other.connect() as used:
            return used.scalar(sa.text("SELECT version_num FROM alembic_version"))

    def check(self) -> bool:
        """Call ``needs_upgrade()`` in a request."""
        with self.app.request_context(self.environ):
            return self.extension.needs_upgrade()


def measure(task: Task) -> Found:
    """Call it for the first time, then often; or in threads.

    :param task: ``url``, ``migrations``, ``calls`` (how many), ``threads`` (whether to
        use any).
    """
    service = Service(task)

    if task["threads"]:
        answer, found = timed(lambda: _in_threads(service.check, task["calls"]))
        return {**found, "threads": answer}

    # Both pools have a connection then.
    service.select()
    service.engine.connect().close()
    wrong, first = timed(service.check)
    service.app, service.extension = service.make_app()
    _, second = timed(service.check)
    found = {"wrong": wrong, "first": first, "second": second}
    return found | _warm(service, task["calls"])


def _warm(service: Service, calls: int) -> Found:
    """Call both in turns: the median of what each took, and what was opened."""
    for _ in range(3):
        service.select()
        service.check()

    selects: list[tuple[float, float]] = []
    checks: list[tuple[float, float]] = []

    for _ in range(calls):
        selects.append(_took(service.select))
        checks.append(_took(service.check))

    return {
        "wall": median(wall for wall, _ in checks),
        "cpu": median(cpu for _, cpu in checks),
        "select": {
            "wall": median(wall for wall, _ in selects),
            "cpu": median(cpu for _, cpu in selects),
        },
        **_counted(service, calls),
    }


def _counted(service: Service, calls: int) -> Found:
    """What is opened and executed. Apart from what is timed, as counting takes time."""
    counters = Counters(service.engine)

    for _ in range(calls):
        service.check()

    return {
        "files": counters.files,
        "connections": counters.connections,
        "statements": counters.statements,
    }


def _took(call: Call) -> tuple[float, float]:
    _, took = timed(call)
    return took["wall"], took["cpu"]


def _in_threads(call: Call, calls: int) -> str:
    """Call it in several threads: ``ok``, or what went wrong."""
    wrong: list[str] = []

    def work() -> None:
        for _ in range(calls):
            try:
                if call():
                    wrong.append("a wrong answer")
            except Exception as error:
                wrong.append(type(error).__name__)

    threads = [threading.Thread(target=work, daemon=True) for _ in range(THREADS)]
    deadline = time.monotonic() + PATIENCE

    # Where even this thread hangs, the signal ends the process.
    signal.alarm(3 * PATIENCE)

    for thread in threads:
        thread.start()

    for thread in threads:
        thread.join(max(0, deadline - time.monotonic()))

    if any(thread.is_alive() for thread in threads):
        return f"not done after {PATIENCE} s"

    return f"{len(wrong)} times {wrong[0]}" if wrong else "ok"


if __name__ == "__main__":
    answer(measure)
    # Threads that hang would keep the process from ending.
    os._exit(0)
