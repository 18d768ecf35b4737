"""Ids, labels and paths: what is made, what is accepted, and where it can lead."""

from __future__ import annotations

import itertools
import re
import sqlite3
import threading
import typing as t
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.script import Script
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from apps import Apps
from apps import write_revision
from flask_alembic import Alembic
from flask_alembic import ConfigurationError
from flask_alembic import FlaskAlembicError
from flask_alembic import HistoryError
from flask_alembic import revision_ids
from flask_alembic import RevisionFileError
from flask_alembic import TargetError
from flask_alembic.revision_ids import is_id
from flask_alembic.revision_ids import is_label
from flask_alembic.revision_ids import timestamp_id

relaxed = settings(deadline=None)

HOSTILE: t.Final = [
    "",
    " ",
    ".",
    "..",
    "../evil",
    "../../evil",
    "/tmp/evil",
    "a/b",
    "a\\b",
    "C:evil",
    "a b",
    "a'b",
    "'; DROP TABLE todo; --",
    "x'||(select 1)||'",
    'a"b',
    "a`b",
    "a\nb",
    "a\n",
    "\na",
    "a\0b",
    "a%sb",
    "a:b",
    "a@b",
    "a+1",
    "a-1",
    "-1",
    "+1",
    "head",
    "heads",
    "base",
    "current",
    "ž",
    "١٢٣",  # digits, though not ASCII
    "a${1}",
]

NO_LABELS: t.Final = [text for text in HOSTILE if text not in {"a-1"}]

WORST: t.Final = ["../../evil", "/tmp/evil", "'; DROP TABLE todo; --", "a\n", "a\0b"]
"""Those that are tried at each door; the two patterns are shown to refuse all."""

near_ids = st.text(st.sampled_from("aZ09_.-+@:/\\'\"; \n\0%$žа١"), max_size=8)


def files(folder: str | Path) -> set[Path]:
    """Everything below a folder, but for what Python keeps there."""
    found = {path for path in Path(folder).rglob("*") if path.is_file()}
    return {path for path in found if path.parent.name != "__pycache__"}


def test_ids_are_unique_however_fast() -> None:
    """No id is given twice, though all are asked for in one second."""
    ids = [timestamp_id() for _ in range(500)]
    assert len(set(ids)) == 500
    assert all(is_id(id_) for id_ in ids)


def test_ids_grow() -> None:
    """Later ids are greater, also as texts, so that files sort in order."""
    ids = [timestamp_id() for _ in range(50)]
    assert ids == sorted(ids)
    assert [int(id_) for id_ in ids] == sorted(int(id_) for id_ in ids)


def test_ids_are_unique_over_threads() -> None:
    """Threads that ask at the same time get different ids."""
    barrier = threading.Barrier(4)

    def ask(_: int) -> list[str]:
        barrier.wait()
        return [timestamp_id() for _ in range(200)]

    with ThreadPoolExecutor(4) as pool:
        ids = list(itertools.chain.from_iterable(pool.map(ask, range(4))))

    assert len(set(ids)) == 800


def test_clock_that_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """An id is never smaller than the one before, whatever the clock says."""
    before = int(timestamp_id())
    monkeypatch.setattr("time.time", lambda: 1.0)
    assert [int(timestamp_id()) for _ in range(2)] == [before + 1, before + 2]


