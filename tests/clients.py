"""The databases' own clients: what people run scripts with."""

from __future__ import annotations

import os
import shutil
import subprocess
import typing as t
from pathlib import Path

import pytest
import sqlalchemy as sa

PROGRAMS: t.Final = {"sqlite": "sqlite3", "postgresql": "psql", "mariadb": "mariadb"}


def require_client(server: str) -> None:
    """Skip a test, and say so, where the client of a server is not installed."""
    program = PROGRAMS[server]

    if shutil.which(program) is None:
        if os.environ.get("FLASK_ALEMBIC_TEST_REQUIRE") == "all":
            pytest.fail(f"{program} is not installed")

        pytest.skip(f"{program} is not installed")


def run_script(url: str, script: str, folder: Path) -> None:
    """Run a script on a database as a person would, stopping at the first error."""
    path = folder / "script.sql"
    path.write_text(script, encoding="utf-8")
    made = sa.make_url(url)
    server = made.get_backend_name().replace("mysql", "mariadb")
    environment = {
        **os.environ,
        "PGPASSWORD": made.password or "",
        "MYSQL_PWD": made.password or "",
        # The least that a person's terminal may be set to.
        "LC_ALL": "C",
    }

    with path.open("rb") as file:
        result = subprocess.run(
            _arguments(server, made, path),
            stdin=file,
            env=environment,
            capture_output=True,
            check=False,
        )

    output = (result.stdout + result.stderr).decode()
    assert result.returncode == 0, f"{output}\n{script}"
    assert "ERROR" not in output


def _arguments(server: str, url: sa.URL, path: Path) -> list[str]:
    if server == "sqlite":
        return ["sqlite3", "-bail", str(url.database)]

    host, user, name = url.host or "", url.username or "", url.database or ""

    if server == "postgresql":
        return [
            *("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-1", "-f", str(path)),
            *("-h", host, "-p", str(url.port or 5432), "-U", user, "-d", name),
        ]

    return [
        *("mariadb", "--protocol=tcp", "--host", host, "--user", user),
        *("--port", str(url.port or 3306), name),
    ]
