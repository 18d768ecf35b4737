"""What all kinds of locks have in common, and who we are for those that wait."""

from __future__ import annotations

import os
import re
import socket
import sys
import typing as t
from hashlib import sha256
from pathlib import Path

from .. import alembic_internals

if t.TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext

    from ..lock_reports import LockHolder

Key = tuple[str, ...]

FRESH: t.Final = 1.0
"""How long a server's answer says that a lock is there, in seconds."""

# The longest name that PostgreSQL keeps of an application.
_NAME_LENGTH: t.Final = 63

_OURS: t.Final = re.compile(r"(?P<application>.*) (?P<pid>\d+)@(?P<host>[\w.-]+)")


class Lock(t.Protocol):
    """The lock of one database."""

    database: str
    """The name of the database."""

    key: Key
    """What it locks. Two locks of one key are one lock; every run takes those that it
    needs in the order of their keys, so that no two runs wait for each other."""

    table: Key
    """Which version table it is for, where all of a database have one lock. A revision
    may migrate what has another one."""

    def try_acquire(self) -> bool:
        """Take the lock, without waiting.

        :return: ``False`` if somebody else has it.
        """

    def holder(self) -> LockHolder | None:
        """Who has the lock.

        :return: ``None`` if nobody has, or nobody tells.
        """

    def how_to_end(self, holder: LockHolder) -> str | None:
        """What takes the lock away from its holder.

        :param holder: Who has it.
        :return: SQL or a command.
        """

    def check(self) -> None:
        """Check that the lock is still ours.

        :raises LockLost: If it isn't.
        """

    def release(self) -> None:
        """Give it back, or what tries in vain have opened. If the connection is gone,
        the server has done so.
        """


def version_table(context: MigrationContext) -> tuple[str, str]:
    """What a lock protects.

    :param context: The context of a database.
    :return: The schema of the version table, empty for the usual one, and its name.
    """
    table = alembic_internals.version_column(context).table
    return table.schema or "", str(table.name)


def digest(parts: t.Iterable[str]) -> bytes:
    """A short name of many parts.

    :param parts: The parts.
    :return: 32 bytes.
    """
    return sha256("\0".join(("flask-alembic", *parts)).encode()).digest()


def program() -> str:
    """What this process runs."""
    return Path(sys.argv[0]).name or "python"


def host() -> str:
    """Where it runs, in characters that need no quotes."""
    return re.sub(r"[^\w.-]", "-", socket.gethostname(), flags=re.ASCII)


def our_name(application: str) -> str:
    """What a connection is called that holds a lock.

    :param application: What the app calls its connections, or nothing.
    :return: That, with the number of this process and its host.
    """
    place = f" {os.getpid()}@{host()}"[:_NAME_LENGTH]
    name = re.sub(r"[^ -~]|['\\]", "?", application or program())
    return name[: _NAME_LENGTH - len(place)] + place


def read_name(name: str) -> tuple[str, int | None, str | None]:
    """Read such a name.

    :param name: What the connection of a holder is called.
    :return: The application, and the number and the host of its process.
    """
    if (match := _OURS.fullmatch(name)) is None:
        return name, None, None

    return match["application"], int(match["pid"]), match["host"]
