"""The message of a revision, which becomes code in a file."""

from __future__ import annotations

import ast
import inspect
import typing as t
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask
from hypothesis import given
from hypothesis import HealthCheck
from hypothesis import settings
from hypothesis import strategies as st

from apps import Apps
from apps import todo_metadata
from conftest import Cli
from flask_alembic import Alembic
from flask_alembic import TargetError

relaxed = settings(
    deadline=None,
    max_examples=50,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)

HOSTILE: t.Final = [
    'say "hello"',
    'a """ b',
    '"""',
    '""""""',
    '"',
    "'",
    "'''",
    'ends with "',
    "ends with \\",
    "\\",
    "\\\\",
    '\\"',
    '\\"""',
    "C:\\new\\users\\x",
    "\\N{",
    "\\N{BULLET}",
    "\\x",
    "\\u12",
    "\\777",
    "two\nlines",
    "one\n\ntwo paragraphs",
    "tab\tbed",
    "return\rreturn",
    "windows\r\nlines",
    "null\0byte",
    "bell\a escape\x1b[31m",
    "line\u2028separator",
    "next\x85line",
    "right\u202eto left",
    "x" * 500,
    "add 🎉 emoji",
    "žluťoučký kůň",
    "${1 + 1}",
    "${up_revision}",
    "<% raise Exception() %>",
    "% if True:",
    "## comment",
    "100% sure",
    "%(rev)s",
    "{braces} {0}",
    '"""\nraise SystemExit(3)\n"""',
    '\\"""\nraise SystemExit(3)\n\\"""',
    "#",
    "revision = 'evil'",
    "# -*- coding: latin-1 -*-",
]

GENERIC_TEMPLATE: t.Final = '''\
"""${message}

Revision: ${up_revision}
Follows: ${down_revision | comma,n}
"""
from alembic import op
import sqlalchemy as sa
${imports if imports else ""}

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


def upgrade():
    ${upgrades if upgrades else "pass"}


def downgrade():
    ${downgrades if downgrades else "pass"}
'''
"""As many projects have it: they began with another tool."""

Maker = t.Callable[[], tuple[Flask, Alembic]]

messages = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60)
hostile_messages = st.text(
    st.sampled_from("a\"'\\ \n\r\t\0{}N$%#<>ux1\u2028"), min_size=1, max_size=20
)


@pytest.fixture(params=["generic", "multidb", "own"])
def make(request: pytest.FixtureRequest, apps: Apps, tmp_path: Path) -> Maker:
    """Makes an app whose folder has one of the templates."""

    def run() -> tuple[Flask, Alembic]:
        names = ["default", "other"] if request.param == "multidb" else ["default"]
        app = apps.flask()
        metadatas: dict[str | None, sa.MetaData] = {n: todo_metadata() for n in names}
        engines: dict[str | None, sa.Engine] = {
            name: apps.engine(f"sqlite:///{tmp_path}/{name}.db") for name in names
        }
        alembic = Alembic(app, metadatas=metadatas, engines=engines)

        if request.param == "own":
            template = Path(app.root_path, "migrations", "script.py.mako")
            template.write_text(GENERIC_TEMPLATE)

        return app, alembic

    return run


def revisions(app: Flask) -> list[Path]:
    return list(Path(app.root_path, "migrations").glob("*.py"))


def check_carried(app: Flask, alembic: Alembic, message: str) -> None:
    """Write a revision, and find the message in it as it was given."""
    before = set(revisions(app))

    with app.app_context():
        (script,) = alembic.revision(message, empty=True)
        assert script is not None

    (path,) = set(revisions(app)) - before
    docstring = ast.get_docstring(ast.parse(path.read_bytes()), clean=False)
    assert docstring is not None
    assert docstring.split("\n\nRevis")[0] == message

    # A later context reads the file anew.
    with app.app_context():
        loaded = alembic.script_directory.get_revision(script.revision)
        assert loaded is not None
        # Newer versions of Python expand tabs and strip spaces in docstrings.
        assert inspect.cleandoc(loaded.module.__doc__ or "") == inspect.cleandoc(
            docstring
        )
        assert len(alembic.log()) == len(before) + 1


@pytest.mark.parametrize("message", HOSTILE)
def test_hostile_message(make: Maker, message: str) -> None:
    """Whatever a message holds, the file parses, carries it, and is a revision."""
    check_carried(*make(), message)


@pytest.mark.parametrize("message", HOSTILE)
def test_hostile_message_is_shown(
    db: Cli, apps: Apps, sqlite_url: str, message: str
) -> None:
    """The command line writes it and shows the history afterwards."""
    app, alembic = apps.plain(sqlite_url)
    assert db(app, "revision", "--empty", "--", message).exit_code == 0
    result = db(app, "log", "-v")
    assert result.exit_code == 0

    with app.app_context():
        (script,) = alembic.log()

    assert script.revision in result.output
    assert db(app, "upgrade").exit_code == 0


