"""Finds the tenants: in a list, from a function, in lines of text. None is connected
to.
"""

from __future__ import annotations

import typing as t
from dataclasses import replace

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError

from .errors import ConfigurationError
from .redaction import safe_url
from .redaction import shown_url
from .tenants import Tenant

if t.TYPE_CHECKING:
    from .tenants import Target

    Targets = Target | t.Iterable[Target] | t.Callable[[], t.Iterable[Target]]


def read_tenants(targets: Targets) -> list[Tenant]:
    """Bring tenants to their one form.

    :param targets: One, several of them, or a function that returns several.
    :return: The tenants, each with a name of its own.
    :raises ConfigurationError: If something is none, or two have one name.
    """
    found = targets() if callable(targets) else targets
    is_one = isinstance(found, (str, Tenant, sa.URL)) or hasattr(found, "dialect")
    items = [found] if is_one else t.cast("t.Iterable[Target]", found)

    if not isinstance(items, t.Iterable):
        raise _not_a_tenant(items)

    tenants = [_named(_tenant(item)) for item in items]
    _check_names(tenants)
    return tenants


def read_lines(lines: t.Iterable[str]) -> list[str]:
    """The tenants in a text.

    :param lines: A URL or a schema a line. Empty lines, and those that begin with
        ``#``, say nothing.
    :return: URLs and schemas.
    """
    stripped = (line.strip() for line in lines)
    return [line for line in stripped if line and not line.startswith("#")]


def _tenant(item: t.Any) -> Tenant:
    if isinstance(item, Tenant):
        tenant = item
    elif isinstance(item, sa.URL) or (isinstance(item, str) and "://" in item):
        tenant = Tenant(url=item)
    elif isinstance(item, str) and item:
        tenant = Tenant(schema=item)
    elif hasattr(item, "dialect"):
        tenant = Tenant(engine=item)
    else:
        raise _not_a_tenant(item)

    if tenant.url is not None and tenant.engine is not None:
        raise ConfigurationError(
            f"The tenant '{tenant.name}' has a URL and an engine.",
            hint="Give one of them.",
            key="tenants",
        )

    if isinstance(tenant.url, str):
        return replace(tenant, url=_url(tenant.url))

    return tenant


def _url(text: str) -> sa.URL:
    try:
        return sa.make_url(text)
    except (ArgumentError, ValueError):
        # What they say may hold the password.
        pass

    raise ConfigurationError(
        "The URL of a tenant can't be read.",
        hint="It looks like postgresql+psycopg://user:password@host/database.",
        key="tenants",
    )


def _named(tenant: Tenant) -> Tenant:
    return tenant if tenant.name else replace(tenant, name=_name(tenant))


def _name(tenant: Tenant) -> str:
    parts = [tenant.schema or ""]

    if isinstance(tenant.url, sa.URL):
        parts.insert(0, shown_url(tenant.url))
    elif tenant.own_engine is not None:
        parts.insert(0, safe_url(tenant.own_engine))

    schemas = (tenant.schema_translate_map or {}).values()
    return " ".join(filter(None, parts)) or ", ".join(map(str, schemas)) or "default"


def _check_names(tenants: t.Iterable[Tenant]) -> None:
    seen: set[str] = set()

    for tenant in tenants:
        if tenant.name in seen:
            raise ConfigurationError(
                f"There are two tenants '{tenant.name}'.",
                hint="Name each once, or give them names: Tenant(name=..., ...).",
                key="tenants",
                value=tenant.name,
            )

        seen.add(tenant.name)


def _not_a_tenant(item: object) -> ConfigurationError:
    # Its representation may hold a password.
    return ConfigurationError(
        f"A {type(item).__name__} is no tenant.",
        hint="Give URLs, names of schemas, engines, or Tenant(...).",
        key="tenants",
    )
