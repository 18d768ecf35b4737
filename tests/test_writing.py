"""A new file is rendered, checked, and only then put in place, whole or not at all."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import stat
import subprocess
import sys
import typing as t
from dataclasses import dataclass
from pathlib import Path

import pytest
from alembic.script import write_hooks
from flask import Flask

from apps import Apps
from apps import write_revision
from conftest import Cli
from flask_alembic import Alembic


@dataclass(frozen=True)
class Case:
    """A config that a new revision can't be written with, and what is said."""

    name: str
    config: t.Mapping[str, t.Any]
    output: str

    def __str__(self) -> str:
        return self.name


def each(cases: t.Iterable[Case]) -> pytest.MarkDecorator:
    """Run a test with each case of a table."""
    return pytest.mark.parametrize("case", cases, ids=str)


def files_of(app: Flask) -> dict[str, bytes]:
    """All files of an app, hidden ones too."""
    return {
        str(path): path.read_bytes()
        for path in Path(app.root_path).rglob("*")
        if path.is_file() and path.parent.name != "__pycache__"
    }


def start(apps: Apps, url: str, **config: t.Any) -> tuple[Flask, Alembic]:
    """An app with a first revision, whose next ones are ``n1``, ``n2`` and so on."""
    app, alembic = apps.plain(url)
    write_revision(app, "r1", message="first")
    numbers = itertools.count(1)
    alembic.rev_id = lambda: f"n{next(numbers)}"  # type: ignore[method-assign]
    app.config["ALEMBIC"] = {**app.config["ALEMBIC"], **config}
    return app, alembic


def assert_all_works(app: Flask, db: Cli) -> None:
    """No command stumbles on what was left behind."""
    app.config["ALEMBIC"] = {}

    for args, exit_code in [
        (("heads",), 0),
        (("log",), 0),
        (("upgrade",), 0),
        (("current",), 0),
        (("check",), 1),
        (("revision", "works again"), 0),
        (("upgrade",), 0),
        (("check",), 0),
    ]:
        result = db(app, *args)
        assert result.exit_code == exit_code, result.output


def check(case: Case, url: str, apps: Apps, db: Cli, *args: str) -> None:
    """Nothing is written, and all commands still work."""
    app, _ = start(apps, url, **case.config)
    before = files_of(app)
    result = db(app, *(args or ("revision", "second", "--empty")))
    assert result.output.replace(str(apps.folder), "TMP") == case.output
    assert result.exit_code == 1
    assert files_of(app) == before
    assert_all_works(app, db)


# Templates

TEMPLATE: t.Final = "TMP/app1/migrations/script.py.mako"
TEMPLATE_HINT: t.Final = (
    "Hint: Mend the template, or delete it and run 'flask db mkdir' for a new one.\n"
)
TEMPLATES: t.Final = {
    "": " renders a file without \"revision = 'n1'\".",
    "revision = 'fixed'\n": " renders a file without \"revision = 'n1'\".",
    "revision = ${repr(up_revision)}\n1 +\n": (
        " renders a file that is not Python: line 2: invalid syntax."
    ),
    "${1 / 0}": ": ZeroDivisionError: division by zero",
}


@pytest.mark.parametrize("content", TEMPLATES)
@pytest.mark.parametrize(
    "args", [("revision", "x"), ("revision", "x", "--empty"), ("merge", "r1", "b1")]
)
def test_broken_template(
    content: str, args: tuple[str, ...], sqlite_url: str, apps: Apps, db: Cli
) -> None:
    """A template that renders no revision writes none."""
    app, _ = start(apps, sqlite_url)

    if args[0] == "merge":
        write_revision(app, "b1")

    db(app, "upgrade")
    path = Path(app.root_path, "migrations", "script.py.mako")
    good = path.read_text()
    path.write_text(content)
    before = files_of(app)
    result = db(app, *args)
    assert result.output.replace(str(apps.folder), "TMP") == (
        f"Error: {TEMPLATE}{TEMPLATES[content]}\n{TEMPLATE_HINT}"
    )
    assert result.exit_code == 1
    assert files_of(app) == before

    path.write_text(good)

    if args[0] == "merge":
        assert db(app, "merge").exit_code == 0
        assert db(app, "upgrade").exit_code == 0

    assert_all_works(app, db)