@relaxed
@given(messages | hostile_messages)
def test_any_message(make: Maker, message: str) -> None:
    """That is so for any text, but an empty one."""
    if message.strip():
        check_carried(*make(), message)


@pytest.mark.parametrize("message", ["simple", "with words of Žižkov", 'say "hi"'])
def test_message_is_the_longdoc(make: Maker, message: str) -> None:
    """Alembic finds it where it finds its own: in ``doc`` and ``longdoc``."""
    app, alembic = make()

    with app.app_context():
        (script,) = alembic.revision(message, empty=True)
        assert script is not None
        assert script.doc == message
        assert script.longdoc.splitlines()[0] == message


def test_message_of_a_merge(make: Maker) -> None:
    """Merging writes messages in the same way."""
    app, alembic = make()
    message = 'a """ \\N{ b'

    with app.app_context():
        (base,) = alembic.revision("base", empty=True)
        assert base is not None
        for name in "ab":
            alembic.revision(name, empty=True, parent=base.revision, splice=True)

    with app.app_context():
        script = alembic.merge(message=message)
        assert script is not None
        assert script.doc == message


def test_message_in_every_revision_of_one_call(make: Maker) -> None:
    """The operations that are found stand beside a hostile message."""
    app, alembic = make()

    with app.app_context():
        (script,) = alembic.revision('add """ todo \\')
        assert script is not None
        assert "create_table" in Path(script.path).read_text()

    with app.app_context():
        report = alembic.upgrade()
        assert {step.message for step in report.steps} == {'add """ todo \\'}


@pytest.mark.parametrize("message", ["", " ", "\n", "\t \n", "\u2003"])
@pytest.mark.parametrize("verb", ["revision", "merge"])
def test_empty_message(make: Maker, message: str, verb: str) -> None:
    """A message that says nothing is refused, and nothing is written."""
    app, alembic = make()

    with app.app_context():
        (base,) = alembic.revision("base", empty=True)
        assert base is not None
        for name in "ab":
            alembic.revision(name, empty=True, parent=base.revision, splice=True)

    before = set(revisions(app))

    with app.app_context(), pytest.raises(TargetError, match="message is empty"):
        if verb == "merge":
            alembic.merge(message=message)
        else:
            alembic.revision(message, parent="base", empty=True)

    assert set(revisions(app)) == before


@pytest.mark.parametrize("message", ["\udcff", "a\ud800b", "\udfff end"])
def test_message_that_is_no_text(make: Maker, message: str) -> None:
    """Half of a character, as from an argument in another encoding, is refused."""
    app, alembic = make()

    with app.app_context(), pytest.raises(TargetError, match="not valid text"):
        alembic.revision(message, empty=True)

    assert revisions(app) == []


def test_message_that_is_no_text_on_the_command_line(
    db: Cli, apps: Apps, sqlite_url: str
) -> None:
    """The command says so in a line."""
    app, _ = apps.plain(sqlite_url)
    result = db(app, "revision", "--empty", "bad \udcff byte")
    assert result.exit_code == 1
    assert "Error: The message is not valid text" in result.output
    assert revisions(app) == []


@pytest.mark.parametrize("message", [5, b"bytes", ["a"]])
def test_message_of_another_type(make: Maker, message: t.Any) -> None:
    """A message is a text."""
    app, alembic = make()

    with app.app_context(), pytest.raises(TargetError):
        alembic.revision(message, empty=True)

    assert revisions(app) == []


@pytest.mark.parametrize(
    "code",
    [
        '"""\n{}\n"""',
        '\\"""\n{}\n\\"""',
        '\\\\"""\n{}\n"""',
        "'''\n{}\n'''",
        '""" + str({}) + """',
        "${{{}}}",
        "<%\n{}\n%>",
        '"""\r\n{}\r\n"""',
        '"""\u2028{}\u2028"""',
    ],
)
def test_code_in_a_message(make: Maker, tmp_path: Path, code: str) -> None:
    """Code in a message is never run: not by writing, reading or migrating."""
    app, alembic = make()
    mark = tmp_path / "executed"
    message = code.format(f"open({str(mark)!r}, 'w').close()")

    with app.app_context():
        alembic.revision(message, empty=True)

    with app.app_context():
        alembic.upgrade()
        assert len(alembic.current()) == 1

    assert not mark.exists()


@pytest.mark.parametrize("message", ["x" * 500, "add 🎉", "a/b\\c", "..", "🎉", "%s"])
def test_name_of_the_file(make: Maker, message: str) -> None:
    """The file is named by the id and some words, in characters that every system
    takes.
    """
    app, alembic = make()

    with app.app_context():
        (script,) = alembic.revision(message, empty=True)
        assert script is not None

    (path,) = revisions(app)
    assert path.name.startswith(f"{script.revision}_")
    assert len(path.name) < 100
    assert not set(path.name) & set('/\\:*?"<>| %\0\n')
