"""Listening to the events of one connection for a while."""

from __future__ import annotations

import typing as t
from contextlib import contextmanager
from contextlib import ExitStack
from functools import partial

from sqlalchemy import event

if t.TYPE_CHECKING:
    import sqlalchemy as sa

    Listener = t.Callable[..., t.Any]

_ASKING: t.Final = "before_cursor_execute"
"""The event whose listeners may answer with what is to run instead."""

_TELLING: t.Final = (
    "after_cursor_execute",
    "begin",
    "commit",
    "release_savepoint",
    "rollback",
    "rollback_savepoint",
    "savepoint",
)


class _Switchboard:
    """Is registered with SQLAlchemy for a whole run, from the first time that somebody
    listens, and tells those who listen for a while. To register those themselves, for
    each revision, takes longer than most statements do.

    :param connection: The connection.
    :param run: Ends with the run.
    """

    def __init__(self, connection: sa.Connection, run: ExitStack) -> None:
        self._connection = connection
        self._run = run
        self._is_registered = False
        self._listeners: dict[str, tuple[Listener, ...]]
        self._listeners = dict.fromkeys((_ASKING, *_TELLING), ())

    def _register(self) -> None:
        """Be told of the connection's events."""
        if not self._is_registered:
            listeners: dict[str, Listener] = {_ASKING: self._ask}
            listeners |= {name: partial(self._tell, name) for name in _TELLING}
            self._run.enter_context(_registered(self._connection, listeners, {_ASKING}))
            self._is_registered = True

    @contextmanager
    def listening(
        self, listeners: t.Mapping[str, Listener], answering: t.Collection[str]
    ) -> t.Iterator[None]:
        """Let others be told, too."""
        self._register()
        before = self._listeners
        self._listeners = {**before}

        for name, listener in listeners.items():
            is_silent = name == _ASKING and name not in answering
            told = _keeping_silent(listener) if is_silent else listener
            self._listeners[name] = (*before[name], told)

        try:
            yield
        finally:
            self._listeners = before

    def _tell(self, name: str, *args: t.Any) -> None:
        for listener in self._listeners[name]:
            listener(*args)

    def _ask(
        self,
        connection: t.Any,
        cursor: t.Any,
        statement: str,
        parameters: t.Any,
        *args: t.Any,
    ) -> tuple[str, t.Any]:
        for listener in self._listeners[_ASKING]:
            statement, parameters = listener(
                connection, cursor, statement, parameters, *args
            )

        return statement, parameters


_switchboards: t.Final[dict[sa.Connection, _Switchboard]] = {}


@contextmanager
def listened_to(connection: sa.Connection) -> t.Iterator[None]:
    """Make :func:`listening` cheap, until the block ends.

    :param connection: A connection that somebody will listen to many times.
    """
    with ExitStack() as run:
        _switchboards[connection] = _Switchboard(connection, run)

        try:
            yield
        finally:
            del _switchboards[connection]


@contextmanager
def listening(
    connection: sa.Connection,
    listeners: t.Mapping[str, Listener],
    *,
    answering: t.Collection[str] = (),
) -> t.Iterator[None]:
    """Listen, until the block ends.

    :param connection: The connection.
    :param listeners: The names of events to what is called.
    :param answering: The events whose listener answers with what is to run instead.
    """
    board = _switchboards.get(connection)
    listen = partial(_registered, connection) if board is None else board.listening

    with listen(listeners, answering):
        yield


@contextmanager
def _registered(
    connection: sa.Connection,
    listeners: t.Mapping[str, Listener],
    answering: t.Collection[str],
) -> t.Iterator[None]:
    with ExitStack() as stack:
        for name, listener in listeners.items():
            options = {"retval": True} if name in answering else {}
            event.listen(connection, name, listener, **options)
            stack.callback(event.remove, connection, name, listener)

        yield


def _keeping_silent(listener: Listener) -> Listener:
    """Answer for who does not, that the statement runs as it is."""

    def ask(
        connection: t.Any,
        cursor: t.Any,
        statement: str,
        parameters: t.Any,
        *args: t.Any,
    ) -> tuple[str, t.Any]:
        listener(connection, cursor, statement, parameters, *args)
        return statement, parameters

    return ask
