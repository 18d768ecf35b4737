"""What is told of an error of one tenant: no exception, as it has to come back from
another process, and no password.
"""

from __future__ import annotations

import re
import typing as t

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from ..descriptions import describe
from ..errors import FlaskAlembicError
from ..redaction import redact
from ..redaction import redact_url

if t.TYPE_CHECKING:
    from ..tenants import Tenant
    from .fleet import Fleet

_LOCKED: t.Final = 3
"""The exit code of errors that pass when others are done."""


def tell(error: Exception, fleet: Fleet, tenant: Tenant) -> dict[str, t.Any]:
    """Tell of an error.

    :param error: What was raised.
    :param fleet: The tenants.
    :param tenant: The tenant that it was raised for.
    :return: Values for its result.
    """
    hint = getattr(error, "hint", None)
    return {
        "error": _of_tenant(_message(error), fleet, tenant),
        "error_type": type(error).__name__,
        "hint": hint and _of_tenant(hint, fleet, tenant),
        "is_locked": getattr(error, "exit_code", None) == _LOCKED,
    }


def _of_tenant(text: str, fleet: Fleet, tenant: Tenant) -> str:
    """A text that may be shown, and names the tenant in the place of the database that
    it stands in for.
    """
    pattern = rf"\b([Tt]he) database '{re.escape(fleet.name)}'"
    named = re.sub(pattern, lambda found: f"{found[1]} tenant '{tenant.name}'", text)
    return open_text(named, fleet, tenant)


def open_text(text: str, fleet: Fleet, tenant: Tenant) -> str:
    """A text that may be shown.

    :param text: Such as the message of an error.
    :param fleet: The tenants.
    :param tenant: The tenant.
    :return: The text, without the passwords of the tenant and of the app.
    """
    for database in fleet.databases.values():
        text = redact(text, database.engine)

    if isinstance(tenant.url, sa.URL):
        text = redact_url(text, tenant.url)

    if tenant.own_engine is not None:
        text = redact(text, tenant.own_engine)

    return text


def _message(error: Exception) -> str:
    if isinstance(error, DBAPIError) and not isinstance(error, FlaskAlembicError):
        return describe(error)

    return str(error) or type(error).__name__
