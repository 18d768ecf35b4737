"""``ALEMBIC["config_file"]``: options in ``alembic.ini`` or ``pyproject.toml``."""

from __future__ import annotations

import os
import typing as t
from pathlib import Path

import pytest

from apps import Apps
from conftest import Cli
from flask_alembic import Alembic
from flask_alembic import ConfigurationError
from flask_alembic.settings import Settings

INI = """\
[alembic]
# A comment
script_location = %(here)s/db
version_locations = more:%(here)s/db/versions
path_separator = :
prepend_sys_path = .
file_template = %%(year)d_%%(rev)s
timezone =
truncate_slug_length = 20
recursive_version_locations = true
sqlalchemy.url = postgresql://me:secret@nowhere/db
databases = one, two
own = %(here)s/100%%

[post_write_hooks]
hooks = note
note.type = exec
note.executable = %(here)s/bin/note

[loggers]
keys = root
"""

TOML = """\
[tool.alembic]
script_location = "%(here)s/db"
version_locations = ["more", "%(here)s/db/versions"]
prepend_sys_path = ["."]
file_template = "%%(year)d_%%(rev)s"
truncate_slug_length = 20
recursive_version_locations = true
own = "%(here)s/100%%"

[[tool.alembic.post_write_hooks]]
name = "note"
type = "exec"
executable = "%(here)s/bin/note"
"""

BOTH = pytest.mark.parametrize(
    ("name", "text"), [("alembic.ini", INI), ("pyproject.toml", TOML)]
)


def settings(apps: Apps, name: str, text: str, **more: t.Any) -> Settings:
    """The settings of an app beside whose module a file lies in a folder."""
    app = apps.flask("app")
    path = Path(app.root_path, "sub", name)
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    app.config["ALEMBIC"] = {"config_file": f"sub/{name}", **more}
    alembic = Alembic(app, run_mkdir=False)

    with app.app_context():
        return alembic.settings


@BOTH
def test_options(apps: Apps, name: str, text: str) -> None:
    """The options are read as Alembic reads them. Relative paths start at the folder
    of the file; URLs, databases and logging are left out.
    """
    found = settings(apps, name, text)
    here = apps.folder / "app" / "sub"
    assert found.script_location == here / "db"
    locations = [location.path for location in found.version_locations]
    assert locations == [here / "more", here / "db" / "versions"]
    assert found.main_options == {
        "path_separator": "os",
        "prepend_sys_path": str(here),
        "file_template": "%(year)d_%(rev)s",
        "truncate_slug_length": "20",
        "recursive_version_locations": "true",
        "own": f"{here}/100%",
    }
    assert found.sections == {
        "post_write_hooks": {
            "hooks": "note",
            "note.type": "exec",
            "note.executable": f"{here}/bin/note",
        }
    }
    assert "secret" not in repr(found)


@BOTH
def test_config_wins(apps: Apps, name: str, text: str) -> None:
    """What stands in ``app.config["ALEMBIC"]`` wins, and starts at the app's root."""
    found = settings(
        apps, name, text, script_location="other", own="mine", version_locations=[]
    )
    assert found.script_location == apps.folder / "app" / "other"
    assert found.version_locations == ()
    assert found.main_options["own"] == "mine"
    assert found.main_options["truncate_slug_length"] == "20"


@BOTH
def test_defaults(apps: Apps, name: str, text: str) -> None:
    """What stands nowhere is as it is without a file."""
    section = "[tool.alembic]" if name.endswith(".toml") else "[alembic]"
    found = settings(apps, name, f"{section}\n")
    assert found.script_location == apps.folder / "app" / "migrations"
    assert found.main_options == {"path_separator": "os"}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("alembic.ini", "lock = false\nlock_timeout = 2.5\nprotected = one, two\n"),
        ("a.toml", "lock = false\nlock_timeout = 2.5\nprotected = ['one', 'two']\n"),
    ],
)
def test_run_settings(apps: Apps, name: str, text: str) -> None:
    """How migrations run may stand in the file too, and what the config says wins."""
    section = "[tool.alembic]" if name.endswith(".toml") else "[alembic]"
    found = settings(apps, name, f"{section}\n{text}", lock_timeout=7)
    assert found.run.lock is False
    assert found.run.lock_timeout == 7
    assert found.run.protected == ("one", "two")
    assert found.main_options == {"path_separator": "os"}


@pytest.mark.parametrize(
    "line",
    [
        "version_locations = a b,c",
        "path_separator = space\nversion_locations = a b c",
        f"path_separator = os\nversion_locations = {os.pathsep.join('abc')}",
        "path_separator = newline\nversion_locations =\n    a\n    b\n    c",
        "version_path_separator = ;\nversion_locations = a; b;c",
    ],
)
def test_separators(apps: Apps, line: str) -> None:
    """A list is split as Alembic splits it, also as it was before the separator."""
    found = settings(apps, "alembic.ini", f"[alembic]\n{line}\n")
    assert [location.path.name for location in found.version_locations] == list("abc")


def test_package_location(apps: Apps) -> None:
    """``package:folder`` is a folder in a package, in a file too."""
    found = settings(apps, "a.ini", "[alembic]\nscript_location = flask_alembic:x\n")
    assert found.script_location.parts[-2:] == ("flask_alembic", "x")


