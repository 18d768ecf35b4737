"""SIGTERM ends a command as Ctrl-C does: what is under way is rolled back, and told."""

from __future__ import annotations

import signal
import threading
import typing as t
from contextlib import contextmanager

EXIT_CODE: t.Final = 128 + signal.SIGTERM


class Terminated(KeyboardInterrupt):
    """The process was told to end. Drivers that know Ctrl-C cancel their query."""


@contextmanager
def terminable() -> t.Iterator[None]:
    """Let SIGTERM raise for a while. The second one kills at once.

    :raises Terminated: When the signal comes.
    """
    before = signal.getsignal(signal.SIGTERM)
    is_main = threading.current_thread() is threading.main_thread()

    # Where it is ignored, or not Python's to handle, somebody wanted that.
    if not is_main or before in (signal.SIG_IGN, None):
        yield
        return

    signal.signal(signal.SIGTERM, _terminate)

    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _terminate(number: int, frame: object) -> t.NoReturn:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    raise Terminated
