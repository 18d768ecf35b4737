"""How long to pause between two tries, and when to stop. Pure, but for the clock."""

from __future__ import annotations

import random
import time
import typing as t
from dataclasses import dataclass
from dataclasses import field


def pause(
    attempt: int,
    *,
    first: float,
    longest: float,
    chance: t.Callable[[], float] = random.random,
) -> float:
    """How long to pause after a try that failed: up to a limit that doubles each time,
    and by chance, so that several that wait do not all come back at once. This is the
    "full jitter" of
    https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/.

    :param attempt: The number of the try that failed; the first is 1.
    :param first: The limit of the first pause, in seconds.
    :param longest: The highest limit, in seconds.
    :param chance: Gives a number from 0 to 1.
    :return: Seconds.
    """
    # A power this high is beyond any limit, and a higher one beyond a float.
    limit = min(longest, first * 2.0 ** min(attempt - 1, 64))
    return limit * chance()


@dataclass
class Tries:
    """How often something was tried, and for how long."""

    count: int = 1
    started: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """How long it has been tried, in seconds."""
        return time.monotonic() - self.started


@dataclass(frozen=True)
class Deadline:
    """A time in which something is tried again.

    :param total: How long, in seconds.
    """

    total: float
    started: float = field(default_factory=time.monotonic)

    @property
    def waited(self) -> float:
        """How much of it is over, in seconds."""
        return time.monotonic() - self.started

    def pause(self, attempt: int) -> float | None:
        """How long to pause before the next try.

        :param attempt: The number of the try that failed; the first is 1.
        :return: Seconds; ``None`` if the time is over.
        """
        left = self.total - self.waited

        if left <= 0:
            return None

        return min(left, pause(attempt, first=0.5, longest=5.0))
