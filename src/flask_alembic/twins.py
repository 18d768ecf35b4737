"""An engine like another one, whose connections come from somewhere else."""

from __future__ import annotations

import typing as t

import sqlalchemy as sa


class _OwnPool:
    """An engine with execution options hands its pool on to the engine that it was made
    of, were it not for this.
    """

    pool: t.Any = None


def twin_engine(engine: sa.Engine, pool: sa.Pool, **changed: t.Any) -> sa.Engine:
    """An engine with the same options and event hooks.

    :param engine: Any engine.
    :param pool: Where the connections of the other one come from.
    :param changed: Other attributes that differ.
    :return: The other one.
    """
    kind = type(engine)

    # It may be a twin itself.
    if not issubclass(kind, _OwnPool):
        kind = type("Engine", (_OwnPool, kind), {})

    twin = kind.__new__(kind)
    vars(twin).update(vars(engine), pool=pool, **changed)
    return twin
