"""Headers are read without running a file, and mean what running it would give."""

from __future__ import annotations

import sys
import typing as t
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from hypothesis import given
from hypothesis import strategies as st

from flask_alembic import RevisionFileError
from flask_alembic.revisions.header import Header
from flask_alembic.revisions.header import read_usual
from flask_alembic.revisions.syntax import parse_header
from flask_alembic.scripts import RevisionIndex

PLAIN: t.Final = 'revision = "aa"\ndown_revision = None\n'
FUNCTIONS: t.Final = "\ndef upgrade(): pass\ndef downgrade(): pass\n"


def ran(text: str | bytes) -> dict[str, t.Any]:
    """What running a file defines."""
    names: dict[str, t.Any] = {}
    exec(compile(text, "<revision>", "exec"), names)
    return names


def told(content: bytes) -> Header | None:
    """What is told of a file without running it."""
    return read_usual(content) or parse_header(content)


def is_right(header: Header, names: dict[str, t.Any]) -> bool:
    """Whether a header is what running the file gives."""
    return (
        header.revision == names["revision"]
        and header.down_revision == names["down_revision"]
        and header.branch_labels == names.get("branch_labels")
        and header.depends_on == names.get("depends_on")
    )


@pytest.mark.parametrize(
    "text",
    [
        PLAIN,
        f'"""message\n\nmore\n"""\n{PLAIN}',
        f'"""message"""  # noqa\nimport os, sys\nfrom os import path\n{PLAIN}',
        'revision: str = "aa"\ndown_revision: str | None = None\n',
        'revision: str = "aa"  # the id\n\n# of nothing\ndown_revision="bb"\n',
        'revision = "aa"\ndown_revision = ("bb", "cc")\nbranch_labels = ("x",)\n',
        'revision = "aa"\ndown_revision = (\n    "bb",\n    "cc",\n)\n',
        'revision = "aa"\ndown_revision = "bb"\ndepends_on = "cc"\nrevision = "dd"\n',
        PLAIN.replace("\n", "\r\n"),
        f'{PLAIN}\ndef upgrade(engine):\n    globals()[f"upgrade_{{engine}}"]()\n',
        f'{PLAIN}\ndef upgrade(e):\n    globals()["upgrade_%s" % e]()\n',
        f"{PLAIN}\nTEXT = 'a = 1'\n\ndef upgrade():\n    op.execute('x')\n",
    ],
)
def test_usual(text: str) -> None:
    """What templates write is told by its text alone."""
    header = read_usual(text.encode())
    assert header is not None
    assert is_right(header, ran(text))
    assert parse_header(text.encode()) == header


@pytest.mark.parametrize(
    "text",
    [
        "# -*- coding: latin-1 -*-\n" + PLAIN,
        "\ufeff" + PLAIN,
        f'{PLAIN}SQL = """\nrevision = "zz"\ndepends_on = "zz"\n"""\n',
        "revision, x = 'aa', 1\nrevision = 'bb'\ndown_revision = None\n",
        "revision = 'a' 'b'\ndown_revision = None\n",
        "revision = 'a\\x62'\ndown_revision = None\n",
        "revision = other = 'aa'\ndown_revision = None\n",
        "revision = 'aa'; down_revision = ['bb', 'cc']\n",
        f"{PLAIN}def f():\n    global revision\n    revision = 'bb'\n",
        f"{PLAIN}def f():\n    revision = 'bb'\n    return revision\nf()\n",
        f"{PLAIN}x = [revision for revision in 'ab']\n",
        f"import os\n{PLAIN}def f():\n    globals()['revision'] = 1\n",
        f"try:\n    import missing\nexcept ImportError:\n    missing = None\n{PLAIN}",
        f"{PLAIN}class Model:\n    revision = 'zz'\n",
    ],
)
def test_unusual(text: str) -> None:
    """What is written otherwise is told by its syntax, or not at all."""
    content = text.encode()
    assert read_usual(content) is None
    header = parse_header(content)
    assert header is None or is_right(header, ran(content))


@pytest.mark.parametrize(
    "text",
    [
        f"{PLAIN}globals()['revision'] = 'bb'\n",
        f"{PLAIN}globals().update(revision='bb')\n",
        f"{PLAIN}vars()['depends_on'] = 'bb'\n",
        f"{PLAIN}exec('revision = 1')\n",
        f"{PLAIN}import sys\nsetattr(sys.modules[__name__], 'revision', 'bb')\n",
        f"{PLAIN}def f():\n    global revision\n    revision = 'bb'\nf()\n",
        f"{PLAIN}@lambda f: f()\ndef f():\n    globals()['revision'] = 'bb'\n",
        f"{PLAIN}def f():\n    exec('global revision; revision = 1')\ng = f\ng()\n",
        f"{PLAIN}(lambda: globals().update(revision=1))()\n",
        f"{PLAIN}if (depends_on := 'bb'): pass\n",
        f"{PLAIN}[0 for x in (1,) if (depends_on := 'bb')]\n",
        f"{PLAIN}import os as depends_on\n",
        f"{PLAIN}from os.path import *\n",
        f"{PLAIN}for depends_on in ('bb',): pass\n",
        f"{PLAIN}with open('/dev/null') as depends_on: pass\n",
        f"{PLAIN}def depends_on(): pass\n",
        f"{PLAIN}class depends_on: pass\n",
        f"{PLAIN}try:\n    1 / 0\nexcept Exception as depends_on: pass\n",
        f"{PLAIN}match 'bb':\n    case depends_on: pass\n",
        f"{PLAIN}match ['bb']:\n    case [*depends_on]: pass\n",
        f"{PLAIN}match {{}}:\n    case {{**depends_on}}: pass\n",
        f"{PLAIN}if True:\n    depends_on = 'bb'\n",
        f"{PLAIN}del revision\n",
        f"{PLAIN}__doc__ = 'another'\n",
        "LABEL = 'x'\nrevision = 'aa'\ndown_revision = None\nbranch_labels = LABEL\n",
        "revision = 'a' + 'b'\ndown_revision = None\n",
        "revision = f'{1}'\ndown_revision = None\n",
        "revision = 12\ndown_revision = None\n",
        "revision = 'aa'\ndown_revision = 5\n",
        "revision = 'aa'\n",
        "revision = 'aa\n",
    ],
)
def test_not_told(text: str) -> None:
    """Where only running the file can tell, nothing is told."""
    assert told(text.encode()) is None


