"""Processes that use one migrations folder at the same time, and such as are killed."""

from __future__ import annotations

import ast
import contextlib
import json
import signal
import subprocess
import sys
import typing as t
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from apps import Apps
from apps import write_revision
from flask_alembic import Alembic
from flask_alembic import FlaskAlembicError

pytestmark = pytest.mark.faults

WORKER: t.Final = """
import json
import os
import signal
import sys
import traceback

import sqlalchemy as sa
from flask import Flask
from flask_alembic import Alembic


def make(root, **config):
    app = Flask("app", root_path=root)
    app.config["ALEMBIC"] = config
    engine = sa.create_engine("sqlite://")
    return app, Alembic(app, metadatas=sa.MetaData(), engines=engine)


def die(*args):
    os.kill(os.getpid(), signal.SIGKILL)

{work}

print("ready", flush=True)

for line in sys.stdin:
    try:
        answer = {{"result": work(*json.loads(line))}}
    except BaseException:
        answer = {{"error": traceback.format_exc()}}

    sys.stdout.write(json.dumps(answer) + "\\n")
    sys.stdout.flush()
"""

REGISTER: t.Final = """
def work(root):
    app, alembic = make(root, version_locations=["a", ("b", "c/d")])

    with app.app_context():
        assert alembic.heads() == ()

    with open(f"{root}/migrations/script.py.mako") as file:
        return file.read()
"""

REVISE: t.Final = """
def work(root, parent):
    app, alembic = make(root)

    with app.app_context():
        script, = alembic.revision("next", empty=True, parent=parent, splice=True)
        return script.revision
"""

FIRST: t.Final = """
def work(root):
    app, alembic = make(root)

    try:
        with app.app_context():
            script, = alembic.revision("first", empty=True)
            return script.revision
    except Exception as error:
        # Losing the race may be an error, if it is one of ours.
        return type(error).__module__
"""

FOREVER: t.Final = """
def work(root, parent):
    app, alembic = make(root)

    while True:
        with app.app_context():
            alembic.revision("next", empty=True, parent=parent, splice=True)
"""


class Workers:
    """Processes that do the same work each time they are told to, at once."""

    def __init__(self, count: int, work: str) -> None:
        command = [sys.executable, "-W", "error", "-c", WORKER.format(work=work)]
        self.processes = [
            subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            for _ in range(count)
        ]

        for process in self.processes:
            assert self._read(process) == "ready\n"

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.processes:
            process.kill()
            process.communicate()

    def tell(self, *arguments: t.Any) -> None:
        """Let all begin."""
        for process in self.processes:
            assert process.stdin is not None
            process.stdin.write(f"{json.dumps(arguments)}\n")
            process.stdin.flush()

    def answers(self) -> list[t.Any]:
        """What they returned. An error of any is raised."""
        answers = [json.loads(self._read(process)) for process in self.processes]
        errors = [answer["error"] for answer in answers if "error" in answer]
        assert not errors, errors[0]
        return [answer["result"] for answer in answers]

    def _read(self, process: subprocess.Popen[str]) -> str:
        assert process.stdout is not None
        return process.stdout.readline()


def python_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("**/*.py"))


def run_to_death(work: str, *arguments: t.Any) -> None:
    """Run work in a process that kills itself on the way."""
    with Workers(1, work) as workers:
        (process,) = workers.processes
        workers.tell(*arguments)
        assert process.wait(60) == -signal.SIGKILL


def heads(app: t.Any, alembic: Alembic) -> set[str]:
    with app.app_context():
        return {script.revision for script in alembic.heads()}


@pytest.mark.parametrize(("count", "rounds"), [(2, 30), (8, 10)])
def test_processes_register_at_once(tmp_path: Path, count: int, rounds: int) -> None:
    """All make the folders and the template, no one fails, and each reads a whole
    template.
    """
    with Workers(count, REGISTER) as workers:
        for number in range(rounds):
            root = tmp_path / f"app{number}"
            root.mkdir()
            workers.tell(str(root))
            (template,) = set(workers.answers())
            assert "repr(up_revision)" in template
            made = {str(path.relative_to(root)) for path in root.rglob("*")}
            assert made == {
                "a",
                "c",
                "c/d",
                "migrations",
                "migrations/script.py.mako",
            }


def test_processes_make_revisions_at_once(apps: Apps, sqlite_url: str) -> None:
    """Each gets an id of its own, whoever looks meanwhile finds whole files only, and
    the history holds all of them.
    """
    app, alembic = apps.plain(sqlite_url)
    folder = write_revision(app, "r1").parent
    ids: list[str] = []
    looked = 0

    with Workers(4, REVISE) as workers, ThreadPoolExecutor(1) as executor:
        for _ in range(5):
            workers.tell(app.root_path, "r1")
            future = executor.submit(workers.answers)

            while not future.done():
                for path in python_files(folder):
                    tree = ast.parse(path.read_bytes())
                    assert isinstance(tree.body[-1], ast.FunctionDef), path
                    assert tree.body[-1].name == "downgrade", path
                    looked += 1

            ids += future.result()

    assert looked
    assert len(set(ids)) == 20
    assert heads(app, alembic) == set(ids)
    assert len(python_files(folder)) == 21
    assert not list(folder.glob("**/*.tmp"))


