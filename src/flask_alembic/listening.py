"""Listening to the events of one connection for a while."""

from __future__ import annotations

import typing as t
from contextlib import contextmanager
from contextlib import ExitStack

from sqlalchemy import event

if t.TYPE_CHECKING:
    import sqlalchemy as sa


@contextmanager
def listening(
    connection: sa.Connection,
    listeners: t.Mapping[str, t.Callable[..., t.Any]],
    *,
    answering: t.Collection[str] = (),
) -> t.Iterator[None]:
    """Listen, until the block ends.

    :param connection: The connection.
    :param listeners: The names of events to what is called.
    :param answering: The events whose listener answers with what is to run instead.
    """
    with ExitStack() as stack:
        for name, listener in listeners.items():
            options = {"retval": True} if name in answering else {}
            event.listen(connection, name, listener, **options)
            stack.callback(event.remove, connection, name, listener)

        yield
