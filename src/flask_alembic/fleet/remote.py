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

from flask import Flask

from ..arguments import as_strings
from ..errors import ConfigurationError

if t.TYPE_CHECKING:
    from ..extension import Alembic
    from ..fleet_reports import TenantResult
    from ..fleet_reports import TenantStatus
    from ..tenants import Tenant
    from .fleet import Fleet

    AppReference = str | t.Callable[[], Flask]


@dataclass(frozen=True)
class Errand:
    """What a worker gets, besides the tenant."""

    app: AppReference
    target: list[str]
    options: dict[str, t.Any]
    """What the caller asks for besides, for :meth:`.Alembic.using`."""
    heads: tuple[str, ...]
    """The ids of the newest revisions, where this comes from."""
    id: str = field(default_factory=lambda: uuid.uuid4().hex)


def errand_of(fleet: Fleet, app: AppReference) -> Errand:
    """Make an errand that can be pickled.

    :param fleet: What the tenants have in common.
    :param app: What makes the app in another process.
    :return: The errand.
    """
    options = fleet.job.options
    run = {key: options.run.get(key) for key in ("lock", "lock_timeout")}
    given = {"x": options.x, "tag": options.tag, "wait": options.wait, **run}
    return Errand(
        app,
        as_strings(fleet.job.target),
        {"databases": fleet.name, **given},
        _heads(fleet.alembic),
    )


def upgrade_there(errand: Errand, tenant: Tenant) -> TenantResult:
    """Upgrade a tenant, in the process of a worker.

    :param errand: What the worker got.
    :param tenant: The tenant.
    :return: What became of it.
    """
    with _at_work(errand) as alembic:
        report = alembic.upgrade_all([tenant], errand.target, workers=1)

    return report.tenants[0]


def status_there(errand: Errand, tenant: Tenant) -> TenantStatus:
    """Ask a tenant where it is, in the process of a worker.

    :param errand: What the worker got.
    :param tenant: The tenant.
    :return: Where it is.
    """
    with _at_work(errand) as alembic:
        return alembic.status_all([tenant], workers=1).tenants[0]


@contextmanager
def _at_work(errand: Errand) -> t.Iterator[Alembic]:
    app = _process.app(errand)

    with app.app_context():
        alembic: Alembic = app.extensions["alembic"]
        _check_heads(alembic, errand)

        with alembic.using(**errand.options):
            yield alembic


class _Process:
    """The app of a worker process. It is made once for all tenants of an errand, as it
    knows which revisions have run.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._id = ""
        self._app: Flask | None = None

    def app(self, errand: Errand) -> Flask:
        """The app of an errand.

        :param errand: The errand.
        """
        with self._lock:
            if self._app is None or self._id != errand.id:
                self._app, self._id = _load(errand.app), errand.id

            return self._app


_process: t.Final = _Process()


def _heads(alembic: Alembic) -> tuple[str, ...]:
    return tuple(sorted(alembic.script_directory.get_heads()))


def _check_heads(alembic: Alembic, errand: Errand) -> None:
    heads = _heads(alembic)

    if heads != errand.heads:
        raise ConfigurationError(
            "A worker has other revisions: its newest are"
            f" {', '.join(heads) or 'none'}, and here they are"
            f" {', '.join(errand.heads) or 'none'}.",
            hint="Deploy the same code to all workers, and start them again.",
            key="executor",
        )


def _load(reference: AppReference) -> Flask:
    if not isinstance(reference, str):
        return reference()

    module, _, name = reference.partition(":")
    found: t.Any = importlib.import_module(module)

    for part in (name or "app").split("."):
        found = getattr(found, part)

    return t.cast(Flask, found if isinstance(found, Flask) else found())
