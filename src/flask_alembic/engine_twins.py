"""An engine like another one, whose connections come from somewhere else."""

from __future__ import annotations

import typing as t

import sqlalchemy as sa


class _OwnPool:
    """An engine with execution options hands its pool on to the engine that it was made
    of, were it not for this.
    """

    pool: t.Any = None


def twin_of(engine: sa.Engine, pool: sa.Pool, **changed: t.Any) -> sa.Engine:
    """An engine with the same options and event hooks.

    :param engine: Any engine.
    :param pool: Where the connections of the other one come from.
    :param changed: Other attributes that differ.
    :return: The other one.
    """
    kind: type[sa.Engine] = type("Engine", (_OwnPool, type(engine)), {})
    twin = kind.__new__(kind)
    vars(twin).update(vars(engine), pool=pool, **changed)
    return twin