def test_processes_make_the_first_revision_at_once(apps: Apps, sqlite_url: str) -> None:
    """Where there is no revision yet, the history can be used afterwards, too."""
    for _ in range(3):
        app, alembic = apps.plain(sqlite_url)

        with Workers(4, FIRST) as workers:
            workers.tell(app.root_path)
            answers = workers.answers()

        made = [answer for answer in answers if answer.isdecimal()]
        assert made
        assert set(answers) - set(made) <= {"flask_alembic.errors"}
        assert heads(app, alembic) <= set(made)

        with app.app_context():
            assert {script.revision for script in alembic.log()} == set(made)


@pytest.mark.parametrize("label", [None, "users"])
def test_revision_by_who_has_not_seen_the_last(
    apps: Apps, sqlite_url: str, label: str | None
) -> None:
    """Two processes that both saw an empty folder: the second one must not write what
    can't stand beside the first one's revision.
    """
    first, first_alembic = apps.plain(sqlite_url, name="shared")
    second, second_alembic = apps.plain(sqlite_url, name="shared")

    with second.app_context():
        assert second_alembic.heads() == ()

        with first.app_context():
            first_alembic.revision("first", empty=True, label=label)

        # An error of ours is right, and so is a revision of the first one.
        with contextlib.suppress(FlaskAlembicError):
            second_alembic.revision("second", empty=True, label=label)

    assert len(heads(first, first_alembic)) == 1


@pytest.mark.parametrize("verb", ["revision", "merge", "mkdir"])
@pytest.mark.parametrize("moment", ["os.fsync", "pathlib.Path.replace"])
def test_killed_while_writing(
    apps: Apps, sqlite_url: str, verb: str, moment: str
) -> None:
    """A process that dies while it writes leaves no part of a file that others would
    read, and no lock.
    """
    app, alembic = apps.plain(sqlite_url)
    write_revision(app, "r1")
    write_revision(app, "r2", "r1")
    folder = write_revision(app, "r3", "r1").parent
    template = folder / "script.py.mako"
    template.unlink()
    before = python_files(folder)
    call = {
        "revision": 'revision("x", empty=True, parent="r2")',
        "merge": "merge()",
        "mkdir": "mkdir()",
    }[verb]
    work = f"""
import pathlib

def work(root):
    app, alembic = make(root)
    os.remove(f"{{root}}/migrations/script.py.mako")

    with app.app_context():
        alembic.script_directory
        {moment} = die
        alembic.{call}
"""
    run_to_death(work, app.root_path)
    assert python_files(folder) == before
    assert not template.exists()
    assert heads(app, alembic) == {"r2", "r3"}

    with app.app_context():
        assert alembic.merge() is not None

    with app.app_context():
        alembic.mkdir()
        assert template.read_bytes()
        assert len(alembic.heads()) == 1


def test_killed_after_writing(apps: Apps, sqlite_url: str) -> None:
    """If it dies while a hook formats the file, the file is whole."""
    app, alembic = apps.plain(sqlite_url)
    folder = write_revision(app, "r1").parent
    code = "import os, signal; os.kill(os.getppid(), signal.SIGKILL)"
    work = f"""
def work(root):
    app, alembic = make(root, post_write_hooks={{
        "hooks": "own",
        "own.type": "exec",
        "own.executable": sys.executable,
        "own.options": "-c '{code}' REVISION_SCRIPT_FILENAME",
    }})

    with app.app_context():
        alembic.revision("killed", empty=True, parent="r1")
"""
    run_to_death(work, app.root_path)
    assert len(python_files(folder)) == 2

    with app.app_context():
        (script,) = alembic.heads()
        assert script.doc == "killed"
        alembic.upgrade()


def test_killed_at_any_moment(apps: Apps, sqlite_url: str) -> None:
    """Processes that write all the time are killed: the files that are there are whole,
    and the next process goes on.
    """
    app, alembic = apps.plain(sqlite_url)
    folder = write_revision(app, "r1").parent

    for _ in range(3):
        before = len(python_files(folder))

        with Workers(2, FOREVER) as workers:
            workers.tell(app.root_path, "r1")

            while len(python_files(folder)) < before + 4:
                assert all(process.poll() is None for process in workers.processes)

        assert len(heads(app, alembic)) == len(python_files(folder)) - 1

        with app.app_context():
            alembic.revision("next", empty=True, parent="r1", splice=True)
