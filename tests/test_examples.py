"""The examples work as their pages say, each command in a process of its own."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from projects import Project

EXAMPLES = Path(__file__).parent.parent / "examples"

FOUND = {
    "flask_sqlalchemy": {"default": ["add table todo"]},
    "lite_two_databases": {
        "default": ["add table post"],
        "auth": ["add table account"],
    },
    "plain_sqlalchemy": {"default": ["add table todo"]},
}
"""For each example what its first revision finds in each database."""


def run(folder: Path, command: str) -> tuple[int, str]:
    """Run a command as typed in a folder, in a new interpreter: its exit code, and what
    it prints.
    """
    result = subprocess.run(
        [sys.executable, "-m", *shlex.split(command)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return result.returncode, result.stdout


def commands_of(page: Path) -> list[str]:
    """The ``flask`` commands on a page."""
    return re.findall(r"^\$ (flask .*)$", page.read_text("utf-8"), re.MULTILINE)


def test_every_example_is_known() -> None:
    """A new example is tried too."""
    assert {path.name for path in EXAMPLES.iterdir() if path.is_dir()} == set(FOUND)


@pytest.fixture(params=FOUND)
def example(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of each example in turn, in an empty folder."""
    copy = tmp_path / str(request.param)
    shutil.copytree(
        EXAMPLES / str(request.param),
        copy,
        ignore=shutil.ignore_patterns("__pycache__", "instance", "migrations"),
    )
    return copy


def test_commands_of_the_page(example: Path) -> None:
    """Each command on the example's page ends well."""
    commands = commands_of(example / "README.md")
    assert len(commands) >= 2

    for command in commands:
        code, output = run(example, command)
        assert code == 0, output


def test_there_and_back(example: Path) -> None:
    """A revision of the models is made, applied, found in sync, and undone."""
    found = FOUND[example.name]
    several = len(found) > 1

    def lines(database: str, changes: list[str]) -> str:
        prefix = f"{database}: " if several else ""
        return "".join(f"  {prefix}{change}\n" for change in changes)

    def db(*args: str) -> str:
        output = re.sub(r"\d{10}", "ID", project.db(*args))
        return re.sub(r"\d+ ms", "N ms", output)

    project = Project(example)
    assert db("revision", "first") == "Wrote migrations/ID_first.py\n" + "".join(
        lines(name, changes) for name, changes in found.items()
    )
    steps = "".join(lines(name, ["ID  first  upgrade  N ms"]) for name in found)
    ends = "".join(f"1 revision applied to {name}.\n" for name in found)
    assert db("upgrade") == steps + ends
    assert db("check") == "".join(
        f"{name}: the database is at head and matches the models.\n" for name in found
    )
    assert db("downgrade", "-1") == steps.replace("upgrade", "downgrade") + "".join(
        f"1 revision undone on {name}; it is at base now.\n" for name in found
    )
    project.db("current", "--check-heads", code=1)
