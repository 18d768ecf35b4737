"""Projects that other tools made: a folder with an app, where commands are typed."""

from __future__ import annotations

import os
import tempfile
import typing as t
from dataclasses import dataclass
from dataclasses import field
from importlib.metadata import version
from pathlib import Path

from commands import command_server

FIXED_INIT: t.Final = """
import sys
from pathlib import Path
from alembic.config import Config
from flask.cli import main
Config._get_template_path = lambda self: Path(self.get_template_directory())
sys.argv[0] = "flask"
main()
"""
"""``flask``, where Alembic asks a subclass of its config for the templates."""

FORGETS_TEMPLATES: t.Final = version("alembic") == "1.16.0"
"""That version does not, so that Flask-Migrate's ``init`` finds no template with it."""


@dataclass
class Project:
    """A folder, and the environment variables that its app reads."""

    folder: Path
    variables: dict[str, str] = field(default_factory=dict)

    def write(self, name: str, text: str) -> None:
        """Write a file."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def replace(self, name: str, old: str, new: str) -> None:
        """Change a file by hand. What is changed has to be there."""
        path = self.folder / name
        text = path.read_text()
        assert old in text, f"{name} has no {old!r}"
        path.write_text(text.replace(old, new))

    def set(self, **variables: str) -> None:
        """Set environment variables."""
        self.variables |= variables

    def run(self, *command: str, code: int = 0) -> str:
        """Type a command, and get what it prints."""
        own = {k: v for k, v in os.environ.items() if not k.startswith("FLASK_")}
        with tempfile.NamedTemporaryFile("r", encoding="utf-8") as printed:
            found = command_server().run(
                command,
                self.folder,
                {**own, "PYTHONDONTWRITEBYTECODE": "1", **self.variables},
                Path(printed.name),
            )
            output = printed.read()

        assert found == code, f"{command}\n{output}"
        return output

    def db(self, *args: str, code: int = 0) -> str:
        """Type ``flask db``."""
        if FORGETS_TEMPLATES and args[0] == "init":
            return self.run("python", "-c", FIXED_INIT, "db", *args, code=code)

        return self.run("flask", "db", *args, code=code)

    def files(self) -> dict[str, str]:
        """The files of the migrations folder, and what they hold."""
        folder = self.folder / "migrations"
        return {
            str(path.relative_to(folder)): path.read_text()
            for path in sorted(folder.rglob("*"))
            if path.is_file() and "__pycache__" not in path.parts
        }

    def new_files(self, before: t.Mapping[str, str]) -> list[str]:
        """The files that were not there, where all others are as they were."""
        now = self.files()
        assert {name: now.get(name) for name in before} == dict(before)
        return sorted(now.keys() - before.keys())
