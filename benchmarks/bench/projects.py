"""Projects whose commands are typed: a folder for each tool, with an app and a
migrations folder.
"""

from __future__ import annotations

import shutil
import typing as t
from pathlib import Path

from bench.histories import Step
from bench.histories import write
from bench.measuring import Sample
from bench.processes import run_command
from tools import Environment

BARE: t.Final = "bare"
"""The app without a migration extension, whose command does nothing."""

APP: t.Final = """\
from pathlib import Path

import sqlalchemy as sa
from flask import Flask
from flask_sqlalchemy import SQLAlchemy

db = SQLAlchemy()
{extension}

class Author(db.Model):
    id = sa.Column(sa.Integer, primary_key=True)
    name = sa.Column(sa.String(80), nullable=False)


class Book(db.Model):
    id = sa.Column(sa.Integer, primary_key=True)
    title = sa.Column(sa.String(200), nullable=False)
    author_id = sa.Column(sa.ForeignKey("author.id"), index=True)


def create_app():
    app = Flask(__name__)
    path = Path(__file__).with_name("data.db")
    app.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{{path}}"
    db.init_app(app)
    {register}

    @app.cli.command("noop")
    def noop():
        pass

    return app
"""


class Project:
    """An app in a folder, and the commands typed there.

    :param environment: The environment of a tool.
    :param folder: The folder, which is made.
    :param bare: Whether the app does without the tool.
    """

    def __init__(
        self, environment: Environment, folder: Path, *, bare: bool = False
    ) -> None:
        self.environment = environment
        self.tool = environment.tool
        self.folder = folder
        self.name = BARE if bare else self.tool.name
        folder.mkdir()
        extension = "" if bare else self.tool.extension
        register = "" if bare else "extension.init_app(app)"
        app = APP.format(extension=extension, register=register)
        (folder / "app.py").write_text(app)

        if self.tool.needs_init and not bare:
            self.flask("db", "init")

    @property
    def versions(self) -> Path:
        """The folder of the revisions."""
        return self.folder / self.tool.versions

    @property
    def database(self) -> Path:
        """The database."""
        return self.folder / "data.db"

    def fill(self, steps: t.Sequence[Step], database: Path) -> None:
        """Write revisions, and take over a database that is at their head."""
        write(steps, self.versions)
        shutil.copy(database, self.database)

    def flask(self, *args: str, **variables: str) -> tuple[Sample, str]:
        """Type ``flask``.

        :return: What it took, and what it printed.
        """
        program = self.environment.binary("flask")
        return run_command([program, *args], self.folder, **variables)
