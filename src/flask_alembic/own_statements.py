"""Statements of ours, which run amid those of a revision and are not of it."""

from __future__ import annotations

import typing as t
from contextlib import contextmanager
from contextvars import ContextVar

_is_own: t.Final = ContextVar("flask_alembic_own", default=False)

_DOUBLING: t.Final = frozenset({"format", "pyformat"})

SKIPPED: t.Final = "/* done before */"
"""What stands in one that is run instead of one that was done before."""


@contextmanager
def own() -> t.Iterator[None]:
    """What is executed meanwhile is ours, also what an inspector asks."""
    token = _is_own.set(True)

    try:
        yield
    finally:
        _is_own.reset(token)


def is_own() -> bool:
    """Whether a statement is ours, for what listens to SQLAlchemy's events.

    :return: ``True`` if it is.
    """
    return _is_own.get()


def plain_text(statement: str, context: t.Any) -> str:
    """A statement as the server gets it.

    :param statement: The statement, as SQLAlchemy gives it to the driver.
    :param context: The execution context that SQLAlchemy's events get.
    :return: The same, without the percent signs that are doubled for some drivers.
    """
    is_doubled = context.compiled is not None
    style = context.dialect.paramstyle
    return (
        statement.replace("%%", "%") if is_doubled and style in _DOUBLING else statement
    )