_names = st.sampled_from(["revision", "down_revision", "branch_labels", "depends_on"])
_values = st.sampled_from(["None", "'aa'", '"bb"', "('aa', 'bb')", "('aa',)", "['aa']"])
_lines = st.one_of(
    st.builds("{} = {}".format, _names, _values),
    st.builds("{}: str = {}  # why".format, _names, _values),
    st.builds("{} = {}".format, st.sampled_from(["x", "SQL", "revisions"]), _values),
    st.builds("SQL = '''\n{} = {}\n'''".format, _names, _values),
    st.builds("if True:\n    {} = {}".format, _names, _values),
    st.builds("def f():\n    {} = {}".format, _names, _values),
    st.builds("def f():\n    global {0}\n    {0} = {1}".format, _names, _values),
    st.builds("({} := {})".format, _names, _values),
    st.builds("globals()['{}'] = {}".format, _names, _values),
    st.sampled_from(
        ["", "# revision = 'cc'", "import os", "f = len", "f('')", "'text'", "x = 1; y"]
    ),
)


@given(st.lists(_lines, max_size=8), st.booleans())
def test_any_file(lines: list[str], usual: bool) -> None:
    """Whatever is told of a file is what running it gives."""
    head = ["revision = 'aa'", "down_revision = None"] if usual else []
    content = "\n".join(["y = f = id", *head, *lines, ""]).encode()
    header = told(content.removeprefix(b"y = f = id\n"))

    if header is not None:
        try:
            names = ran(content)
        except Exception:
            return  # it can be told, and can't be run

        assert is_right(header, names)


def index_of(folder: Path, **files: str) -> RevisionIndex:
    """The script directory of some files."""
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)

    config = Config()
    config.set_main_option("script_location", str(folder))
    config.set_main_option("path_separator", "newline")
    config.set_main_option("version_locations", str(folder))
    return RevisionIndex(config)


def test_computed_header(tmp_path: Path) -> None:
    """A file whose header is computed is run, once."""
    text = (
        "import pathlib\n"
        "log = pathlib.Path(__file__).with_suffix('.log')\n"
        "log.write_text(log.read_text() + 'x' if log.exists() else 'x')\n"
        "try:\n    import no_such_package\n    NEEDED = 'bb'\n"
        "except ImportError:\n    NEEDED = None\n"
        "LABEL = 'users'\n"
        "revision = 'aa'\ndown_revision = None\n"
        "depends_on = NEEDED\nbranch_labels = LABEL\n"
    )
    script = index_of(tmp_path, one=text + FUNCTIONS)
    found = script.get_revision("users")
    assert found.revision == "aa"
    assert found.dependencies is None
    assert callable(found.module.upgrade)
    assert (tmp_path / "one.log").read_text() == "x"


def test_file_that_can_not_run(tmp_path: Path) -> None:
    """A file that can't be imported is in the history all the same, until it is run."""
    script = index_of(
        tmp_path,
        one=f"import no_such_package\n{PLAIN}{FUNCTIONS}",
        two="revision = 'bb'\ndown_revision = 'aa'\n\ndef upgrade(: pass\n",
    )
    assert script.get_heads() == ["bb"]
    assert [found.revision for found in script.walk_revisions()] == ["bb", "aa"]

    for id_ in ("aa", "bb"):
        with pytest.raises(RevisionFileError):
            _ = script.get_revision(id_).module


def test_file_that_changed(tmp_path: Path) -> None:
    """A file that says another id when it is run than when it was read is refused."""
    script = index_of(tmp_path, one=PLAIN + FUNCTIONS)
    text = PLAIN.replace("None", "'zz'")
    (tmp_path / "one.py").write_text(text + FUNCTIONS)

    with pytest.raises(Exception, match=r"changed since it was read"):
        _ = script.get_revision("aa").module


@pytest.mark.parametrize("text", ["text", "  text\n  more\n\n    deep\n", "\ta\n\tb\n"])
def test_docstring(tmp_path: Path, text: str) -> None:
    """The message is what Alembic takes from the module, on every Python."""
    script = index_of(tmp_path, one=f'"""{text}"""\n{PLAIN}{FUNCTIONS}')
    theirs = ScriptDirectory(tmp_path, version_locations=[tmp_path])
    (ours,), (expected,) = script.walk_revisions(), theirs.walk_revisions()
    assert (ours.doc, ours.longdoc) == (expected.doc, expected.longdoc)
    assert "one" not in sys.modules
