"""What the user gives to the template of new revisions, besides what Alembic gives."""

from __future__ import annotations

import typing as t

from ..option_values import config_error
from .facade import Facade

# What Alembic gives to every template.
_TEMPLATE_NAMES: t.Final = frozenset(
    {
        "branch_labels",
        "comma",
        "config",
        "create_date",
        "depends_on",
        "down_revision",
        "message",
        "up_revision",
    }
)


def template_args(alembic: Facade) -> dict[str, t.Any]:
    """What the user gives to the template.

    :param alembic: The extension.
    :return: Name to value, of ``ALEMBIC_CONTEXT["template_args"]``.
    :raises ConfigurationError: If it is no dict, or has a name that Alembic uses.
    """
    given = alembic.settings.context.get("template_args") or {}

    if not isinstance(given, t.Mapping) or not _TEMPLATE_NAMES.isdisjoint(given):
        problem = "must be a dict, without Alembic's own names in it"
        raise config_error("template_args", given, problem, section="ALEMBIC_CONTEXT")

    return dict(given)