def test_id_is_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first id of a second is its timestamp."""
    future = int(timestamp_id()) + 1000
    monkeypatch.setattr(revision_ids, "_last_id", 0)
    monkeypatch.setattr("time.time", lambda: future + 0.9)
    assert timestamp_id() == str(future)


def test_revisions_in_one_second(apps: Apps, sqlite_url: str) -> None:
    """Revisions made one after the other form one line."""
    app, alembic = apps.plain(sqlite_url)

    with app.app_context():
        made = [script_of(alembic, f"number {n}") for n in range(5)]

    with app.app_context():
        log = alembic.log()
        assert [script.revision for script in log] == made[::-1]
        assert [script.down_revision for script in log] == [*made[-2::-1], None]


def script_of(alembic: Alembic, message: str, **arguments: t.Any) -> str:
    """Make an empty revision: its id."""
    (script,) = alembic.revision(message, empty=True, **arguments)
    assert script is not None
    return script.revision


@relaxed
@given(near_ids | st.text(max_size=8))
def test_id_is_harmless(text: str) -> None:
    """What is taken for an id leads nowhere as a path, is itself in SQL and in the
    arguments of commands, and Alembic takes it.
    """
    if not is_id(text):
        return

    assert text.isascii()
    assert Path(text).name == text
    assert text not in {".", ".."}
    assert not re.search(r"[\s'\"`\\/:;@+%$\0-]", text)
    Script.verify_rev_id(text)

    connection = sqlite3.connect(":memory:")
    assert connection.execute(f"SELECT '{text}'").fetchone() == (text,)
    connection.close()


@relaxed
@given(near_ids | st.text(max_size=8))
def test_label_is_harmless(text: str) -> None:
    """What is taken for a label can be typed as ``label@head``, and no option."""
    if is_label(text):
        assert not re.search(r"[\s'\"`\\/:;@+%$\0]", text)
        assert text[0] != "-"
        assert text not in {"head", "heads", "base", "current"}


@relaxed
@given(st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.]*", fullmatch=True))
def test_usual_ids_are_taken(text: str) -> None:
    """Letters, digits, ``_`` and ``.`` make an id, which may be a label as well."""
    if text not in {"head", "heads", "base", "current"}:
        assert is_id(text)
        assert is_label(text)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_no_id(text: str) -> None:
    """Paths, SQL, words of the command line and other alphabets are no ids."""
    assert not is_id(text)


@pytest.mark.parametrize("text", NO_LABELS)
def test_hostile_text_is_no_label(text: str) -> None:
    """Nor are they labels; only a hyphen may be in a label."""
    assert not is_label(text)


@pytest.mark.parametrize("value", [None, 5, 5.0, b"a", ["a"], ("a",)])
def test_id_is_a_text(value: object) -> None:
    """Another type is no id."""
    assert not is_id(value)
    assert not is_label(value)


@pytest.mark.parametrize("value", [*WORST, "", "a-1", "head", 5, None])
def test_rev_id_that_is_no_id(apps: Apps, sqlite_url: str, value: t.Any) -> None:
    """What a user's function returns is checked before anything is written."""
    app, alembic = apps.plain(sqlite_url)
    before = files(apps.folder)
    alembic.rev_id = lambda: value  # type: ignore[method-assign]

    with app.app_context(), pytest.raises(HistoryError, match=r"rev_id\(\) returned"):
        alembic.revision("evil", empty=True)

    assert files(apps.folder) == before


@pytest.mark.parametrize("verb", ["revision", "merge"])
def test_rev_id_that_returns_the_same(apps: Apps, sqlite_url: str, verb: str) -> None:
    """An id that is taken is asked for once more, and then refused."""
    app, alembic = apps.plain(sqlite_url)
    write_revision(app, "same")
    write_revision(app, "other")
    before = files(apps.folder)
    alembic.rev_id = lambda: "same"  # type: ignore[method-assign]

    with app.app_context(), pytest.raises(HistoryError, match="'same'"):
        if verb == "merge":
            alembic.merge()
        else:
            alembic.revision("again", empty=True, parent="other")

    assert files(apps.folder) == before


def test_rev_id_that_returns_a_taken_one_first(apps: Apps, sqlite_url: str) -> None:
    """It may find a free id at its second call."""
    app, alembic = apps.plain(sqlite_url)
    write_revision(app, "r1")
    ids = iter(["r1", "r2"])
    alembic.rev_id = lambda: next(ids)  # type: ignore[method-assign]

    with app.app_context():
        assert script_of(alembic, "second") == "r2"


def test_rev_id_of_a_subclass(apps: Apps, sqlite_url: str) -> None:
    """A subclass may make its own ids."""

    class Numbered(Alembic):
        def rev_id(self) -> str:
            return f"{len(self.log()) + 1:04}"

    app, alembic = apps.plain(sqlite_url, extension=Numbered)

    for expected in ("0001", "0002", "0003"):
        with app.app_context():
            assert script_of(alembic, "next") == expected


@pytest.mark.parametrize(
    "path", ["../evil", "/tmp/evil", "/", ".", "migrations/../..", "migrations/x"]
)
def test_path_out_of_the_version_locations(
    apps: Apps, sqlite_url: str, path: str
) -> None:
    """A revision is only written to a version location."""
    app, alembic = apps.plain(sqlite_url)
    before = files(apps.folder)

    with app.app_context(), pytest.raises(TargetError, match="version locations"):
        alembic.revision("evil", empty=True, path=path)

    assert files(apps.folder) == before