# Hooks


@write_hooks.register("test_writing.raises")
def hook_raises(path: str, options: dict[str, str]) -> None:
    """A hook that fails."""
    raise RuntimeError("boom")


@write_hooks.register("test_writing.interrupted")
def hook_is_interrupted(path: str, options: dict[str, str]) -> None:
    """A hook that Ctrl-C ends."""
    raise KeyboardInterrupt


@write_hooks.register("test_writing.breaks")
def hook_breaks(path: str, options: dict[str, str]) -> None:
    """A hook that leaves a file which is no Python."""
    Path(path).write_text("\nx = = 1\n")


@write_hooks.register("test_writing.empties")
def hook_empties(path: str, options: dict[str, str]) -> None:
    """A hook that leaves an empty file."""
    Path(path).write_text("")


@write_hooks.register("test_writing.deletes")
def hook_deletes(path: str, options: dict[str, str]) -> None:
    """A hook that leaves no file."""
    Path(path).unlink()


@write_hooks.register("test_writing.signs")
def hook_signs(path: str, options: dict[str, str]) -> None:
    """A hook that does as it should."""
    with Path(path).open("a") as file:
        file.write("# signed\n")


def hooks(type_: str | None, **options: str) -> dict[str, t.Any]:
    """The config of one hook."""
    values = {f"ours.{name}": value for name, value in options.items()}

    if type_ is not None:
        values["ours.type"] = type_

    return {"post_write_hooks": {"hooks": "ours", **values}}


HOOK_HINT: t.Final = (
    "Hint: Mend ALEMBIC['post_write_hooks']. The revision was not written.\n"
)
FAILED: t.Final = "Error: The post write hook 'ours' failed: "
BROKE: t.Final = "Error: The post write hooks broke migrations/n1_second.py"
HOOKS: t.Final = (
    Case(
        "raises",
        hooks("test_writing.raises"),
        f"{FAILED}RuntimeError: boom\n{HOOK_HINT}",
    ),
    Case("interrupted", hooks("test_writing.interrupted"), "Aborted!\n"),
    Case(
        "breaks",
        hooks("test_writing.breaks"),
        f"{BROKE}:2: invalid syntax.\n{HOOK_HINT}",
    ),
    Case(
        "empties",
        hooks("test_writing.empties"),
        f"{BROKE}: there is no 'revision' in it.\n{HOOK_HINT}",
    ),
    Case(
        "deletes",
        hooks("test_writing.deletes"),
        f"{BROKE}: it is gone.\n{HOOK_HINT}",
    ),
    Case(
        "no type",
        hooks(None),
        f"Error: ALEMBIC['post_write_hooks'] has no 'ours.type'.\n{HOOK_HINT}",
    ),
    Case(
        "unknown type",
        hooks("test_writing.nope"),
        f"{FAILED}No formatter with name 'test_writing.nope' registered\n{HOOK_HINT}",
    ),
    Case(
        "no executable",
        hooks("exec"),
        f"{FAILED}Key ours.executable is required for post write hook 'ours'\n"
        + HOOK_HINT,
    ),
    Case(
        "missing executable",
        hooks("exec", executable="no_such_program"),
        f"{FAILED}no_such_program: No such file or directory\n{HOOK_HINT}",
    ),
    Case(
        "missing entry point",
        hooks("console_scripts", entrypoint="no_such_program"),
        f"{FAILED}Could not find entrypoint console_scripts.no_such_program\n"
        + HOOK_HINT,
    ),
)


@each(HOOKS)
def test_bad_hook(case: Case, sqlite_url: str, apps: Apps, db: Cli) -> None:
    """A hook that fails, or breaks the file, takes the file with it."""
    check(case, sqlite_url, apps, db)


