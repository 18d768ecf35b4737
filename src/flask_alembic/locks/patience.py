"""How long a run waits for others, and when it says so."""

from __future__ import annotations

import logging
import random
import time
import typing as t

FIRST_NOTICE: float = 1.0
"""Seconds of waiting after which it is told."""

NOTICE_INTERVAL: float = 10.0
"""Seconds after which it is told again."""

_SHORTEST: t.Final = 0.02  # seconds
_LONGEST: t.Final = 0.3

_log = logging.getLogger("flask_alembic")


class Patience:
    """The time that one run may wait, for all that it waits for.

    :param timeout: Number of seconds.
    """

    def __init__(self, timeout: float) -> None:
        self.timeout = timeout
        self.waited: float = 0.0
        """How long it has waited, in seconds."""

    def pauses(self, who: t.Callable[[], str]) -> t.Iterator[float]:
        """Seconds to wait after each try, until the time is up. The caller leaves when
        a try succeeds. The last pause is none.

        :param who: Tells who is in the way.
        """
        before, started = self.waited, time.monotonic()
        notice, pause = self.waited + FIRST_NOTICE, _SHORTEST

        while True:
            left = max(0.0, self.timeout - self.waited)
            # So that those who wait for the same do not all ask at once.
            yield min(left, pause * random.uniform(0.5, 1.0))
            self.waited = before + time.monotonic() - started
            pause = min(_LONGEST, pause * 1.5)

            if not left:
                return

            if self.waited >= notice:
                notice = self.waited + NOTICE_INTERVAL
                _log.info(
                    "Waiting for another run %s (%.0f s of %.0f s).",
                    who(),
                    self.waited,
                    self.timeout,
                )
