"""One thread of a process runs at a time."""

from __future__ import annotations

import threading
import typing as t
from contextlib import contextmanager

from ..run_errors import RunLocked

if t.TYPE_CHECKING:
    from .patience import Patience

# Alembic's ``op`` is one for the whole process: while one thread migrates a database,
# another thread's operations would go to that database too. Re-entrant, because a
# revision may migrate another app.
_process_lock = threading.RLock()


@contextmanager
def one_thread(patience: Patience) -> t.Iterator[None]:
    """Keep other threads of this process from running, on whatever database.

    :param patience: How long to wait for another thread.
    :raises RunLocked: If it did not end in time.
    """
    if not any(
        _process_lock.acquire(timeout=pause)
        for pause in patience.pauses(lambda: "in another thread of this process")
    ):
        raise RunLocked(
            "Another thread of this process is migrating, and did not end within"
            f" {patience.timeout:g} s.",
            database=None,
            hint="Wait for it, or raise the time: ALEMBIC['lock_timeout'].",
        )

    try:
        yield
    finally:
        _process_lock.release()
