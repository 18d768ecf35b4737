"""An app in a folder that uses one of the tools, and the processes that run it."""

from __future__ import annotations

import os
import re
import subprocess
import textwrap
import typing as t
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from chaos.databases import Database
from tools import Environment

LIMIT: t.Final = 40
"""Seconds after which a process counts as one that hangs."""

APP: t.Final = """\
import os
import time

import sqlalchemy as sa
from flask import Flask
from flask_sqlalchemy import SQLAlchemy

db = SQLAlchemy()
{extension}

@sa.event.listens_for(sa.engine.Engine, "connect")
def check_foreign_keys(driver, record):
    if "sqlite" in type(driver).__module__:
        driver.execute("PRAGMA foreign_keys=ON")


def create_app():
    app = Flask(__name__)
    app.config["SQLALCHEMY_DATABASE_URI"] = os.environ["DATABASE_URL"]
    db.init_app(app)
    extension.init_app(app)

    @app.get("/")
    def index():
        return str(db.session.scalar(sa.text("SELECT count(*) FROM counter")))

    if "UPGRADE_IN_FACTORY" in os.environ:
        with app.app_context():
            upgrade()

    if "START" in os.environ:
        # All processes get here before one of them goes on.
        open(f"{{os.environ['START']}}-{{os.getpid()}}", "w").close()

        while not os.path.exists(os.environ["START"]):
            time.sleep(0.001)

    return app
"""

REVISION: t.Final = """\
import os
import signal
import time

import sqlalchemy as sa
from alembic import op

revision = {id!r}
down_revision = {down_revision!r}
branch_labels = depends_on = None


def upgrade():
{upgrade}


def downgrade():
    pass
"""

Chain = t.Sequence[t.Sequence[str]]
"""Revisions, each a few operations."""


class App:
    """An app on a database, whose tables ``counter``, ``parent`` and ``child`` have
    rows before the first revision.
    """

    def __init__(self, environment: Environment, database: Database, folder: Path):
        self.environment = environment
        self.tool = environment.tool
        self.database = database
        self.folder = folder
        folder.mkdir()
        (folder / "app.py").write_text(APP.format(extension=self.tool.extension))
        _make_tables(database)

        if self.tool.needs_init:
            self.db("init")

    def write(self, chain: Chain) -> None:
        """Write the revisions."""
        versions = self.folder / self.tool.versions
        versions.mkdir(exist_ok=True, parents=True)

        for number, operations in enumerate(chain):
            lines = "\n".join(operations).splitlines()
            text = REVISION.format(
                id=f"r{number}",
                down_revision=f"r{number - 1}" if number else None,
                upgrade="\n".join(f"    {line}" for line in lines),
            )
            (versions / f"r{number}.py").write_text(text)

    def start(self, program: str, *args: str, **variables: str) -> Process:
        """Start a program of the tool's environment in the app's folder."""
        own = {k: v for k, v in os.environ.items() if not k.startswith("FLASK_")}
        own |= {"DATABASE_URL": self.database.url, "PYTHONDONTWRITEBYTECODE": "1"}
        command = [self.environment.binary(program), *args]
        return Process(command, self.folder, {**own, **variables})

    def db(self, *args: str, **variables: str) -> Process:
        """Type ``flask db``, and wait until it has ended."""
        process = self.start("flask", "db", *args, **variables)
        process.wait()
        return process

    def counter(self) -> int:
        """What the counter says, that each revision adds one to."""
        return int(self.scalar("SELECT n FROM counter"))

    def scalar(self, statement: str) -> t.Any:
        """Ask the database."""
        with self.database.connect() as connection:
            return connection.scalar(sa.text(statement))

    def missing(self, tables: t.Iterable[str]) -> list[str]:
        """Those of some tables that are not there."""
        with self.database.connect() as connection:
            return sorted(set(tables) - set(sa.inspect(connection).get_table_names()))


class Process:
    """A process, and what it prints."""

    def __init__(self, command: list[str], folder: Path, variables: dict[str, str]):
        self.log = folder / f"log{len(list(folder.glob('log*')))}"

        with self.log.open("w") as log:
            self.popen = subprocess.Popen(
                command, cwd=folder, env=variables, stdout=log, stderr=log
            )

    @property
    def running(self) -> bool:
        """Whether it runs."""
        return self.popen.poll() is None

    @property
    def failed(self) -> bool:
        """Whether it ended with another exit code than 0."""
        return self.popen.returncode != 0

    def wait(self, limit: float = LIMIT) -> None:
        """Wait until it has ended, and kill it if that takes too long."""
        try:
            self.popen.wait(limit)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
            self.log.write_text(f"hung for {limit} s")

    def reason(self) -> str:
        """Why it failed, in a few words."""
        output = self.log.read_text()

        if match := re.search(r"\S*table \S+ already exists", output, re.IGNORECASE):
            return match[0].strip("(\"',. ")

        lines = re.findall(r".*(?:Error|hung).*", output) or ["no message"]
        line = re.sub(r"^.*?Error[:)] ", "", lines[-1]).split(". ")[0]
        return textwrap.shorten(line, 70, placeholder=" ...")


@contextmanager
def ending(process: Process) -> t.Iterator[Process]:
    """End a process at the end."""
    try:
        yield process
    finally:
        if process.running:
            process.popen.terminate()
            process.wait(10)


def _make_tables(database: Database) -> None:
    key = "INTEGER PRIMARY KEY"
    statements = [
        "CREATE TABLE counter (n INTEGER)",
        "INSERT INTO counter VALUES (0)",
        f"CREATE TABLE parent (id {key}, name VARCHAR(40))",
        "INSERT INTO parent VALUES (1, 'a')",
        f"CREATE TABLE child (id {key}, parent_id INTEGER, "
        "FOREIGN KEY (parent_id) REFERENCES parent (id) ON DELETE CASCADE)",
        "INSERT INTO child VALUES (1, 1), (2, 1)",
    ]

    with database.connect() as connection, connection.begin():
        for statement in statements:
            connection.execute(sa.text(statement))
