"""Who is in the way: frozen data of those who hold a lock, as the database tells."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

if t.TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True)
class LockHolder:
    """The run that holds the lock on a database. What the database does not tell is
    ``None``.

    .. versionadded:: 4.0
    """

    pid: int | None = None
    """Number of the process, on its host."""

    host: str | None = None
    """Where it runs: the name of the host, or the address that the server sees."""

    application: str | None = None
    """What the connection says that it is."""

    since: datetime | None = None
    """When it took the lock, with a time zone."""

    session: int | None = None
    """Number of the session, by which the server's administrator can end it."""

    user: str | None = None
    """Who is logged in to the server."""


@dataclass(frozen=True)
class Blocker:
    """A session that kept a table which a revision needed.

    .. versionadded:: 4.0
    """

    session: int
    """Number of the session, by which the server's administrator can end it."""

    user: str | None
    """Who is logged in."""

    application: str | None
    """What the connection says that it is."""

    state: str | None
    """What the session does, such as ``idle in transaction``."""

    seconds: float | None
    """How old its transaction is, or its query where there is no transaction."""

    query: str | None
    """The beginning of its query, up to 80 characters; ``None`` if queries are not
    shown."""
