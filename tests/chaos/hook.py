"""Copied beside each app: lets its process kill or stop itself at one statement."""

from __future__ import annotations

import itertools
import os
import signal

from sqlalchemy import event
from sqlalchemy.engine import Engine


def install() -> None:
    """Count statements, if ``CHAOS_POINT`` says at which one to do what."""
    if point := os.environ.get("CHAOS_POINT"):
        moment, name, number = point.split(":")
        count = itertools.count(1)

        def act(*args: object) -> None:
            if next(count) == int(number):
                os.kill(os.getpid(), signal.Signals[name])

        event.listen(Engine, f"{moment}_cursor_execute", act)
