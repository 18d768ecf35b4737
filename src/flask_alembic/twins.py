"""An engine like another one, with a pool of its own."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    import sqlalchemy as sa


class _OwnPool:
    """An engine with execution options hands its pool on to the engine that it was made
    of, were it not for this.
    """

    pool: t.Any = None


def twin_engine(engine: sa.Engine, pool: sa.Pool) -> sa.Engine:
    """Make an engine with the same options and event hooks.

    :param engine: Any engine.
    :param pool: The pool of the new one.
    :return: The new one. Its pool is the caller's to dispose.
    """
    kind: type[sa.Engine] = type("Engine", (_OwnPool, type(engine)), {})
    twin = kind.__new__(kind)
    vars(twin).update(vars(engine), pool=pool)
    return twin
