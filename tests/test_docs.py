"""What the documentation shows is what happens, and it knows the whole house."""

from __future__ import annotations

import re
import tomllib
import typing as t
from pathlib import Path

import pytest
from sybil import Sybil
from sybil.example import SybilFailure
from sybil.parsers.markdown.lexers import FencedCodeBlockLexer

import flask_alembic
from clients import require_client
from docs_support import agrees
from docs_support import FILES
from docs_support import Page
from docs_support import Runner
from docs_support import SERVERS
from docs_support import splice
from flask_alembic import errors
from flask_alembic import option_values
from flask_alembic import run_errors
from projects import FORGETS_TEMPLATES
from servers import Databases

ROOT = Path(__file__).parent.parent
PACKAGE = Path(flask_alembic.__file__).parent
PAGES = {path.name: path for path in [ROOT / "README.md", *ROOT.glob("docs/*.md")]}

LEFT_OUT = {
    "sh": "It sets up a machine, or takes minutes: pip, apt-get, sudo, make bench.",
    "text": "It takes two hosts to see it; tests/test_locks.py shows the words.",
    "yaml": "It is for Kubernetes.",
    "{toctree}": "It is Sphinx's.",
    "{eval-rst}": "It is Sphinx's: the references are made from the code.",
    "{include}": "It is Sphinx's.",
    "{image}": "It is Sphinx's.",
}
"""The kinds of blocks that are not run, each with the reason."""

RUN = {*FILES, "console"}

CLIENTS = {"offline-sql.md": "sqlite"}
"""The pages that run the client of a server."""


@pytest.fixture(scope="module")
def runner() -> t.Iterator[Runner]:
    """Runs the commands of all pages."""
    runner = Runner()
    yield runner
    runner.close()


@pytest.mark.parametrize(
    ("name", "server"),
    [(name, SERVERS.get(name, "sqlite")) for name in sorted(PAGES)],
    indirect=["server"],
)
def test_page(name: str, runner: Runner, databases: Databases, tmp_path: Path) -> None:
    """The page tells one story: its files are written, its commands are run in order,
    and they print what it says.
    """
    if name in CLIENTS:
        require_client(CLIENTS[name])

    if name == "from-flask-migrate.md" and FORGETS_TEMPLATES:
        pytest.skip("Flask-Migrate's init does not work with this Alembic")

    Page(runner, PAGES[name], tmp_path, databases.make()).run()


@pytest.mark.parametrize("name", sorted(PAGES))
def test_blocks(name: str) -> None:
    """No block is left out by mistake, and none of them shows a command of ours."""
    found = blocks(PAGES[name])
    assert {language for language, _ in found} - RUN - LEFT_OUT.keys() == set()
    assert [
        source
        for language, source in found
        if language in LEFT_OUT
        and re.search(r"\bflask db\b|flask_alembic", source)
        and language != "{eval-rst}"
    ] == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("```console\n$ echo yes\nno\n```\n", "-no\n+yes"),
        ("```console\n$ echo yes\n```\n", "+yes"),
        ("```console\n$ false\n```\n", "exit code 1"),
        ("```console\n$ echo 1700000001 1700000001\n1 1\n```\n", "+<id 0> <id 0>"),
        (
            "```console\n$ echo 1700000001 1700000002\n1600000001 1600000001\n```\n",
            "-<id 0> <id 0>\n+<id 0> <id 1>",
        ),
        ("```python\nx = 1\n```\n", "begins with a comment that names its file"),
    ],
)
def test_wrong_page(text: str, message: str, runner: Runner, tmp_path: Path) -> None:
    """A page that is not true fails."""
    path = tmp_path / "wrong.md"
    path.write_text(text)

    with pytest.raises(SybilFailure) as raised:
        Page(runner, path, tmp_path, "sqlite://").run()

    assert message in str(raised.value)


