"""What methods return that work on many tenants."""

from __future__ import annotations

import typing as t
from collections import Counter
from dataclasses import dataclass

if t.TYPE_CHECKING:
    from .reports import AppliedStep

TenantState = t.Literal["done", "already there", "failed", "not tried"]

STATES: t.Final[tuple[TenantState, ...]] = t.get_args(TenantState)


@dataclass(frozen=True)
class TenantResult:
    """What became of one tenant.

    .. versionadded:: 4.0
    """

    tenant: str
    """Its name."""

    state: TenantState
    """``"done"``, ``"already there"``, ``"failed"`` or ``"not tried"``."""

    steps: tuple[AppliedStep, ...] = ()
    """What was applied, also before a failure."""

    replayed: int = 0
    """How many of these steps were replayed: executed as another tenant had executed
    them, without running the revision."""

    seconds: float = 0.0
    """How long it took."""

    error: str | None = None
    """What went wrong, without passwords."""

    error_type: str | None = None
    """The name of the class of the error."""

    hint: str | None = None
    """What can be done about it."""

    is_locked: bool = False
    """Whether it failed only because another run, or a table, was in the way for too
    long."""


@dataclass(frozen=True)
class FleetReport:
    """What :meth:`.Alembic.upgrade_all` did.

    .. versionadded:: 4.0
    """

    tenants: tuple[TenantResult, ...] = ()
    """One entry a tenant, in the order they were given."""

    seconds: float = 0.0
    """How long it took."""

    @property
    def ok(self) -> bool:
        """Whether all tenants are where they should be."""
        return not self.count("failed") and not self.count("not tried")

    @property
    def only_locked(self) -> bool:
        """Whether all that failed did so because something was locked: the same call
        again may do it.
        """
        failed = [result for result in self.tenants if result.state == "failed"]
        return bool(failed) and all(result.is_locked for result in failed)

    def count(self, state: TenantState) -> int:
        """How many tenants are in a state.

        :param state: The state.
        :return: Their number.
        """
        return sum(result.state == state for result in self.tenants)


@dataclass(frozen=True)
class FleetProgress:
    """How far :meth:`.Alembic.upgrade_all` is, when a tenant is over.

    .. versionadded:: 4.0
    """

    result: TenantResult
    """What became of that tenant."""

    tried: int
    """How many tenants are over."""

    failed: int
    """How many of them failed."""

    total: int
    """How many there are."""

    seconds_left: float
    """How long the others will take, if they are as quick as those so far."""


@dataclass(frozen=True)
class TenantStatus:
    """Where one tenant is.

    .. versionadded:: 4.0
    """

    tenant: str
    """Its name."""

    revisions: tuple[str, ...] = ()
    """The ids in its version table, sorted."""

    unknown: tuple[str, ...] = ()
    """Those of them that no file has."""

    error: str | None = None
    """Why that can't be told, without passwords."""


@dataclass(frozen=True)
class FleetStatus:
    """Where the tenants are, as :meth:`.Alembic.status_all` found them.

    .. versionadded:: 4.0
    """

    tenants: tuple[TenantStatus, ...] = ()
    """One entry a tenant, in the order they were given."""

    heads: tuple[str, ...] = ()
    """The ids that a tenant is at after an upgrade, sorted."""

    @property
    def ok(self) -> bool:
        """Whether all tenants are at head."""
        return all(
            tenant.error is None and tenant.revisions == self.heads
            for tenant in self.tenants
        )

    @property
    def by_revision(self) -> dict[tuple[str, ...], int]:
        """Ids to the number of tenants that are at them, the most first."""
        found = (tenant for tenant in self.tenants if tenant.error is None)
        return dict(Counter(tenant.revisions for tenant in found).most_common())

    @property
    def failed(self) -> tuple[TenantStatus, ...]:
        """The tenants that could not be asked."""
        return tuple(tenant for tenant in self.tenants if tenant.error is not None)


_FLEET: t.Final = "flask_alembic_fleet"


def note_fleet(error: BaseException, report: FleetReport) -> None:
    """Note on an exception what became of the tenants before it.

    :param error: Such as a ``KeyboardInterrupt``.
    :param report: What is known.
    """
    vars(error)[_FLEET] = report


def fleet_report_of(error: BaseException) -> FleetReport | None:
    """What became of the tenants before an exception.

    :param error: Any exception.
    :return: The report, or ``None`` if there were no tenants.
    """
    found: FleetReport | None = vars(error).get(_FLEET)
    return found
