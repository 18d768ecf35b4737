"""The lock on SQLite: a lock of the operating system on a file beside the database. It
ends with the process that holds it.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import typing as t
from contextlib import suppress
from datetime import datetime
from datetime import UTC

import sqlalchemy as sa

from ..lock_reports import LockHolder
from ..run_errors import LockLost
from .kinds import host
from .kinds import program
from .kinds import version_table

if t.TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext

    from .kinds import Key

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

# Python closes it in programs that it starts. A link of somebody's is not followed.
_FLAGS: t.Final = getattr(os, "O_NOFOLLOW", 0)

# On Windows what is locked can't be read, so it is a byte that is not there.
_FAR: t.Final = 1 << 30

_HELD: t.Final = (errno.EACCES, errno.EAGAIN, errno.EDEADLK)

_log = logging.getLogger("flask_alembic")


def sqlite_lock(context: MigrationContext, database: str) -> SQLiteLock | None:
    """The lock of a database in a file.

    :param context: The context of a database.
    :param database: Its name.
    :return: The lock; ``None`` for a database in memory, which is this process's own.
    """
    connection = t.cast(sa.Connection, context.connection)
    rows = connection.exec_driver_sql("PRAGMA database_list").all()
    path = next((str(row[2] or "") for row in rows if row[1] == "main"), "")

    if not path:
        return None

    return SQLiteLock(f"{os.path.realpath(path)}.migrate.lock", database, context)


class SQLiteLock:
    """A file that is there as long as somebody holds the lock.

    :param path: The file.
    :param database: The name of the database.
    :param context: Its context.
    """

    def __init__(self, path: str, database: str, context: MigrationContext) -> None:
        self.database: str = database
        # A file is one lock, as SQLite has one for all that write.
        self.key: Key = ("sqlite", path)
        self.table: Key = version_table(context)
        self._path = path
        self._file: int | None = None

    def try_acquire(self) -> bool:
        """Lock the file, and write to it who we are."""
        try:
            file = _open(self._path)
        except OSError as error:
            self._warn(error)
            return True

        try:
            is_ours = _lock(file) and _is_at(file, self._path)
        except OSError as error:
            os.close(file)
            self._warn(error)
            return True

        if not is_ours:
            os.close(file)
            return False

        self._file = file

        # For others to read. The lock is good without it.
        with suppress(OSError):
            os.ftruncate(file, 0)
            os.write(file, _own_holder())

        return True

    def holder(self) -> LockHolder | None:
        """What it wrote to the file."""
        with open(self._path, encoding="utf-8") as file:
            found = json.load(file)

        since = datetime.fromisoformat(found.pop("since"))
        return LockHolder(**found, since=since)

    def how_to_end(self, holder: LockHolder) -> str | None:
        """End the process."""
        return f"kill {holder.pid}"

    def check(self) -> None:
        """See whether the file is still the one that is locked."""
        if self._file is not None and not _is_at(self._file, self._path):
            raise LockLost(
                f"The lock on the database '{self.database}' is lost: somebody removed"
                f" {self._path}.",
                database=self.database,
                hint="Another run may have begun. Look where the database is, by 'flask"
                " db current', and run the same command again.",
            )

    def release(self) -> None:
        """Remove the file, as long as it is ours, and close it."""
        file, self._file = self._file, None

        if file is None:
            return

        # Windows removes no file that is open, not even for us.
        if fcntl is None:
            os.close(file)

        if fcntl is None or _is_at(file, self._path):
            with suppress(OSError):
                os.unlink(self._path)

        if fcntl is not None:
            os.close(file)

    def _warn(self, error: OSError) -> None:
        # SQLite writes to this folder as well, so the run is likely to fail by itself.
        _log.warning(
            "There is no lock on the database '%s', so nothing keeps two runs apart:"
            " %s: %s.",
            self.database,
            self._path,
            error.strerror,
        )


def _open(path: str) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | _FLAGS, 0o666)
    except PermissionError:
        # Another user was killed, and left it.
        return os.open(path, os.O_RDONLY | _FLAGS)


def _lock(file: int) -> bool:
    try:
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:
            _lock_byte(file)
    except OSError as error:
        if error.errno in _HELD:
            return False

        raise

    return True


def _lock_byte(file: int) -> None:
    import msvcrt

    windows: t.Any = msvcrt
    os.lseek(file, _FAR, os.SEEK_SET)
    windows.locking(file, windows.LK_NBLCK, 1)
    os.lseek(file, 0, os.SEEK_SET)


def _is_at(file: int, path: str) -> bool:
    """Whether a file is the one of this name. Its holder may have removed it after we
    opened it, and another run may have made a new one.
    """
    try:
        return os.path.samestat(os.fstat(file), os.stat(path))
    except FileNotFoundError:
        return False


def _own_holder() -> bytes:
    own = {
        "pid": os.getpid(),
        "host": host(),
        "application": program(),
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    return json.dumps(own).encode()
