"""Settings of a MariaDB or MySQL session, for a while; and names as it quotes them."""

from __future__ import annotations

import typing as t
from contextlib import contextmanager
from contextlib import suppress

from sqlalchemy.exc import SQLAlchemyError

from ..kinds import ask
from ..kinds import execute
from ..kinds import text_literal

if t.TYPE_CHECKING:
    import sqlalchemy as sa

UTC: t.Final = {"time_zone": "'+00:00'"}
"""Times mean the same in all sessions then."""


@contextmanager
def session(
    connection: sa.Connection, settings: t.Mapping[str, str]
) -> t.Iterator[None]:
    """Let other settings hold for a while.

    :param connection: A connection.
    :param settings: Name to SQL.
    """
    names = ", ".join(f"@@SESSION.{name}" for name in settings)
    before = ask(connection, f"SELECT {names}")[0]
    execute(connection, f"SET {_assigned(settings)}")

    old = {
        name: str(value) if isinstance(value, int) else text_literal(value)
        for name, value in zip(settings, before, strict=True)
    }

    try:
        yield
    except BaseException:
        # A connection that is lost has none to keep, and what is told is how it began.
        with suppress(SQLAlchemyError):
            if not connection.invalidated:
                execute(connection, f"SET {_assigned(old)}")

        raise

    execute(connection, f"SET {_assigned(old)}")


def _assigned(settings: t.Mapping[str, str]) -> str:
    return ", ".join(f"SESSION {name} = {value}" for name, value in settings.items())


def quoted(name: str) -> str:
    """A name as a statement has it.

    :param name: Any name.
    :return: The same in quotes.
    """
    return f"`{name.replace('`', '``')}`"
