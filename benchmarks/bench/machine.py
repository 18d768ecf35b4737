"""Names the machine, and the versions of what is measured."""

from __future__ import annotations

import os
import platform
import typing as t
from pathlib import Path

from servers import Server
from tools import Environment

PACKAGES: t.Final = ("flask", "sqlalchemy", "alembic", "click", "psycopg", "pymysql")


def describe(environment: Environment, servers: t.Sequence[Server]) -> dict[str, str]:
    """What a reader has to know to judge the numbers.

    :param environment: One of them; the versions are the same in all.
    :param servers: The databases.
    :return: Name to value.
    """
    return {
        "cpu": f"{_processor()}, {os.cpu_count()} cores",
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        **{name: environment.version(name) for name in PACKAGES},
        **{server.name: server.version for server in servers},
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model n")]
    return names[0] if names else platform.machine()
