"""The connections that an environment holds: one a database, opened when it is asked
for. How a connection is opened and given back is not known here.
"""

from __future__ import annotations

import typing as t
from contextlib import contextmanager
from contextlib import suppress
from dataclasses import replace
from functools import partial

from .connections import borrow_connection
from .connections import close_connection
from .connections import end_transaction
from .connections import open_connection
from .connections import OpenConnection
from .retries import Deadline
from .schemas import enter_schema
from .waiting import patiently

if t.TYPE_CHECKING:
    import sqlalchemy as sa

    from .databases import Database
    from .hooks import Hooks


class ConnectionSet:
    """Name to open connection.

    :param hooks: What prepares each connection.
    :param keep_pooled: Whether connections go back to the app's pool.
    :param borrowed: Connections of somebody else's to use: name to connection.
    """

    def __init__(
        self,
        hooks: Hooks,
        *,
        keep_pooled: bool,
        borrowed: t.Mapping[str, sa.Connection],
    ) -> None:
        self.keep_pooled = keep_pooled
        self.borrowed: dict[str, sa.Connection] = dict(borrowed)
        self._hooks = hooks
        self._opened: dict[str, OpenConnection] = {}
        self._set_aside: list[OpenConnection] = []
        self._deadline = Deadline(0)

    @property
    def names(self) -> set[str]:
        """The databases with an open connection."""
        return set(self._opened)

    def wait(self, seconds: float) -> None:
        """Let databases that are down have some time from now on.

        :param seconds: How long to try to connect to all of them.
        """
        self._deadline = Deadline(seconds)

    def open(self, database: Database) -> sa.Connection:
        """Open a connection and prepare it.

        :param database: A database that no connection is open to.
        :return: The connection.
        """
        self.close_set_aside()

        if (connection := self.borrowed.get(database.name)) is not None:
            opened = borrow_connection(connection)
        else:
            # The app is not to get a connection with another search_path or role.
            keep_pooled = self.keep_pooled and not self._hooks.prepare_connections
            connect = partial(open_connection, database, keep_pooled=keep_pooled)
            opened = patiently(connect, database.name, self._deadline)

        self._opened[database.name] = opened
        enter_schema(opened.connection, database)
        self._hooks.prepare(opened.connection, database)
        end_transaction(opened, commit=True)
        return opened.connection

    def settle(self) -> None:
        """Commit what operations did so far, and end the transactions of reads: nothing
        on another connection is to wait for them.
        """
        for opened in self._opened.values():
            end_transaction(opened, commit=True)

    @contextmanager
    def without_reads(self) -> t.Iterator[None]:
        """Leave no transaction of a read behind. What was at work before stays so."""
        busy = {name for name, opened in self._opened.items() if opened.has_work}

        try:
            yield
        finally:
            for name, opened in self._opened.items():
                if name not in busy:
                    end_transaction(opened, commit=False)

    def leave_pool(self) -> None:
        """Let no connection that is open go back to a pool."""
        for name, opened in self._opened.items():
            self._opened[name] = replace(opened, is_pooled=False)

    def close(self, names: t.Iterable[str], *, commit: bool) -> None:
        """Give connections back, all of them whatever happens.

        :param names: Of which databases.
        :param commit: Whether what was done on them lasts.
        :raises Exception: The first error by which work is lost. A database that went
            away after it was only read is nothing to fail for.
        """
        failure: Exception | None = None

        for name in names:
            if opened := self._opened.pop(name, None):
                is_lost = commit and opened.has_unsaved

                try:
                    close_connection(opened, commit=commit)
                except Exception as error:
                    failure = failure or (error if is_lost else None)

        if failure is not None:
            raise failure

    def set_aside(self) -> None:
        """Take no connection on which a run failed for the next one. An override of
        ``run_migrations`` may hold them, and use them to clean up.
        """
        self._set_aside += self._opened.values()
        self._opened.clear()

        for opened in self._set_aside:
            with suppress(Exception):
                end_transaction(opened, commit=False)

    def close_set_aside(self) -> None:
        """Give those connections back."""
        failed, self._set_aside = self._set_aside, []

        for opened in failed:
            with suppress(Exception):
                close_connection(opened)
