"""Completion in the shell: what the Tab key offers."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import typing as t
from importlib.metadata import version
from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete
from flask import Flask
from flask.cli import FlaskGroup
from flask.cli import ScriptInfo

from apps import Apps
from apps import write_revision
from flask_alembic import Alembic

pytestmark = pytest.mark.skipif(
    version("click") == "8.2.0", reason="Click 8.2.0 completes no commands of a group"
)

IDS: t.Final = ["cccc3", "bbbb2", "aaaa1"]
LABELS: t.Final = ["main", "other"]
NAMES: t.Final = [*LABELS, "main@head", "other@head", *IDS]

TAKING_NAMES: t.Final = {
    "branch",
    "databases",
    "depend",
    "end",
    "parent",
    "rev_range",
    "revision",
    "revisions",
    "start",
    "target",
    "targets",
}
"""The parameters that take what a revision, a branch or a database is called."""


@pytest.fixture
def app(apps: Apps, tmp_path: Path) -> Flask:
    """An app with two databases that can't be reached, and two branches."""
    missing = f"sqlite:///{tmp_path}/no/such/folder"
    app, _ = apps.several({name: f"{missing}/{name}.db" for name in ("main", "auth")})
    write_revision(app, "aaaa1", message="begin\nhere", branch_labels=("main",))
    write_revision(app, "bbbb2", "aaaa1", message="more")
    write_revision(app, "cccc3", "bbbb2", message="third", branch_labels=("other",))
    return app


def offered(app: Flask, *args: str) -> dict[str, str | None]:
    """What is offered for the last word, with the help of each."""
    group = FlaskGroup(create_app=lambda: app)
    complete = ShellComplete(group, {}, "flask", "_FLASK_COMPLETE")
    *before, incomplete = args
    items = complete.get_completions(["db", *before], incomplete)
    return {item.value: item.help for item in items}


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("upgrade",), ["head", "heads", *NAMES]),
        (("downgrade",), ["base", *NAMES]),
        (("stamp",), ["head", "heads", "base", *NAMES]),
        (("show",), ["current", "head", "heads", "base", *NAMES]),
        (("show", "aaaa1"), ["current", "head", "heads", "base", *NAMES]),
        (("edit",), ["current", "head", *NAMES]),
        (("merge",), ["head", "heads", *NAMES]),
        (("merge", "aaaa1"), ["head", "heads", *NAMES]),
        (("log", "--start"), ["current", "head", "heads", "base", *NAMES]),
        (("log", "--end"), ["current", "head", "heads", "base", *NAMES]),
        (("history", "-r"), ["current", "head", "heads", "base", *NAMES]),
        (("revision", "--parent"), ["head", "base", *NAMES]),
        (("revision", "--head"), ["head", "base", *NAMES]),
        (("revision", "message", "-d"), ["head", *NAMES]),
        (("migrate", "-p"), ["head", "base", *NAMES]),
        (("revision", "-b"), LABELS),
        (("migrate", "--branch"), LABELS),
        (("upgrade", "--database"), ["main", "auth"]),
        (("downgrade", "base", "--database"), ["main", "auth"]),
        (("ensure-version", "--database"), ["main", "auth"]),
        (("current", "--database"), ["main", "auth"]),
        (("check", "--database", "main", "--database"), ["main", "auth"]),
    ],
)
def test_offered(app: Flask, args: tuple[str, ...], words: list[str]) -> None:
    """Ids, labels, words and databases are offered where one can stand. The databases
    are not asked.
    """
    assert list(offered(app, *args, "")) == words


def places(create_app: t.Callable[[], Flask], app: Flask) -> dict[str, list[str]]:
    """What is offered at each argument and option of each command."""
    group = app.cli.commands["db"]
    assert isinstance(group, click.Group)
    context = click.Context(group, obj=ScriptInfo(create_app=create_app))
    result = {}

    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        inner = click.Context(command, parent=context)

        for param in command.params:
            if isinstance(param.type, (click.File, click.Path)):
                continue  # the shell knows files

            items = param.shell_complete(inner, "")
            result[f"{name} {param.name}"] = [item.value for item in items]

    return result


def test_every_place(app: Flask) -> None:
    """Each argument and option for a revision, branch or database offers something."""
    found = places(lambda: app, app)
    offering = {place for place in found if place.split()[1] in TAKING_NAMES}
    assert {place for place in found if found[place]} == offering
    assert {place.split()[1] for place in offering} == TAKING_NAMES


@pytest.mark.parametrize(
    ("incomplete", "words"),
    [
        ("h", ["head", "heads"]),
        ("bb", ["bbbb2"]),
        ("main", ["main", "main@head"]),
        ("nothing", []),
    ],
)
def test_beginning(app: Flask, incomplete: str, words: list[str]) -> None:
    """What begins otherwise is not offered."""
    assert list(offered(app, "upgrade", incomplete)) == words


