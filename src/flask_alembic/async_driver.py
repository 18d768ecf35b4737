"""A connection of an async driver, as SQLAlchemy adapts it, for callers that have no
event loop. What carries the calls to one is in connections.py.
"""

from __future__ import annotations

import typing as t
from contextlib import suppress
from functools import partial
from inspect import isroutine

if t.TYPE_CHECKING:
    from sqlalchemy.exc import DBAPIError

Call = t.Callable[..., t.Any]


class LoopEnded(RuntimeError):
    """A call that comes too late: the connection was given up, with its event loop."""


class _Carried:
    """Stands for an object. What is called or assigned is carried to the event loop;
    what is read is at hand.

    :param target: The object.
    :param call: Calls a function with arguments, where the event loop is.
    """

    __slots__ = ("_call", "_target")

    def __init__(self, target: t.Any, call: Call) -> None:
        object.__setattr__(self, "_target", target)
        object.__setattr__(self, "_call", call)

    def __getattr__(self, name: str) -> t.Any:
        value = getattr(self._target, name)
        return partial(self._call, value) if isroutine(value) else value

    def __setattr__(self, name: str, value: object) -> None:
        self._call(setattr, self._target, name, value)


class CarriedCursor(_Carried):
    """A cursor."""

    __slots__ = ()

    def __iter__(self) -> t.Iterator[t.Any]:
        while (row := self._call(self._target.fetchone)) is not None:
            yield row

    def __enter__(self) -> t.Self:
        return self

    def __exit__(self, *args: object) -> None:
        self.close()

    def close(self) -> None:
        """Close it. SQLAlchemy gives a connection up that is lost, and closes the
        cursor then.
        """
        with suppress(LoopEnded):
            self._call(self._target.close)


class CarriedConnection(_Carried):
    """A connection.

    :param target: SQLAlchemy's adapter of the driver's connection.
    :param call: Calls a function with arguments, where the event loop is.
    :param give_up: Ends the connection; told whether it is broken.
    """

    __slots__ = ("_give_up",)

    def __init__(
        self, target: t.Any, call: Call, give_up: t.Callable[[bool], None]
    ) -> None:
        super().__init__(target, call)
        object.__setattr__(self, "_give_up", give_up)

    def cursor(self, *args: t.Any, **kwargs: t.Any) -> CarriedCursor:
        """Make a cursor."""
        made = self._call(self._target.cursor, *args, **kwargs)
        return CarriedCursor(made, self._call)

    def execute(self, *args: t.Any, **kwargs: t.Any) -> CarriedCursor:
        """Make a cursor and execute a statement with it."""
        made = self._call(self._target.execute, *args, **kwargs)
        return CarriedCursor(made, self._call)

    def close(self) -> None:
        """End the connection."""
        self._give_up(False)

    def terminate(self) -> None:
        """End the connection, which may not answer any more."""
        self._give_up(True)


def driver_error(error: DBAPIError) -> BaseException | None:
    """What the driver raised. For asyncpg, SQLAlchemy puts an error of its own between,
    which up to version 2.0 spoils the text.

    :param error: SQLAlchemy's error.
    :return: The driver's.
    """
    orig = error.orig
    is_emulated = type(orig).__module__.startswith("sqlalchemy.")
    return (orig.__cause__ or orig) if orig is not None and is_emulated else orig
