"""Who works on the tenants: a few at a time, in threads or where an executor of the
user's has its workers. What is done to a tenant is not known here.
"""

from __future__ import annotations

import os
import time
import typing as t
from concurrent.futures import CancelledError
from concurrent.futures import Executor
from concurrent.futures import FIRST_COMPLETED
from concurrent.futures import Future
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import wait
from contextlib import contextmanager

if t.TYPE_CHECKING:
    from ..tenants import Tenant

R = t.TypeVar("R")

# A server works by itself, and mostly waits for its disk.
_PER_CPU: t.Final = 4
_MOST: t.Final = 8

# SQLite works in our threads, which take turns: more of them are slower. The second one
# works while the first one waits for a disk, or for somebody who has the database.
_WITHOUT_SERVER: t.Final = 2


def usual_workers(*, on_servers: bool) -> int:
    """How many threads there are, if nobody says how many.

    :param on_servers: Whether there are tenants on a server.
    :return: Their number.
    """
    if not on_servers:
        return _WITHOUT_SERVER

    return min(_MOST, _PER_CPU * (os.cpu_count() or 1))


class Crew(t.Generic[R]):
    """Works on tenants, and gives the results as they come.

    :param work: What is done to a tenant. It may have to be pickled.
    :param executor: Where that is done; ``None`` for threads of this process.
    :param workers: How many tenants are worked on at a time.
    """

    def __init__(
        self,
        work: t.Callable[[Tenant], R],
        executor: Executor | None,
        workers: int,
    ) -> None:
        self._work = work
        self._executor = executor
        self._workers = workers
        self._running: dict[Future[R], Tenant] = {}
        self._is_stopped = False

    def stop(self) -> None:
        """Begin no other tenant. Those that are being worked on come to their end."""
        self._is_stopped = True

    def results(
        self, tenants: t.Iterable[Tenant]
    ) -> t.Iterator[tuple[Tenant, R | BaseException]]:
        """Work on tenants.

        :param tenants: The tenants.
        :return: Each with its result, or why there is none, as they come.
        :raises KeyboardInterrupt: After Ctrl-C, when those have come to their end that
            were being worked on. The second time, at once.
        """
        waiting, interruption = iter(tenants), None

        with self._hired() as executor:
            while self._fill(executor, waiting):
                try:
                    done = wait(self._running, return_when=FIRST_COMPLETED).done
                except KeyboardInterrupt as error:
                    if interruption is not None:
                        raise

                    interruption = error
                    self.stop()
                    continue

                for future in done:
                    outcome = _outcome(future)
                    yield self._running.pop(future), outcome

        if interruption is not None:
            raise interruption

    def _fill(self, executor: Executor, waiting: t.Iterator[Tenant]) -> bool:
        while len(self._running) < self._workers and not self._is_stopped:
            tenant = next(waiting, None)

            if tenant is None:
                break

            self._running[self._submit(executor, tenant)] = tenant

        return bool(self._running)

    def _submit(self, executor: Executor, tenant: Tenant) -> Future[R]:
        try:
            return executor.submit(self._work, tenant)
        except Exception as error:
            # Such as that its workers were killed.
            failed: Future[R] = Future()
            failed.set_exception(error)
            return failed

    @contextmanager
    def _hired(self) -> t.Iterator[Executor]:
        if self._executor is not None:
            yield self._executor
            return

        with ThreadPoolExecutor(self._workers, "flask-alembic-tenant") as executor:
            yield executor


def _outcome(future: Future[R]) -> R | BaseException:
    """What came back, or why nothing did. A worker may have been interrupted, or its
    work cancelled by its executor.
    """
    if future.cancelled():
        return CancelledError("its executor has cancelled it")

    return future.exception() or future.result()


class Clock:
    """How long a number of tenants will take.

    :param total: Their number.
    """

    def __init__(self, total: int) -> None:
        self.total = total
        self._started = time.perf_counter()

    @property
    def seconds(self) -> float:
        """How long it has taken so far."""
        return time.perf_counter() - self._started

    def left(self, done: int) -> float:
        """How long the rest will take.

        :param done: How many tenants are over.
        :return: Seconds.
        """
        return self.seconds / done * (self.total - done)