def test_good_hook(sqlite_url: str, apps: Apps, db: Cli) -> None:
    """A hook that works is not talked about."""
    app, _ = start(apps, sqlite_url, **hooks("test_writing.signs"))
    result = db(app, "revision", "second", "--empty")
    assert result.output == "Wrote migrations/n1_second.py\n"
    path = Path(app.root_path, "migrations", "n1_second.py")
    assert path.read_text().endswith("\n# signed\n")


# Names of files

NAMES: t.Final = (
    Case(
        "parent folder",
        {"file_template": "../%(rev)s"},
        "Error: ALEMBIC['file_template'] = '../%(rev)s' leads out of the version"
        " location: TMP/app1/migrations/../n1.py.\n",
    ),
    Case(
        "there and back",
        {"file_template": "a/../../%(rev)s"},
        "Error: ALEMBIC['file_template'] = 'a/../../%(rev)s' leads out of the version"
        " location: TMP/app1/migrations/a/../../n1.py.\n",
    ),
    Case(
        "absolute",
        {"file_template": "/nowhere/%(rev)s"},
        "Error: ALEMBIC['file_template'] = '/nowhere/%(rev)s' leads out of the version"
        " location: /nowhere/n1.py.\n",
    ),
    Case(
        "folder that is not read",
        {"file_template": "sub/%(rev)s"},
        "Error: ALEMBIC['file_template'] = 'sub/%(rev)s' gives a file that is not"
        " read as a revision: migrations/sub/n1.py.\n"
        "Hint: Set ALEMBIC['recursive_version_locations'] = True to read folders in"
        " folders.\n",
    ),
    Case(
        "hidden",
        {"file_template": ".%(rev)s"},
        "Error: ALEMBIC['file_template'] = '.%(rev)s' gives a file that is not read as"
        " a revision: migrations/.n1.py.\n",
    ),
    Case(
        "no name",
        {"file_template": ""},
        "Error: ALEMBIC['file_template'] = '' gives a file that is not read as a"
        " revision: migrations/.py.\n",
    ),
    Case(
        "a file that exists",
        {"file_template": "r1_"},
        "Error: The file migrations/r1_.py exists already.\n"
        "Hint: Let ALEMBIC['file_template'] hold '%(rev)s'.\n",
    ),
)


@each(NAMES)
def test_bad_file_name(case: Case, sqlite_url: str, apps: Apps, db: Cli) -> None:
    """A revision is written to where revisions are read from, and over no file."""
    check(case, sqlite_url, apps, db)
    assert {path.name for path in apps.folder.iterdir()} == {"app1", "test.db"}


def test_second_file_of_one_name(sqlite_url: str, apps: Apps, db: Cli) -> None:
    """A template without the id works once."""
    app, _ = start(apps, sqlite_url, file_template="%(slug)s")
    assert db(app, "revision", "add it", "--empty").exit_code == 0
    before = files_of(app)
    result = db(app, "revision", "add it", "--empty")
    assert result.output == (
        "Error: The file migrations/add_it.py exists already.\n"
        "Hint: Let ALEMBIC['file_template'] hold '%(rev)s'.\n"
    )
    assert result.exit_code == 1
    assert files_of(app) == before


def test_folders_in_folders(sqlite_url: str, apps: Apps, db: Cli) -> None:
    """A template may name a folder, if folders in folders are read."""
    app, _ = start(
        apps,
        sqlite_url,
        file_template="%(year)d/%(rev)s",
        recursive_version_locations=True,
    )
    assert db(app, "revision", "second", "--empty").exit_code == 0
    assert db(app, "heads").output == "r1 -> n1 (head), second\n"


def test_mode_of_the_file(sqlite_url: str, apps: Apps, db: Cli) -> None:
    """A revision can be read by whoever deploys it, as any new file can."""
    app, _ = start(apps, sqlite_url)
    other = apps.folder / "other"
    other.touch()
    assert db(app, "revision", "second", "--empty").exit_code == 0
    path = Path(app.root_path, "migrations", "n1_second.py")
    assert stat.filemode(path.stat().st_mode) == stat.filemode(other.stat().st_mode)


