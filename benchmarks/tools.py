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

FLASK_ALEMBIC: t.Final = Tool("Flask-Alembic 3.3.0", ("flask-alembic==3.3.0",), ALEMBIC)
FLASK_MIGRATE: t.Final = Tool(
    "Flask-Migrate 4.1.0",
    ("flask-migrate==4.1.0",),
    MIGRATE,
    versions="migrations/versions",
    needs_init=True,
)
OURS: t.Final = Tool("this package", ("--editable", str(REPOSITORY)), ALEMBIC)
TOOLS: t.Final = (FLASK_ALEMBIC, FLASK_MIGRATE, OURS)
PINS: t.Final = REPOSITORY / "constraints" / "test.txt"
"""The same versions of everything else for all of them."""


class Environment:
    """A virtual environment with a tool.

    :param tool: The tool.
    :param folder: Where the environments of all tools are.
    """

    def __init__(self, tool: Tool, folder: Path) -> None:
        self.tool = tool
        self.folder = folder / tool.name.replace(" ", "-").lower()
        self.ready = self.folder / ".ready"

    def install(self) -> None:
        """Make it, unless it is there with the versions that are pinned now."""
        wanted = "\n".join([*self.tool.requirement, *COMMON, PINS.read_text()])

        if not self.ready.exists() or self.ready.read_text() != wanted:
            print(f"Installing {self.tool.name} into {self.folder} ...", flush=True)
            _run(sys.executable, "-m", "venv", "--clear", str(self.folder))
            pip = (self.binary("python"), "-m", "pip", "install", "--quiet")
            _run(*pip, "--constraint", str(PINS), *self.tool.requirement, *COMMON)
            self.ready.write_text(wanted)

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


class Here(Environment):
    """The environment that runs this, for this package alone: nothing is installed."""

    def __init__(self) -> None:
        super().__init__(OURS, Path(sys.executable).parent.parent)
        self.folder = Path(sys.executable).parent.parent

    def install(self) -> None:
        """Nothing is to be done."""


def _run(*command: str) -> str:
    result = subprocess.run(command, capture_output=True, text=True, check=False)

    if result.returncode:
        raise SystemExit(f"{' '.join(command)}\n{result.stdout}{result.stderr}")

    return result.stdout
