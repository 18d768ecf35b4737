"""The verbs for many tenants, as the extension has them."""

from __future__ import annotations

import typing as t
from concurrent.futures import Executor
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from ..errors import ConfigurationError
from ..fleet_reports import FleetProgress
from ..fleet_reports import FleetReport
from ..fleet_reports import FleetStatus
from ..fleet_reports import note_fleet
from ..fleet_reports import TenantResult
from ..fleet_reports import TenantStatus
from ..history import History
from .crew import Clock
from .crew import Crew
from .crew import usual_workers
from .fleet import Fleet
from .remote import errand_of
from .remote import status_there
from .remote import upgrade_there
from .status import tenant_status
from .telling import open_text
from .tenant_run import upgrade_tenant

if t.TYPE_CHECKING:
    from ..tenants import Tenant
    from .engines import Engines
    from .remote import AppReference
    from .remote import Errand

R = t.TypeVar("R")
Progress = t.Callable[[FleetProgress], object]


def upgrade_all(
    fleet: Fleet,
    tenants: t.Sequence[Tenant],
    *,
    executor: Executor | None,
    app: AppReference | None,
    workers: int | None,
    stop_on_error: bool,
    progress: Progress | None,
) -> FleetReport:
    """Upgrade tenants.

    :param fleet: What they have in common.
    :param tenants: The tenants.
    :param executor: Where they are worked on; ``None`` for threads.
    :param app: What makes the app in another process.
    :param workers: How many at a time.
    :param stop_on_error: Whether to begin no other after one failed.
    :param progress: Called when a tenant is over.
    :return: What became of each.
    """
    here, there = partial(upgrade_tenant, fleet), upgrade_there
    crew = _crew(fleet, tenants, here, there, executor, app, workers)
    clock = Clock(len(tenants))
    found: dict[str, TenantResult] = {}

    try:
        for tenant, result in crew.results(tenants):
            if isinstance(result, BaseException):
                result = _lost(result, fleet, tenant)

            found[tenant.name] = result

            if stop_on_error and result.state == "failed":
                crew.stop()

            if progress is not None:
                progress(_progress(result, found, clock))
    except BaseException as error:
        note_fleet(error, _report(tenants, found, clock))
        raise

    return _report(tenants, found, clock)


def status_all(
    fleet: Fleet,
    tenants: t.Sequence[Tenant],
    *,
    executor: Executor | None,
    app: AppReference | None,
    workers: int | None,
) -> FleetStatus:
    """Ask tenants where they are.

    :param fleet: What they have in common.
    :param tenants: The tenants.
    :param executor: Where they are worked on; ``None`` for threads.
    :param app: What makes the app in another process.
    :param workers: How many at a time.
    :return: Where each is.
    """
    here, there = partial(tenant_status, fleet), status_there
    crew = _crew(fleet, tenants, here, there, executor, app, workers)
    found: dict[str, TenantStatus] = {}

    for tenant, status in crew.results(tenants):
        if isinstance(status, BaseException):
            error = _lost(status, fleet, tenant).error
            status = TenantStatus(tenant.name, error=error)

        found[tenant.name] = status

    heads = History(fleet.alembic.script_directory).effective_heads
    statuses = tuple(found[tenant.name] for tenant in tenants)
    return FleetStatus(statuses, tuple(sorted(heads)))


def _crew(
    fleet: Fleet,
    tenants: t.Sequence[Tenant],
    here: t.Callable[[Tenant], R],
    there: t.Callable[[Errand, Tenant], R],
    executor: Executor | None,
    app: AppReference | None,
    workers: int | None,
) -> Crew[R]:
    count = _count(workers, fleet.engines, tenants)

    if executor is None or isinstance(executor, ThreadPoolExecutor):
        return Crew(here, executor, fleet.engines.limit(count, tenants))

    if app is None:
        raise ConfigurationError(
            "The workers of the executor don't know how to make the app.",
            hint="Give app='package.module:create_app', or a function that they can"
            " import.",
            key="app",
        )

    if named := [tenant.name for tenant in tenants if tenant.engine is not None]:
        raise ConfigurationError(
            f"The engine of the tenant '{named[0]}' can't go to another process.",
            hint="Give its URL.",
            key="tenants",
            value=named[0],
        )

    return Crew(partial(there, errand_of(fleet, app)), executor, count)


def _count(workers: int | None, engines: Engines, tenants: t.Iterable[Tenant]) -> int:
    if workers is None:
        return usual_workers(on_servers=engines.on_servers(tenants))

    if isinstance(workers, bool) or not isinstance(workers, int) or workers < 1:
        raise ConfigurationError(
            f"workers={workers!r} must be a whole number, 1 or more.",
            key="workers",
            value=workers,
        )

    return workers


def _lost(error: BaseException, fleet: Fleet, tenant: Tenant) -> TenantResult:
    """What is known of a tenant whose worker did not come back."""
    what = type(error).__name__
    text = f"The worker failed: {what}: {error}".rstrip(": ")
    usual = "Run the same again: it does what is left to be done."
    hint = getattr(error, "hint", None) or usual
    return TenantResult(
        tenant.name,
        "failed",
        error=open_text(text, fleet, tenant),
        error_type=what,
        hint=open_text(hint, fleet, tenant),
    )


def _progress(
    result: TenantResult, found: t.Mapping[str, TenantResult], clock: Clock
) -> FleetProgress:
    failed = sum(result.state == "failed" for result in found.values())
    return FleetProgress(
        result, len(found), failed, clock.total, clock.left(len(found))
    )


def _report(
    tenants: t.Iterable[Tenant], found: t.Mapping[str, TenantResult], clock: Clock
) -> FleetReport:
    results = (
        found.get(tenant.name) or TenantResult(tenant.name, "not tried")
        for tenant in tenants
    )
    return FleetReport(tuple(results), clock.seconds)
