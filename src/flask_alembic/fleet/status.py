"""Where one tenant is. Nothing is changed."""

from __future__ import annotations

import typing as t

from ..fleet_reports import TenantStatus
from ..history import History
from ..version_table import read_heads
from .telling import tell

if t.TYPE_CHECKING:
    from ..tenants import Tenant
    from .fleet import Fleet


def tenant_status(fleet: Fleet, tenant: Tenant) -> TenantStatus:
    """Ask a tenant where it is.

    :param fleet: What it has in common with the others.
    :param tenant: The tenant.
    :return: Where it is. An error is told in there, not raised.
    """
    try:
        with fleet.entered(tenant):
            context = fleet.alembic.migration_contexts[fleet.name]
            heads = tuple(sorted(read_heads(context, tenant.name)))
            unknown = History(fleet.alembic.script_directory).unknown(heads)
    except Exception as error:
        return TenantStatus(tenant.name, error=tell(error, fleet, tenant)["error"])

    return TenantStatus(tenant.name, heads, unknown)
