"""Sessions of others on the databases that tests migrate."""

from __future__ import annotations

import threading
import time
import typing as t

import sqlalchemy as sa

APPLICATION: t.Final = "reader"
_LONGEST: t.Final = 30.0  # seconds


class Session:
    """A connection of somebody else's, which can stand in the way.

    It lets go after a long time by itself, so that what waits for it without end fails
    and does not hang.
    """

    def __init__(self, url: str) -> None:
        arguments = {"application_name": APPLICATION} if "postgres" in url else {}
        engine = sa.create_engine(url, poolclass=sa.NullPool, connect_args=arguments)
        self.connection = engine.connect()
        ask = "CONNECTION_ID()" if "mysql" in url else "pg_backend_pid()"
        self.id = int(self.connection.exec_driver_sql(f"SELECT {ask}").scalar() or 0)
        self.connection.rollback()
        self._timers: list[threading.Timer] = []
        self._lock = threading.Lock()
        self.let_go_after(_LONGEST)

    def execute(self, statement: str) -> None:
        """Execute something, in a transaction that stays open."""
        self.connection.exec_driver_sql(statement)

    def let_go(self) -> None:
        """End the transaction."""
        with self._lock:
            if not self.connection.closed:
                self.connection.rollback()

    def let_go_after(self, seconds: float) -> None:
        """End the transaction later."""
        timer = threading.Timer(seconds, self.let_go)
        timer.start()
        self._timers.append(timer)

    def __enter__(self) -> t.Self:
        return self

    def __exit__(self, *args: object) -> None:
        for timer in self._timers:
            timer.cancel()
            timer.join()

        self.connection.close()


def ask(url: str, question: str) -> list[tuple[t.Any, ...]]:
    """Ask a database something, on a connection for that alone."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)

    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        result = connection.exec_driver_sql(question)
        return [tuple(row) for row in result] if result.returns_rows else []


def is_waiting(url: str, beginning: str) -> bool:
    """Whether a statement in this database waits for a lock."""
    if "mysql" in url:
        return bool(
            ask(
                url,
                "SELECT 1 FROM information_schema.PROCESSLIST WHERE DB = DATABASE()"
                f" AND STATE LIKE 'Waiting for%' AND INFO LIKE '{beginning}%'".replace(
                    "%", "%%"
                ),
            )
        )

    return bool(
        ask(
            url,
            "SELECT 1 FROM pg_stat_activity WHERE datname = current_database()"
            f" AND wait_event_type = 'Lock' AND query LIKE '{beginning}%'".replace(
                "%", "%%"
            ),
        )
    )


def until(condition: t.Callable[[], bool]) -> None:
    """Wait for something that is about to be."""
    end = time.monotonic() + _LONGEST

    while not condition():
        assert time.monotonic() < end, "it did not come to be"
        time.sleep(0.02)
