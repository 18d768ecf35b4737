"""The tools that are compared: an environment of their own for each, and how an app
uses them.
"""

from __future__ import annotations

import subprocess
import sys
import typing as t
from dataclasses import dataclass
from pathlib import Path

REPOSITORY: t.Final = Path(__file__).resolve().parent.parent
COMMON: t.Final = ("flask-sqlalchemy", "psycopg[binary]", "pymysql", "gunicorn")
"""What the apps need besides the tool."""


@dataclass(frozen=True)
class Tool:
    """A tool, and what is different in an app that uses it."""

    name: str
    requirement: tuple[str, ...]
    """What pip installs."""
    extension: str
    """Code of the app that makes the extension, and a function ``upgrade``."""
    versions: str = "migrations"
    """The folder of the revisions."""
    needs_init: bool = False
    """Whether ``flask db init`` makes files that it does not do without."""


ALEMBIC: t.Final = """
from flask_alembic import Alembic
extension = Alembic()
upgrade = extension.upgrade
"""

MIGRATE: t.Final = """
from flask_migrate import Migrate
from flask_migrate import upgrade
extension = Migrate(db=db)
"""

TOOLS: t.Final = (
    Tool("Flask-Alembic 3.3.0", ("flask-alembic==3.3.0",), ALEMBIC),
    Tool(
        "Flask-Migrate 4.1.0",
        ("flask-migrate==4.1.0",),
        MIGRATE,
        versions="migrations/versions",
        needs_init=True,
    ),
    Tool("this package", ("--editable", str(REPOSITORY)), ALEMBIC),
)


class Environment:
    """A virtual environment with a tool."""

    def __init__(self, tool: Tool, folder: Path) -> None:
        self.tool = tool
        self.folder = folder / tool.name.replace(" ", "-").lower()
        self.ready = self.folder / ".ready"

    def install(self) -> None:
        """Make it, unless it is there."""
        if not self.ready.exists():
            print(f"Installing {self.tool.name} into {self.folder} ...", flush=True)
            _run(sys.executable, "-m", "venv", "--clear", str(self.folder))
            # The same versions of everything else for all of them.
            pins = str(REPOSITORY / "constraints" / "test.txt")
            pip = (self.binary("python"), "-m", "pip", "install", "--quiet")
            _run(*pip, "--constraint", pins, *self.tool.requirement, *COMMON)
            self.ready.touch()

    def binary(self, name: str) -> str:
        """A program in it.

        :param name: The name of the program.
        """
        return str(self.folder / "bin" / name)

    def version(self, package: str) -> str:
        """The version of a package in it.

        :param package: The name of the package.
        """
        code = f"from importlib.metadata import version; print(version({package!r}))"
        return _run(self.binary("python"), "-c", code).strip()


def _run(*command: str) -> str:
    result = subprocess.run(command, capture_output=True, text=True, check=False)

    if result.returncode:
        raise SystemExit(f"{' '.join(command)}\n{result.stdout}{result.stderr}")

    return result.stdout