def test_right_page(runner: Runner, tmp_path: Path) -> None:
    """Ids and durations differ from run to run; the rest has to be so."""
    path = tmp_path / "right.md"
    path.write_text(
        "```console\n$ echo 1700000001 in 20 ms\n1600000001 in 3 ms\n```\n"
        "```python\n# a.py\nx = 1\ny = 2\n```\n"
        "```python\n# a.py\n...\nx = 1600000001\n```\n"
        "```console\n$ python a.py\n"
        "$ python -c 'import a; print(a.x, a.y, end=\"\"); exit(3)'\n"
        "1600000001 2\n$ echo $?\n3\n$ pwd\n/home/ada/todo\n```\n"
    )
    page = Page(runner, path, tmp_path, "sqlite://")
    page.run()
    assert "x = 1700000001" in (page.folder / "a.py").read_text()
    assert page.text() == path.read_text()


def test_rewriting(runner: Runner, tmp_path: Path) -> None:
    """A page can be made to say what is printed now."""
    path = tmp_path / "page.md"
    path.write_text("One\n\n```console\n$ echo 1700000001\n$ false\n$ echo $?\n```\n")
    page = Page(runner, path, tmp_path, "sqlite://", rewrite=True)
    page.run()
    assert page.text() == (
        "One\n\n```console\n$ echo 1700000001\n1767605400\n$ false\n$ echo $?\n1\n```\n"
    )


@pytest.mark.parametrize(
    ("wanted", "printed", "result"),
    [
        ("a\nb", "a\nb", True),
        ("a\n...\nd", "a\nb\nc\nd", True),
        ("a\n...\nd", "a\nd", True),
        ("a\n...\nd", "a\nb\nc", False),
        ("a.c", "abc", False),
        ("", "a", False),
    ],
)
def test_agrees(wanted: str, printed: str, result: bool) -> None:
    """Dots alone in a line stand for any lines, and for nothing else."""
    assert agrees(wanted, printed) is result


def test_splice() -> None:
    """A part of a file replaces what it defines, and the rest stays."""
    old = "import a\n\n\nclass A:\n    x = 1\n\n\ny = 1\n\n\ndef f():\n    pass\n"
    part = "import b\n\nz = 2\ny = z\n\n@b\ndef f():\n    return 1\n"
    spliced = splice(old, part)
    assert [line for line in spliced.splitlines() if line] == [
        "import b",
        "import a",
        "class A:",
        "    x = 1",
        "z = 2",
        "y = z",
        "@b",
        "def f():",
        "    return 1",
    ]


def test_rooms() -> None:
    """The floor plan has all rooms, in the order that import-linter keeps."""
    rows = re.findall(
        r"^\| (\d+) \| `([\w.]+)/?` \|", PAGES["architecture.md"].read_text(), re.M
    )
    told = [(int(floor), room.removesuffix(".py")) for floor, room in rows]
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"][
        "importlinter"
    ]["contracts"]
    layers = [
        [name for room in layer.split("|") if exists(name := room.strip(" ()"))]
        for layer in contracts[0]["layers"]
    ]
    floors = list(enumerate(reversed([layer for layer in layers if layer]), start=1))
    assert sorted(told) == sorted(
        (floor, room) for floor, rooms in floors for room in rooms
    )


def test_public_names() -> None:
    """The reference has every public name."""
    told = set(re.findall(r"autoclass:: (\w+)", PAGES["api.md"].read_text()))

    known = {"flask_alembic"}

    for module in (errors, run_errors):
        name = module.__name__
        assert f"automodule:: {name}\n" in PAGES["api.md"].read_text()
        known |= {n for n, item in vars(module).items() if is_of(item, name)}

    assert set(flask_alembic.__all__) - known == told - known


def is_of(item: object, module: str) -> bool:
    """Whether a class or function is defined in a module."""
    return getattr(item, "__module__", None) == module


def test_options() -> None:
    """The page about the configuration has every option."""
    told = set(re.findall(r"`(\w+)`", PAGES["configuration.md"].read_text()))
    assert option_values.KNOWN_OPTIONS - told == set()


def blocks(path: Path) -> list[tuple[str, str]]:
    """The fenced blocks of a page: language and content."""
    document = Sybil([]).parse(path)
    return [
        (region.lexemes["language"].split(" ")[0], str(region.lexemes["source"]))
        for region in FencedCodeBlockLexer(r"[^\n]*")(document)
    ]


def exists(room: str) -> bool:
    return (PACKAGE / room).is_dir() or (PACKAGE / f"{room}.py").exists()
