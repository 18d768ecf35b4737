"""Listening to a connection for a while, with and without a switchboard."""

from __future__ import annotations

import typing as t
from contextlib import AbstractContextManager
from contextlib import nullcontext

import pytest
import sqlalchemy as sa

from flask_alembic.listening import listened_to
from flask_alembic.listening import listening

Around = t.Callable[[sa.Connection], AbstractContextManager[None]]


@pytest.fixture
def connection() -> t.Iterator[sa.Connection]:
    """A connection to an empty database."""
    engine = sa.create_engine("sqlite://", poolclass=sa.NullPool)

    with engine.connect() as connection:
        yield connection


@pytest.fixture(params=[listened_to, lambda _: nullcontext()], ids=["board", "none"])
def around(request: pytest.FixtureRequest) -> Around:
    """What the listening is done in."""
    return t.cast(Around, request.param)


def hearing(
    heard: list[str], name: str, statement: str | None = None
) -> t.Callable[..., t.Any]:
    """A listener that notes what it hears, and may answer with another statement."""

    def listen(connection: t.Any, cursor: t.Any, said: str, *args: t.Any) -> t.Any:
        heard.append(f"{name}: {said}")
        return statement, args[0]

    return listen


def test_in_order(connection: sa.Connection, around: Around) -> None:
    """Who listens first is told first. What one answers with is what later ones hear
    and what runs; who does not answer changes nothing.
    """
    heard: list[str] = []
    event = "before_cursor_execute"

    with (
        around(connection),
        listening(connection, {event: hearing(heard, "silent", "SELECT 0")}),
        listening(
            connection, {event: hearing(heard, "asked", "SELECT 2")}, answering=[event]
        ),
        listening(connection, {event: hearing(heard, "last", "SELECT 0")}),
    ):
        found = connection.exec_driver_sql("SELECT 1").scalar()

    assert found == 2
    assert heard == ["silent: SELECT 1", "asked: SELECT 1", "last: SELECT 2"]


def test_for_a_while(connection: sa.Connection, around: Around) -> None:
    """When a block ends, also by an exception, nobody is told any more."""
    heard: list[str] = []
    listeners = {
        "before_cursor_execute": hearing(heard, "before"),
        "after_cursor_execute": hearing(heard, "after"),
        "commit": lambda connection: heard.append("commit"),
    }

    with around(connection):
        connection.exec_driver_sql("SELECT 1")

        with pytest.raises(ZeroDivisionError), listening(connection, listeners):
            connection.exec_driver_sql("SELECT 2")
            connection.commit()
            raise ZeroDivisionError

        connection.exec_driver_sql("SELECT 3")

    connection.exec_driver_sql("SELECT 4")
    assert heard == ["before: SELECT 2", "after: SELECT 2", "commit"]


def test_all_events(connection: sa.Connection, around: Around) -> None:
    """What begins and ends is told, too."""
    heard: list[str] = []
    names = [*("begin", "commit", "rollback"), "savepoint", "release_savepoint"]
    names.append("rollback_savepoint")
    listeners: dict[str, t.Callable[..., t.Any]] = {
        name: lambda *args, name=name: heard.append(name) for name in names
    }

    with around(connection), listening(connection, listeners):
        with connection.begin():
            connection.begin_nested().rollback()
            connection.begin_nested().commit()

        connection.begin().rollback()

    assert heard == [
        "begin",
        "savepoint",
        "rollback_savepoint",
        "savepoint",
        "release_savepoint",
        "commit",
        "begin",
        "rollback",
    ]


def test_two_connections(around: Around) -> None:
    """Who listens to one connection does not hear of another."""
    heard: list[str] = []
    engine = sa.create_engine("sqlite://", poolclass=sa.NullPool)
    listeners = {"before_cursor_execute": hearing(heard, "one")}

    with engine.connect() as one, engine.connect() as other:
        with around(one), around(other), listening(one, listeners):
            other.exec_driver_sql("SELECT 2")
            one.exec_driver_sql("SELECT 1")

    assert heard == ["one: SELECT 1"]
