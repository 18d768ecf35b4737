"""Runs a command, such as pytest, with servers of its own: nothing of theirs has to
outlast a crash, so that they do not wait for the disk, which is what tests on a usual
server do most of the time. Files that are written meanwhile are in memory, if that is
large enough.

    .venv/bin/python tests/with_servers.py .venv/bin/pytest -n auto

A server that an environment variable names is used as it is, and one whose programs are
not installed is looked for where it usually is.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import typing as t
from contextlib import ExitStack
from pathlib import Path

from own_servers import OwnMariaDB
from own_servers import OwnPostgreSQL

_MEMORY: t.Final = "/dev/shm"
_ENOUGH: t.Final = 4 * 2**30

# What Debian sets. Of its own accord this server takes one byte for a character.
_MARIADB_OPTIONS: t.Final = (
    "--character-set-server=utf8mb4",
    "--collation-server=utf8mb4_general_ci",
    "--sync-frm=OFF",
)


def main(command: list[str]) -> int:
    """Run a command: its exit code."""
    if os.path.isdir(_MEMORY) and shutil.disk_usage(_MEMORY).free > _ENOUGH:
        # Also for the servers.
        os.environ.setdefault("TMPDIR", _MEMORY)

    with ExitStack() as stack:
        environment = dict(os.environ)

        for name, start in STARTS.items():
            if name not in environment and (url := start(stack)):
                environment[name] = url

        process = subprocess.Popen(command, env=environment)
        # It ends by itself if it is told to by the terminal, which tells us too.
        signal.signal(signal.SIGINT, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: process.terminate())
        return process.wait()


def _postgresql(stack: ExitStack) -> str | None:
    if not list(Path("/usr/lib/postgresql").glob("*/bin/initdb")):
        return None

    server = OwnPostgreSQL()
    stack.callback(server.remove)
    server.start()
    return server.url


def _mariadb(stack: ExitStack) -> str | None:
    if not shutil.which("mariadb-install-db") or not shutil.which("mariadbd"):
        return None

    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="flask_alembic_"))
    server = OwnMariaDB(Path(folder), *_MARIADB_OPTIONS)
    stack.callback(server.stop)
    server.start()
    return server.url.removesuffix("test")


STARTS: t.Final[dict[str, t.Callable[[ExitStack], str | None]]] = {
    "FLASK_ALEMBIC_TEST_POSTGRESQL": _postgresql,
    "FLASK_ALEMBIC_TEST_MARIADB": _mariadb,
}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
