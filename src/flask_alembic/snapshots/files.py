"""The files of snapshots: which one is for a database, and what is in it."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

from .text import read
from .text import Snapshot
from .text import UnreadableSnapshot

FOLDER: t.Final = "snapshots"
"""The folder in the migrations folder."""


def snapshot_path(location: Path, database: str, kind: str) -> Path:
    """The file of a database.

    :param location: The migrations folder.
    :param database: The name of the database.
    :param kind: What kind of database it is: one app may have it on several.
    :return: The path, whether or not there is a file.
    """
    name = re.sub(r"[^\w.-]", "_", database)
    return location / FOLDER / f"{name}.{kind}.sql"


def read_snapshot(path: Path) -> Snapshot | None:
    """Read a file.

    :param path: Its path.
    :return: The snapshot; ``None`` if there is no file.
    :raises UnreadableSnapshot: If there is something else in it.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UnreadableSnapshot(error.strerror or type(error).__name__) from error

    try:
        return read(content.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise UnreadableSnapshot("it is not UTF-8") from error
