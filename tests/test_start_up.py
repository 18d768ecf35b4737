"""What an app that starts pays for the extension, and a command that finds nothing to
do.
"""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask

from apps import write_revision
from flask_alembic import Alembic
from flask_alembic.alembic_config import make_config
from flask_alembic.alembic_config import places_of
from flask_alembic.settings import read_settings

APP = """
import sys
from pathlib import Path
from flask import Flask
from flask_alembic import Alembic
import sqlalchemy as sa

app = Flask("app", root_path={root!r})
alembic = Alembic(
    app,
    metadatas=sa.MetaData(),
    engines=sa.create_engine("sqlite:///" + {root!r} + "/app.db"),
    run_mkdir={run_mkdir},
)
"""


def run(folder: Path, *lines: str, run_mkdir: bool = True) -> list[str]:
    """Run code in a fresh interpreter, after an app was made.

    :return: What it prints, a word an item.
    """
    code = APP.format(root=str(folder), run_mkdir=run_mkdir) + "\n".join(lines)
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.split()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The root of an app with two revisions, whose database is at head."""
    app = Flask("app", root_path=str(tmp_path))
    engine = sa.create_engine(f"sqlite:///{tmp_path}/app.db")
    alembic = Alembic(app, metadatas=sa.MetaData(), engines=engine)
    write_revision(app, "r1")
    write_revision(app, "r2", "r1")

    with app.app_context():
        alembic.upgrade()

    engine.dispose()
    return tmp_path


COMMAND = """
result = app.test_cli_runner().invoke(args=["db", *{args!r}])
assert result.exit_code == 0, result.output
print(*sorted(m for m in sys.modules if m.partition(".")[0] in ("alembic", "mako")))
"""


@pytest.mark.parametrize(
    "args",
    [
        ["--help"],
        ["heads"],
        ["heads", "--resolve-dependencies"],
        ["current"],
        ["current", "--check-heads"],
        ["log"],
        ["log", "-i", "-v"],
        ["log", "--json"],
        ["history"],
        ["upgrade"],
        ["upgrade", "head"],
        ["prepare"],
        ["prepare", "--json"],
    ],
    ids=" ".join,
)
def test_command_loads_no_alembic(folder: Path, args: list[str]) -> None:
    """A command that looks, or finds nothing to do, does without Alembic."""
    assert run(folder, COMMAND.format(args=args)) == []


def test_command_loads_alembic(folder: Path) -> None:
    """One that has something to do does not: the test above can fail."""
    assert "alembic" in run(folder, COMMAND.format(args=["check"]))


@pytest.mark.parametrize("name", ["cli", "upgrade", "group"])
def test_command_as_first_import(name: str) -> None:
    """A program may import the commands before anything else."""
    code = f"from flask_alembic.cli import {name}; print({name})"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_health_check_loads_no_alembic(folder: Path) -> None:
    """Nor does a health check, the first and later ones."""
    lines = (
        "for _ in range(2):",
        "    with app.test_request_context():",
        "        print(alembic.needs_upgrade(), alembic.current_ids()['default'][0])",
        "print('alembic' in sys.modules)",
    )
    assert run(folder, *lines) == ["False", "r2", "False", "r2", "False"]


@pytest.mark.parametrize("run_mkdir", [True, False])
def test_disk(folder: Path, run_mkdir: bool) -> None:
    """``init_app`` looks once whether the folder is there, or not at all."""
    lines = (
        "import os",
        "seen = []",
        "real = os.stat",
        "os.stat = lambda *a, **k: seen.append(a[0]) or real(*a, **k)",
        "sys.addaudithook(lambda e, a: seen.append(e) if e in",
        "    ('open', 'os.listdir', 'os.scandir', 'os.mkdir') else None)",
        "other = Flask('other', root_path=app.root_path)",
        "seen.clear()",
        f"Alembic(run_mkdir={run_mkdir}).init_app(other)",
        "print(*seen)",
        "print('alembic' in sys.modules)",
    )
    *seen, loaded = run(folder, *lines, run_mkdir=run_mkdir)
    template = str(folder / "migrations" / "script.py.mako")
    # Click looks for translations each time.
    seen = [path for path in seen if not path.endswith(("messages.mo", "locale"))]
    assert seen == ([template] if run_mkdir else [])
    assert loaded == "False"


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"script_location": "deep/er"},
        {"version_locations": ["more", ("users", "users")]},
        {"recursive_version_locations": True, "sourceless": "True"},
        {"prepend_sys_path": ["/a b", "/c"], "path_separator": "newline"},
        {"prepend_sys_path": "/a:/b"},
    ],
)
def test_places(tmp_path: Path, options: dict[str, object]) -> None:
    """Without Alembic's config the files are looked for where it says."""
    config = {"ALEMBIC": options}
    settings = read_settings(config, tmp_path)
    assert settings.places == places_of(make_config(settings))