@pytest.mark.parametrize("label", [*WORST, "-a", "a@b", "heads"])
@pytest.mark.parametrize("argument", ["label", "branch"])
def test_label_that_is_none(
    apps: Apps, sqlite_url: str, label: str, argument: str
) -> None:
    """A label that could not be typed later is refused, and nothing is written."""
    app, alembic = apps.plain(sqlite_url)
    before = files(apps.folder)
    arguments: dict[str, t.Any] = {argument: label}

    with app.app_context(), pytest.raises(TargetError, match="can't be the label"):
        alembic.revision("evil", empty=True, **arguments)

    assert files(apps.folder) == before


@pytest.mark.parametrize(
    "file_template",
    ["../%(rev)s", "../../%(rev)s_%(slug)s", "/tmp/flask_alembic_evil_%(rev)s"],
)
def test_file_template_out_of_the_version_locations(
    apps: Apps, sqlite_url: str, file_template: str
) -> None:
    """Nor does the name of the file lead out."""
    app, alembic = apps.plain(sqlite_url, ALEMBIC={"file_template": file_template})
    before = files(apps.folder)

    with app.app_context(), pytest.raises(ConfigurationError) as info:
        alembic.revision("evil", empty=True)

    assert info.value.key == "file_template"
    assert files(apps.folder) == before
    assert not list(Path("/tmp").glob("flask_alembic_evil_*"))


@pytest.mark.parametrize("message", ["../../evil", "/etc/evil", "..", "a\\..\\b"])
def test_message_is_no_path(apps: Apps, sqlite_url: str, message: str) -> None:
    """The file's name holds words of the message, and stays in its folder."""
    app, alembic = apps.plain(sqlite_url)
    before = files(apps.folder)

    with app.app_context():
        alembic.revision(message, empty=True)

    (new,) = files(apps.folder) - before
    assert new.parent == Path(app.root_path, "migrations")


@pytest.mark.parametrize("target", ["'; DROP TABLE todo; --", "a\0b"])
@pytest.mark.parametrize("verb", ["upgrade", "downgrade", "stamp", "show"])
def test_target_does_not_reach_sql(
    url: str, apps: Apps, target: str, verb: str
) -> None:
    """Only an id that a file has is written to the database."""
    app, alembic = apps.plain(url)

    with app.app_context():
        alembic.revision("todo")
        alembic.upgrade()
        at = alembic.current()

    with app.app_context(), pytest.raises(TargetError):
        getattr(alembic, verb)(target)

    with app.app_context():
        assert [s.revision for s in alembic.current()] == [s.revision for s in at]
        assert sa.inspect(alembic.databases["default"].engine).has_table("todo")


@pytest.mark.parametrize(
    "value", ["x'||(select 1)||'", "a'b", "a b", "../evil", "a@b", "head", 5, ""]
)
def test_file_whose_id_is_none(apps: Apps, sqlite_url: str, value: object) -> None:
    """An id in a file that somebody edited is checked before it is used."""
    app, alembic = apps.plain(sqlite_url)
    path = write_revision(app, "r1", upgrade="op.execute('CREATE TABLE x (i INT)')")
    text = path.read_text()
    path.write_text(text.replace("revision = 'r1'", f"revision = {value!r}"))

    with app.app_context(), pytest.raises(RevisionFileError) as info:
        alembic.upgrade()

    assert info.value.path == str(path)
    assert repr(value) in str(info.value)
    assert sa.inspect(apps.engine(sqlite_url)).get_table_names() == []


@pytest.mark.parametrize("verb", ["heads", "upgrade", "current", "needs_upgrade"])
def test_id_in_two_files(apps: Apps, sqlite_url: str, verb: str) -> None:
    """Neither file is left out: the error names both."""
    app, alembic = apps.plain(sqlite_url)
    first = write_revision(app, "r1")
    second = first.with_name("copy.py")
    second.write_text(first.read_text())

    with app.app_context(), pytest.raises(HistoryError) as info:
        getattr(alembic, verb)()

    assert "r1_.py" in str(info.value)
    assert "copy.py" in str(info.value)


def test_refused_id_is_an_alembic_error(apps: Apps, sqlite_url: str) -> None:
    """Code that catches Alembic's errors catches these."""
    from alembic.util import CommandError

    app, alembic = apps.plain(sqlite_url)
    alembic.rev_id = lambda: "../evil"  # type: ignore[method-assign]

    with app.app_context(), pytest.raises(CommandError) as info:
        alembic.revision("evil", empty=True)

    assert isinstance(info.value, FlaskAlembicError)
    assert info.value.hint