@pytest.mark.parametrize(
    ("incomplete", "words"),
    [
        ("bb", ["bbbb2"]),
        ("aaaa1:bb", ["aaaa1:bbbb2"]),
        (":he", [":head", ":heads"]),
        ("current:c", ["current:current", "current:cccc3"]),
    ],
)
def test_range(app: Flask, incomplete: str, words: list[str]) -> None:
    """Both ends of a range are completed."""
    assert list(offered(app, "log", "-r", incomplete)) == words


def test_messages_are_told(app: Flask) -> None:
    """Shells that can show it get the message of each revision."""
    assert offered(app, "upgrade", "aa") == {"aaaa1": "begin here"}
    assert offered(app, "upgrade", "head") == {"head": None, "heads": None}


def test_commands_and_options(app: Flask) -> None:
    """Commands and options are offered too, as by Click."""
    assert list(offered(app, "st")) == ["stamp", "status"]
    assert list(offered(app, "heads", "--i")) == ["--ids"]
    assert list(offered(app, "--q")) == ["--quiet"]


def test_another_directory(app: Flask) -> None:
    """``-d`` is the folder whose revisions are offered."""
    write_revision(app, "dddd4", folder="others")
    folder = str(Path(app.root_path, "others"))
    assert list(offered(app, "-d", folder, "show", "d")) == ["dddd4"]


# Whatever is wrong


def test_broken_revision(app: Flask, capfd: pytest.CaptureFixture[str]) -> None:
    """With a broken file nothing is offered, and nothing said."""
    Path(app.root_path, "migrations", "bad.py").write_text("revision = \n")
    assert offered(app, "upgrade", "") == {}
    assert list(offered(app, "upgrade", "--database", "")) == ["main", "auth"]
    assert capfd.readouterr() == ("", "")


def test_loud_revision(app: Flask, capfd: pytest.CaptureFixture[str]) -> None:
    """What a file prints or warns of when it is loaded does not get in the way."""
    header = "import warnings\nprint('loud')\nwarnings.warn('loud')"
    write_revision(app, "dddd4", "cccc3", header=header)
    assert list(offered(app, "upgrade", "d")) == ["dddd4"]
    assert capfd.readouterr() == ("", "")


def test_wrong_config(apps: Apps, capfd: pytest.CaptureFixture[str]) -> None:
    """With a wrong config nothing is offered, and nothing said."""
    app = apps.flask()
    Alembic(app, run_mkdir=False)
    app.config["ALEMBIC"] = {"script_locatoin": "x"}

    for args in (("upgrade", ""), ("upgrade", "--database", ""), ("log", "-r", "a:")):
        assert offered(app, *args) == {}

    assert capfd.readouterr() == ("", "")


def test_app_that_can_not_be_loaded(
    app: Flask, capfd: pytest.CaptureFixture[str]
) -> None:
    """Where the app can't be loaded nothing is offered, and nothing said."""

    def fail() -> Flask:
        raise RuntimeError("no such app")

    assert [place for place, words in places(fail, app).items() if words] == []
    assert capfd.readouterr() == ("", "")


# A real shell

WSGI: t.Final = """
import sqlalchemy as sa
from flask import Flask
from flask_alembic import Alembic

app = Flask("app", root_path={root!r})
Alembic(
    app,
    metadatas={{"main": sa.MetaData(), "auth": sa.MetaData()}},
    engines={{
        "main": sa.create_engine("sqlite:///{root}/main.db"),
        "auth": sa.create_engine("sqlite:///{root}/auth.db"),
    }},
)
"""

PRESS_TAB: t.Final = """
eval "$(_FLASK_COMPLETE=bash_source flask)"
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_flask_completion flask
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_in_bash(tmp_path: Path) -> None:
    """Pressing Tab in bash offers what the app has."""
    Path(tmp_path, "wsgi.py").write_text(WSGI.format(root=str(tmp_path)))
    flask = Flask("app", root_path=str(tmp_path))
    write_revision(flask, "aaaa1")
    write_revision(flask, "bbbb2", "aaaa1")

    def press_tab(*words: str) -> list[str]:
        variables = {**os.environ, "FLASK_APP": "wsgi"}
        folder = Path(sys.executable).parent
        variables["PATH"] = f"{folder}{os.pathsep}{variables['PATH']}"
        result = subprocess.run(
            ["bash", "-c", PRESS_TAB, "bash", "flask", "db", *words],
            cwd=tmp_path,
            env=variables,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (result.returncode, result.stderr) == (0, "")
        return result.stdout.split()

    assert press_tab("upgrade", "") == ["head", "heads", "bbbb2", "aaaa1"]
    assert press_tab("downgrade", "a") == ["aaaa1"]
    assert press_tab("upgrade", "--database", "a") == ["auth"]
    assert not Path(tmp_path, "main.db").exists()
