"""Answers for programs: ``--ids`` and ``--json``, alone on stdout."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask

from apps import Apps
from apps import todo_metadata
from apps import write_revision
from conftest import Cli
from flask_alembic import Alembic


@pytest.fixture
def app(apps: Apps, tmp_path: Path) -> Flask:
    """An app with two databases and two branches: ``aaaa1``, then ``bbbb2`` and
    ``cccc3``, which are joined by nothing.
    """
    names = ("default", "auth")
    app, _ = apps.several({name: f"sqlite:///{tmp_path / name}.db" for name in names})
    write_revision(app, "aaaa1", message="begin\nhere", branch_labels=("main",))
    write_revision(app, "bbbb2", "aaaa1", message='čas "now" on')
    write_revision(app, "cccc3", "aaaa1", message="other", depends_on=("bbbb2",))
    return app


AAAA1: t.Final = {
    "revision": "aaaa1",
    "down_revisions": [],
    "next_revisions": ["bbbb2", "cccc3"],
    "branch_labels": ["main"],
    "depends_on": [],
    "message": "begin here",
    "path": "migrations/aaaa1_.py",
    "is_head": False,
    "databases": None,
}
BBBB2: t.Final = {
    "revision": "bbbb2",
    "down_revisions": ["aaaa1"],
    "next_revisions": [],
    "branch_labels": ["main"],
    "depends_on": [],
    "message": 'čas "now" on',
    "path": "migrations/bbbb2_.py",
    "is_head": True,
    "databases": None,
}
CCCC3: t.Final = {
    "revision": "cccc3",
    "down_revisions": ["aaaa1"],
    "next_revisions": [],
    "branch_labels": ["main"],
    "depends_on": ["bbbb2"],
    "message": "other",
    "path": "migrations/cccc3_.py",
    "is_head": True,
    "databases": None,
}


def at(revision: dict[str, t.Any], *databases: str) -> dict[str, t.Any]:
    return {**revision, "databases": list(databases)}


def answer(db: Cli, app: Flask, *args: str, code: int = 0) -> t.Any:
    """The JSON that a command answers with. It has nothing else on stdout."""
    result = db(app, *args, "--json")
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


def ids(db: Cli, app: Flask, *args: str, code: int = 0) -> str:
    result = db(app, *args, "--ids")
    assert result.exit_code == code, result.output
    return str(result.stdout)


# JSON


def test_heads(app: Flask, db: Cli) -> None:
    """``heads --json`` has the heads."""
    assert answer(db, app, "heads") == {"revisions": [BBBB2, CCCC3]}
    assert answer(db, app, "heads", "--resolve-dependencies") == {"revisions": [CCCC3]}


def test_branches(app: Flask, db: Cli) -> None:
    """``branches --json`` has the revisions that history parts at, and what into."""
    assert answer(db, app, "branches") == {"revisions": [AAAA1]}


@pytest.mark.parametrize("command", ["log", "history"])
def test_log(app: Flask, db: Cli, command: str) -> None:
    """``log --json`` has the revisions, newest first."""
    expected = {"revisions": [CCCC3, BBBB2, AAAA1]}
    assert answer(db, app, command) == expected
    assert answer(db, app, command, "-v") == expected
    assert answer(db, app, command, "-r", ":aaaa1") == {"revisions": [AAAA1]}


def test_log_with_databases(app: Flask, db: Cli) -> None:
    """``log -i --json`` also has the databases that are at each revision."""
    assert db(app, "upgrade", "bbbb2").exit_code == 0
    assert db(app, "upgrade", "--database", "auth").exit_code == 0
    assert answer(db, app, "log", "-i") == {
        "revisions": [at(CCCC3, "auth"), at(BBBB2, "default"), at(AAAA1)]
    }


def test_current(app: Flask, db: Cli) -> None:
    """``current --json`` has each database, also one that is at the base."""
    assert db(app, "upgrade", "bbbb2", "--database", "default").exit_code == 0
    expected = {
        "databases": [
            {"name": "default", "revisions": [at(BBBB2, "default")], "unknown": []},
            {"name": "auth", "revisions": [], "unknown": []},
        ]
    }
    assert answer(db, app, "current") == expected
    assert answer(db, app, "current", "--check-heads", code=1) == expected
    assert db(app, "upgrade", "bbbb2").exit_code == 0
    assert answer(db, app, "current", "--database", "auth") == {
        "databases": [{"name": "auth", "revisions": [at(BBBB2, "auth")], "unknown": []}]
    }


def test_unknown_revision(apps: Apps, db: Cli, sqlite_url: str) -> None:
    """What no file has is told too, where it is left alone. Its id is an id."""
    app, _ = apps.plain(sqlite_url)
    path = write_revision(app, "aaaa1")
    assert db(app, "upgrade").exit_code == 0
    path.unlink()
    assert answer(db, app, "current", "--skip-missing") == {
        "databases": [{"name": "default", "revisions": [], "unknown": ["aaaa1"]}]
    }
    assert ids(db, app, "current", "--skip-missing") == "aaaa1\n"


def test_check(app: Flask, db: Cli) -> None:
    """``check --json`` has what ``check`` says, and exits as it does."""
    alembic: Alembic = app.extensions["alembic"]
    behind: dict[str, t.Any] = {
        "current": [],
        "heads": ["cccc3"],
        "ok": False,
        "changes": [],
    }
    assert answer(db, app, "check", code=1) == {
        "ok": False,
        "databases": [{"name": name, **behind} for name in ("default", "auth")],
    }

    assert db(app, "upgrade").exit_code == 0
    alembic.metadatas = {"default": todo_metadata(), "auth": sa.MetaData()}
    level = {"current": ["cccc3"], "heads": ["cccc3"]}
    auth = {"name": "auth", **level, "ok": True, "changes": []}
    assert answer(db, app, "check", code=1) == {
        "ok": False,
        "databases": [
            {"name": "default", **level, "ok": False, "changes": ["add table todo"]},
            auth,
        ],
    }
    assert answer(db, app, "check", "--database", "auth") == {
        "ok": True,
        "databases": [auth],
    }


def test_ids_of_check(app: Flask, db: Cli) -> None:
    """``check --ids`` has the ids that the databases are at, and exits as ``check``."""
    assert ids(db, app, "check", code=1) == ""
    assert db(app, "upgrade", "bbbb2", "--database", "default").exit_code == 0
    assert ids(db, app, "check", code=1) == "bbbb2\n"
    assert db(app, "upgrade").exit_code == 0
    alembic: Alembic = app.extensions["alembic"]
    alembic.metadatas = {"default": sa.MetaData(), "auth": sa.MetaData()}
    assert ids(db, app, "check") == "cccc3\n"


def test_no_revisions(apps: Apps, db: Cli, sqlite_url: str) -> None:
    """Without revisions the answer is an empty list, and no id."""
    app, _ = apps.plain(sqlite_url)

    for command in ("heads", "branches", "log"):
        assert answer(db, app, command) == {"revisions": []}
        assert ids(db, app, command) == ""

    assert answer(db, app, "current") == {
        "databases": [{"name": "default", "revisions": [], "unknown": []}]
    }
    assert ids(db, app, "current") == ""


def test_one_document(app: Flask, db: Cli) -> None:
    """The answer is the same on any terminal: indented, in ASCII."""
    assert db(app, "heads", "--resolve-dependencies", "--json").stdout == (
        "{\n"
        '  "revisions": [\n'
        "    {\n"
        '      "revision": "cccc3",\n'
        '      "down_revisions": [\n'
        '        "aaaa1"\n'
        "      ],\n"
        '      "next_revisions": [],\n'
        '      "branch_labels": [\n'
        '        "main"\n'
        "      ],\n"
        '      "depends_on": [\n'
        '        "bbbb2"\n'
        "      ],\n"
        '      "message": "other",\n'
        '      "path": "migrations/cccc3_.py",\n'
        '      "is_head": true,\n'
        '      "databases": null\n'
        "    }\n"
        "  ]\n"
        "}\n"
    )
    assert db(app, "heads", "--json").stdout.isascii()


# Ids


def test_ids(app: Flask, db: Cli) -> None:
    """``--ids`` has the ids, one a line, each once."""
    assert ids(db, app, "heads") == "bbbb2\ncccc3\n"
    assert ids(db, app, "log") == "cccc3\nbbbb2\naaaa1\n"
    assert ids(db, app, "history", "-i", "-r", "bbbb2:bbbb2") == "bbbb2\n"
    assert ids(db, app, "branches") == "aaaa1\n"
    assert ids(db, app, "current") == ""
    assert db(app, "upgrade", "bbbb2").exit_code == 0
    assert ids(db, app, "current") == "bbbb2\n"
    assert ids(db, app, "current", "-c", code=1) == "bbbb2\n"


def test_the_last_form_counts(app: Flask, db: Cli) -> None:
    """Of ``--ids`` and ``--json`` the last one counts."""
    assert db(app, "heads", "--json", "--ids").stdout == "bbbb2\ncccc3\n"
    assert answer(db, app, "heads", "--ids") == {"revisions": [BBBB2, CCCC3]}


def test_error(app: Flask, db: Cli) -> None:
    """An error leaves stdout empty, in any form."""
    for form in ("--ids", "--json"):
        result = db(app, "log", "-r", "nothing:", form)
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr.startswith("Error: There is no revision 'nothing'.\n")


# Nothing else on stdout

NOISY: t.Final = """
import logging
import warnings
import sqlalchemy as sa
from flask import Flask
from flask_alembic import Alembic

