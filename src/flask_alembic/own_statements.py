"""Statements of ours, which run amid those of a revision and are not of it."""

from __future__ import annotations

import typing as t

OWN: t.Final = "flask_alembic_own"
"""The execution option that marks one."""

SKIPPED: t.Final = "/* done before */"
"""What stands in one that is run instead of one that was done before."""


def is_own(context: t.Any) -> bool:
    """Whether a statement is ours.

    :param context: The execution context that SQLAlchemy's events get.
    :return: ``True`` if it is.
    """
    options = getattr(context, "execution_options", None) or {}
    return bool(options.get(OWN))
