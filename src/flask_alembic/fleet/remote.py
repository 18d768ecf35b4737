"""What is done to a tenant in another process, perhaps on another machine: all that it
needs goes there, and a report comes back.
"""

from __future__ import annotations

import importlib
import threading
import typing as t
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from dataclasses import field
from functools import partial

from flask import Flask

from ..errors import ConfigurationError
from .fleet import Fleet
from .fleet import Job

if t.TYPE_CHECKING:
    from ..tenants import Tenant

AppReference = str | t.Callable[[], Flask]

R = t.TypeVar("R")


@dataclass(frozen=True)
class Errand(t.Generic[R]):
    """What a worker gets, besides the tenant."""

    work: t.Callable[[Fleet, Tenant], R]
    app: AppReference
    job: Job
    heads: tuple[str, ...]
    """The ids of the newest revisions, where this comes from."""
    id: str = field(default_factory=lambda: uuid.uuid4().hex)


def remote_work(
    work: t.Callable[[Fleet, Tenant], R],
    app: AppReference,
    job: Job,
    heads: tuple[str, ...],
) -> t.Callable[[Tenant], R]:
    """Make what is sent to the workers.

    :param work: A function of a module.
    :param app: What makes the app there.
    :param job: What is asked for.
    :param heads: The ids of the newest revisions.
    :return: A function that can be pickled.
    """
    return partial(_run, Errand(work, app, job, heads))


def _run(errand: Errand[R], tenant: Tenant) -> R:
    with _process.fleet(errand) as fleet:
        return errand.work(fleet, tenant)


class _Process:
    """The fleet that a worker process is at work on. Its threads share it, and all
    tenants that come to it, so that revisions run once a process.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._id = ""
        self._fleet: Fleet | None = None
        self._users = 0

    @contextmanager
    def fleet(self, errand: Errand[t.Any]) -> t.Iterator[Fleet]:
        """The fleet of an errand. No connection stays open when nobody works on it.

        :param errand: The errand.
        """
        with self._lock:
            if self._fleet is None or self._id != errand.id:
                self._fleet, self._id, self._users = _make_fleet(errand), errand.id, 0

            fleet = self._fleet
            self._users += 1

        try:
            yield fleet
        finally:
            with self._lock:
                self._users -= 1

                if not self._users:
                    fleet.close()


_process: t.Final = _Process()


def _make_fleet(errand: Errand[t.Any]) -> Fleet:
    app = _load(errand.app)

    with app.app_context():
        alembic = app.extensions["alembic"]
        fleet = Fleet(alembic, app, alembic._environment(), errand.job)
        heads = tuple(sorted(alembic.script_directory.get_heads()))

    if heads != errand.heads:
        raise ConfigurationError(
            "A worker has other revisions: its newest are"
            f" {', '.join(heads) or 'none'}, and here they are"
            f" {', '.join(errand.heads) or 'none'}.",
            hint="Deploy the same code to all workers, and start them again.",
            key="executor",
        )

    return fleet


def _load(reference: AppReference) -> Flask:
    if not isinstance(reference, str):
        return reference()

    module, _, name = reference.partition(":")
    found = importlib.import_module(module)

    for part in (name or "app").split("."):
        found = getattr(found, part)

    app: t.Any = found
    return app if isinstance(app, Flask) else t.cast(Flask, app())