logging.basicConfig(level=logging.DEBUG)
warnings.simplefilter("always")
warnings.warn("the app is old")
app = Flask("app", root_path={root!r})
Alembic(
    app,
    metadatas=sa.MetaData(),
    engines=sa.create_engine("sqlite:///{root}/t.db", echo=False),
)
"""


def test_in_a_script(tmp_path: Path) -> None:
    """What a shell script gets is the answer alone, though log and warnings are on."""
    Path(tmp_path, "wsgi.py").write_text(NOISY.format(root=str(tmp_path)))
    Path(tmp_path, "migrations").mkdir()
    write_revision(Flask("app", root_path=str(tmp_path)), "aaaa1")
    script = (
        "flask db upgrade >log || exit\n"
        'current=$(flask db current --ids) && echo "current=$current"\n'
        'heads=$(flask db heads --ids) && echo "heads=$heads"\n'
        'flask db check --json -v >check && echo "in step"\n'
    )
    result = subprocess.run(
        ["sh", "-c", script],
        cwd=tmp_path,
        env={
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "FLASK_APP": "wsgi",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.stdout == "current=aaaa1\nheads=aaaa1\nin step\n", result.stderr
    assert "UserWarning: the app is old" in result.stderr
    assert "alembic.runtime.migration" in result.stderr
    assert json.loads(Path(tmp_path, "check").read_text())["ok"] is True
