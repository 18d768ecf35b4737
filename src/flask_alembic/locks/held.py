"""Holding the locks of a run: in which order they are taken, waiting for them, and who
is told to be in the way.
"""

from __future__ import annotations

import threading
import time
import typing as t
from contextlib import contextmanager
from contextlib import ExitStack
from contextlib import suppress
from datetime import datetime

from ..errors import FlaskAlembicError
from ..run_errors import RunLocked

if t.TYPE_CHECKING:
    from ..lock_reports import LockHolder
    from .kinds import Key
    from .kinds import Lock
    from .patience import Patience


class _Held(threading.local):
    """What a thread holds. What another one holds is another run's."""

    def __init__(self) -> None:
        self.keys: set[tuple[Key, Key]] = set()


_held = _Held()


class Locks:
    """The locks that a run holds.

    :param locks: The locks.
    """

    def __init__(self, locks: t.Iterable[Lock] = ()) -> None:
        self._locks: tuple[Lock, ...] = tuple(locks)

    def check(self) -> None:
        """Check that they are still ours.

        :raises LockLost: If one isn't.
        """
        for lock in self._locks:
            lock.check()


@contextmanager
def holding(locks: t.Iterable[Lock], patience: Patience) -> t.Iterator[Locks]:
    """Hold locks for a while.

    :param locks: Those of all databases of a run, some of which may be the same.
    :param patience: How long to wait for other runs.
    :return: The locks.
    :raises RunLocked: If another run did not end in time.
    """
    different = {(lock.key, lock.table): lock for lock in locks}
    ordered = [different[key] for key in sorted(different)]

    with ExitStack() as stack:
        for lock in ordered:
            _refuse_nested(lock)

            if lock.key not in {key for key, _ in _held.keys}:
                # Also after a try in vain: it may have opened a connection.
                stack.callback(lock.release)
                _acquire(lock, patience)

            _held.keys.add((lock.key, lock.table))
            stack.callback(_held.keys.discard, (lock.key, lock.table))

        yield Locks(ordered)


def _refuse_nested(lock: Lock) -> None:
    """The outer run is in the midst of a revision, and notes afterwards where the
    database is. What another run did in between would get lost.
    """
    if (lock.key, lock.table) in _held.keys:
        raise FlaskAlembicError(
            f"A revision of the database '{lock.database}' wants to migrate that same"
            " database.",
            hint="Let the revision run its own operations only. What is to come next is"
            " another revision.",
        )


def _acquire(lock: Lock, patience: Patience) -> None:
    def who() -> str:
        return f"on the database '{lock.database}'{_after_colon(_holder(lock))}"

    for pause in patience.pauses(who):
        if lock.try_acquire():
            return

        time.sleep(pause)

    raise _run_locked(lock, patience)


def _run_locked(lock: Lock, patience: Patience) -> RunLocked:
    holder = _holder(lock)
    cure = holder and lock.how_to_end(holder)
    end = f" If it hangs, end it: {cure}" if cure else ""
    return RunLocked(
        f"Another run on the database '{lock.database}' did not end within"
        f" {patience.timeout:g} s{_after_colon(holder)}.",
        database=lock.database,
        holder=holder,
        hint="Wait longer: --lock-timeout SECONDS, or ALEMBIC['lock_timeout']." + end,
    )


def _holder(lock: Lock) -> LockHolder | None:
    # It is asked to be told only. What is wrong is found by the next try.
    with suppress(Exception):
        return lock.holder()

    return None


def _after_colon(holder: LockHolder | None) -> str:
    text = describe(holder) if holder else ""
    return text and f": {text}"


def describe(holder: LockHolder) -> str:
    """Who holds a lock, in a few words.

    :param holder: The holder.
    :return: What is known.
    """
    is_session = holder.pid is None and holder.session is not None
    process = f"session {holder.session}" if is_session else f"pid {holder.pid}"
    parts = [
        process if is_session or holder.pid is not None else "",
        f"of {holder.user}" if is_session and holder.user else "",
        f"on {holder.host}" if holder.host else "",
    ]
    words = [" ".join(part for part in parts if part)]

    if holder.application:
        words.append(f"application {holder.application}")

    if holder.since is not None:
        words.append(f"since {_time(holder.since)}")

    return ", ".join(word for word in words if word)


def _time(since: datetime) -> str:
    local = since.astimezone()
    is_today = local.date() == datetime.now().astimezone().date()
    return f"{local:%H:%M:%S}" if is_today else f"{local:%Y-%m-%d %H:%M:%S}"