# A full disk

FULL: t.Final = """
import json, os, sys, warnings
from pathlib import Path
import sqlalchemy as sa
from flask import Flask
from flask_alembic import Alembic

warnings.simplefilter("error")
root, left, args = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
app = Flask("app", root_path=str(root))
metadata = sa.MetaData()
sa.Table("todo", metadata, sa.Column("id", sa.Integer, primary_key=True))
engine = sa.create_engine("sqlite://")
alembic = Alembic(app, metadatas=metadata, engines=engine, run_mkdir=args != ["mkdir"])
alembic.rev_id = lambda: "n1"
(root / "migrations").mkdir(exist_ok=True)

def run(*args):
    result = app.test_cli_runner().invoke(args=["db", *args])
    return [result.exit_code, result.output]

with open(root / "filler", "wb", buffering=0) as filler:
    try:
        while True:
            filler.write(bytes(4096))
    except OSError:
        pass
    size = filler.tell() // 4096 * 4096 - left * 4096
    filler.truncate(size)

def files():
    paths = (root / "migrations").rglob("*")
    return sorted(path.name for path in paths if path.is_file())

before = files()
outcome = {"full": run(*args), "heads": run("heads")}
outcome["left behind"] = [name for name in files() if name not in before]
(root / "filler").unlink()
outcome["again"] = run(*args)
outcome["heads again"] = run("heads")
print(json.dumps(outcome))
"""
"""Fills the disk but for some pages, runs a command, frees the disk, runs it again."""


@pytest.fixture
def small_disk(tmp_path: Path) -> t.Callable[..., dict[str, t.Any]]:
    """Runs a command on a disk that is full, which only its process sees."""
    unshare = shutil.which("unshare")
    mount = ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(tmp_path)]

    if (
        unshare is None
        or subprocess.run([unshare, "--mount", *mount], check=False).returncode
    ):
        pytest.skip("file systems can't be mounted here: that needs root on Linux")

    def run(left: int, *args: str) -> dict[str, t.Any]:
        script = f'{" ".join(mount)} && exec "$@"'
        command = [sys.executable, "-B", "-c", FULL, str(tmp_path), str(left), *args]
        process = subprocess.run(
            ["unshare", "--mount", "sh", "-c", script, "sh", *command],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        text = process.stdout.replace(str(tmp_path), "TMP")
        return t.cast("dict[str, t.Any]", json.loads(text))

    return run


@pytest.mark.parametrize("left", [0, 1])
def test_full_disk(small_disk: t.Callable[..., dict[str, t.Any]], left: int) -> None:
    """On a full disk nothing is written, not a part of it, and the next try works."""
    outcome = small_disk(left, "revision", "--empty", "x" * 6000)
    assert outcome["full"] == [
        1,
        f"Error: TMP/migrations/n1_{'x' * 40}_.py: No space left on device\n",
    ]
    assert outcome["left behind"] == []
    assert outcome["heads"] == [0, ""]
    assert outcome["again"][0] == 0
    assert outcome["heads again"][1].startswith("<base> -> n1 (default) (head), xxx")


def test_full_disk_at_mkdir(small_disk: t.Callable[..., dict[str, t.Any]]) -> None:
    """So it is with the template: a part of it would serve for nothing."""
    outcome = small_disk(0, "mkdir")
    assert outcome["full"] == [
        1,
        "Error: TMP/migrations/script.py.mako: No space left on device\n",
    ]
    assert outcome["left behind"] == []
    assert outcome["again"][0] == 0


def test_leftovers_of_a_killed_process(sqlite_url: str, apps: Apps, db: Cli) -> None:
    """What a process that was killed while it wrote left behind disturbs nobody."""
    app, _ = start(apps, sqlite_url)
    folder = Path(app.root_path, "migrations")
    (folder / ".n1_second.py.0a1b2c3d.tmp").write_text("revision = 'n1'\nx = = 1\n")
    assert_all_works(app, db)
    assert os.listdir(folder).count(".n1_second.py.0a1b2c3d.tmp") == 1
