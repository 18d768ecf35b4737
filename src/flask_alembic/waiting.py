"""Trying again to connect to a database that is down."""

from __future__ import annotations

import logging
import time
import typing as t

from .errors import ConnectionFailed

if t.TYPE_CHECKING:
    from .retries import Deadline

T = t.TypeVar("T")

_log = logging.getLogger("flask_alembic")


def patiently(connect: t.Callable[[], T], database: str, deadline: Deadline) -> T:
    """Connect, if need be later.

    :param connect: Raises ``ConnectionFailed`` while that can't be done. No other
        error is worth waiting for.
    :param database: The name of the database.
    :param deadline: How long to try.
    :return: What ``connect`` returns.
    :raises ConnectionFailed: If the time is over.
    """
    attempt = 1

    while True:
        try:
            return connect()
        except ConnectionFailed as error:
            if (pause := deadline.pause(attempt)) is None:
                raise

            _log.info(
                "Waiting for the database '%s': %s (%.0f s)",
                database,
                error.reason,
                deadline.waited,
            )

        time.sleep(pause)
        attempt += 1