@BOTH
def test_percent_in_the_path(apps: Apps, name: str, text: str) -> None:
    """A percent sign in the path of the project means itself."""
    root = apps.folder / "100%(x)s"
    root.mkdir()
    root.joinpath(name).write_text(text)
    app = apps.flask("100%(x)s", ALEMBIC={"config_file": name})
    alembic = Alembic(app)

    with app.app_context():
        assert alembic.settings.script_location == root / "db"
        assert alembic.config.get_main_option("own") == f"{root}/100%"


def test_hooks_of_one_name(apps: Apps) -> None:
    """In a toml file two hooks may bear one name, and both run."""
    hook = '[[tool.alembic.post_write_hooks]]\nname = "a b"\ntype = "exec"\n'
    found = settings(apps, "p.toml", f"[tool.alembic]\n{hook}{hook}")
    assert found.sections["post_write_hooks"] == {
        "hooks": "a_b, a_b_2",
        "a_b.type": "exec",
        "a_b_2.type": "exec",
    }


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("a.ini", "[other]\n", ": it has no section [alembic]."),
        ("a.ini", "x = 1\n", ":1: it is no ini file."),
        ("a.ini", "[alembic]\nx = 1\nnonsense\n", ":3: it is no ini file."),
        (
            "a.ini",
            "[alembic]\nx = 1\nx = 2\n",
            ":3: option 'x' in section 'alembic' already exists.",
        ),
        (
            "a.ini",
            "[alembic]\nx = %(nosuch)s\n",
            ": 'x' holds a '%' that can't be read.",
        ),
        ("a.ini", "[alembic]\nx = 100%\n", ": 'x' holds a '%' that can't be read."),
        ("a.toml", "[tool.other]\n", ": it has no section [tool.alembic]."),
        ("a.toml", "[tool]\nalembic = 1\n", ": it has no section [tool.alembic]."),
        ("a.toml", "[tool.alembic]\nx = = 1\n", ":2: Invalid value."),
        (
            "a.toml",
            "[tool.alembic]\nx = '%(nosuch)s'\n",
            ": 'x' holds a '%' that can't be read.",
        ),
        (
            "a.toml",
            "[[tool.alembic.post_write_hooks]]\ntype = 'exec'\n",
            ": an item of 'post_write_hooks' has no name.",
        ),
        (
            "a.ini",
            "[alembic]\npath_separator = x\nversion_locations = a\n",
            ": 'path_separator' is 'x', and must be one of 'os', 'space', 'newline',"
            " ':', ';'.",
        ),
    ],
)
def test_broken(apps: Apps, name: str, text: str, problem: str) -> None:
    """A file that can't be used is an error that names it, and the line if known."""
    with pytest.raises(ConfigurationError) as caught:
        settings(apps, name, text)

    path = apps.folder / "app" / "sub" / name
    assert str(caught.value) == f"{path}{problem}"
    assert caught.value.hint


def test_bad_value(apps: Apps) -> None:
    """A value that can't be used is told as that of the config, and where it stands."""
    with pytest.raises(ConfigurationError) as caught:
        settings(apps, "a.ini", "[alembic]\ntimezone = Nowhere\n")

    assert "'Nowhere' is not a time zone" in str(caught.value)
    assert caught.value.hint == f"It stands in {apps.folder / 'app' / 'sub' / 'a.ini'}."


def test_bad_run_setting(apps: Apps) -> None:
    """So is one of how migrations run."""
    with pytest.raises(ConfigurationError) as caught:
        settings(apps, "a.ini", "[alembic]\nlock_timeout = soon\n")

    assert str(caught.value) == (
        "ALEMBIC['lock_timeout'] = 'soon' must be a number of seconds, 0 or more."
    )
    assert caught.value.hint == f"It stands in {apps.folder / 'app' / 'sub' / 'a.ini'}."


def test_missing(apps: Apps, db: Cli) -> None:
    """A file that is not there is an error in a line."""
    app = apps.flask(ALEMBIC={"config_file": "alembic.ini"})
    Alembic(app, run_mkdir=False)
    result = db(app, "heads")
    assert result.exit_code == 1
    assert result.stderr == (
        f"Error: {app.root_path}/alembic.ini: No such file or directory.\n"
        "Hint: It is read because ALEMBIC['config_file'] names it.\n"
    )


def test_not_utf8(apps: Apps) -> None:
    """A file in another encoding is an error that names it."""
    app = apps.flask(ALEMBIC={"config_file": "alembic.ini"})
    Path(app.root_path, "alembic.ini").write_bytes(b"[alembic]\nx = \xff\n")

    with pytest.raises(ConfigurationError, match="alembic.ini: it is not UTF-8"):
        Alembic(app)


@pytest.mark.parametrize("value", [3, "", ["alembic.ini"]])
def test_no_path(apps: Apps, value: object) -> None:
    """Something that is no path is an error that names the key."""
    app = apps.flask(ALEMBIC={"config_file": value})

    with pytest.raises(ConfigurationError, match=r"ALEMBIC\['config_file'\]"):
        Alembic(app)


def test_new_revisions(apps: Apps, sqlite_url: str) -> None:
    """Where the file names the locations, new revisions go to the first, as with
    Alembic, and main options reach Alembic's config.
    """
    app = apps.flask("app")
    Path(app.root_path, "alembic.ini").write_text(
        "[alembic]\nversion_locations = %(here)s/one %(here)s/two\nown = x\n"
    )
    app, alembic = apps.plain(
        sqlite_url, name="app", ALEMBIC={"config_file": "alembic.ini"}
    )

    with app.app_context():
        (script,) = alembic.revision("first", empty=True)
        assert script is not None
        assert Path(script.path).parent == Path(app.root_path, "one")
        assert alembic.config.get_main_option("own") == "x"
