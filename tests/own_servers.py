"""Servers of a test's own, which it may stop and start."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
import typing as t
from pathlib import Path

import pytest
import sqlalchemy as sa

_LONGEST: t.Final = 30.0  # seconds


class OwnPostgreSQL:
    """A PostgreSQL server. It refuses to run as root, so that its files can't lie in
    a folder that is root's alone.
    """

    def __init__(self) -> None:
        self.programs = _programs()
        self.user = _user("postgres")
        self.folder = Path(tempfile.mkdtemp(prefix="flask_alembic_"))
        self.port = free_port()
        self.url = f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/postgres"

        if self.user:
            shutil.chown(self.folder, self.user)

        options = ("-U", "postgres", "-A", "trust", "--locale=C.UTF-8", "--no-sync")
        self._run("initdb", *options, "-D", "data")

    def start(self) -> None:
        """Start it, and wait until it can be used."""
        options = (
            f"-p {self.port} -k . -c listen_addresses=127.0.0.1"
            " -c fsync=off -c full_page_writes=off -c autovacuum=off"
        )
        self._run("pg_ctl", "start", "-w", "-D", "data", "-l", "log", "-o", options)

    def stop(self) -> None:
        """Stop it as if it had crashed, if it runs."""
        if (self.folder / "data" / "postmaster.pid").exists():
            self._run("pg_ctl", "stop", "-w", "-m", "immediate", "-D", "data")

    def restart(self) -> None:
        """Let all connections be lost."""
        self.stop()
        self.start()

    def remove(self) -> None:
        """Leave nothing behind."""
        self.stop()
        shutil.rmtree(self.folder)

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [str(self.programs / program), *arguments],
            cwd=self.folder,
            user=self.user,
            env={**os.environ, "LC_ALL": "C"},
            stdout=subprocess.DEVNULL,
            check=True,
        )


class OwnMariaDB:
    """A MariaDB server."""

    def __init__(self, folder: Path, *options: str) -> None:
        for program in ("mariadb-install-db", "mariadbd"):
            if shutil.which(program) is None:
                _skip(f"{program} is not installed")

        self.folder = folder
        self.port = free_port()
        self.url = f"mysql+pymysql://root@127.0.0.1:{self.port}/test"
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        # When a server starts it drops the temporary tables of all in that folder.
        self._environment = {**os.environ, "TMPDIR": str(folder)}
        made = subprocess.run(
            [
                "mariadb-install-db",
                *("--no-defaults", f"--datadir={folder}", "--user=root"),
                *("--auth-root-authentication-method=normal", "--skip-test-db"),
            ],
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert made.returncode == 0, made.stdout

    def start(self) -> None:
        """Start it, and wait until it can be used."""
        self._process = subprocess.Popen(
            [
                "mariadbd",
                *("--no-defaults", f"--datadir={self.folder}", "--user=root"),
                *(f"--port={self.port}", "--bind-address=127.0.0.1"),
                *("--socket=", "--innodb-flush-log-at-trx-commit=0"),
                *self._options,
            ],
            env=self._environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            # What is typed at the terminal is not for it.
            start_new_session=True,
        )
        end = time.monotonic() + _LONGEST

        while not _answers(self.port):
            assert self._process.poll() is None, "mariadbd did not start"
            assert time.monotonic() < end, "mariadbd did not answer"
            time.sleep(0.05)

        engine = sa.create_engine(
            sa.make_url(self.url).set(database=""), poolclass=sa.NullPool
        )

        with engine.connect() as connection:
            connection.exec_driver_sql("CREATE DATABASE IF NOT EXISTS test")

    def stop(self) -> None:
        """Stop it as if it had crashed, if it runs."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def restart(self) -> None:
        """Let all connections be lost."""
        self.stop()
        self.start()


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def _answers(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


def _programs() -> Path:
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"))

    if not any((folder / "initdb").exists() for folder in folders):
        _skip("initdb is not installed")

    return folders[-1]


def _user(name: str) -> str | None:
    if os.geteuid() != 0:
        return None

    try:
        return pwd.getpwnam(name).pw_name
    except KeyError:
        _skip(f"there is no user {name}")


def _skip(reason: str) -> t.NoReturn:
    if os.environ.get("FLASK_ALEMBIC_TEST_REQUIRE") == "all":
        pytest.fail(reason)

    pytest.skip(reason)
