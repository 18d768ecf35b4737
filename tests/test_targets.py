"""What a revision argument means: an id, a part of one, a count of steps, a branch."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

import pytest
from flask import Flask
from hypothesis import assume
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from apps import Apps
from apps import write_revision
from conftest import Cli
from flask_alembic import Alembic
from flask_alembic import MultipleHeadsError
from flask_alembic import TargetError
from flask_alembic import UnknownRevisionError
from flask_alembic.arguments import as_strings
from flask_alembic.arguments import number_as_id
from flask_alembic.arguments import resolve
from flask_alembic.errors import FlaskAlembicError

relaxed = settings(deadline=None)

TIMESTAMPS: t.Final = ("1700000000", "1700000001", "1700000002", "1800000000")


@dataclass(frozen=True)
class KnownRevisions:
    """A history, as far as arguments ask for it."""

    ids: t.Sequence[str] = ()
    labels: t.Collection[str] = ()
    heads: t.Sequence[str] = ()

    def get_heads(self) -> t.Sequence[str]:
        return self.heads


def line(app: Flask, *ids: str) -> None:
    """Write revisions that follow each other."""
    for down, up in zip([None, *ids], ids, strict=False):
        write_revision(app, up, down)


def current(app: Flask, alembic: Alembic) -> set[str]:
    with app.app_context():
        return {script.revision for script in alembic.current()}


@pytest.fixture
def timestamps(apps: Apps, sqlite_url: str) -> tuple[Flask, Alembic]:
    """An app with four revisions that have timestamps for ids, and are applied."""
    app, alembic = apps.plain(sqlite_url)
    line(app, *TIMESTAMPS)

    with app.app_context():
        alembic.upgrade()

    return app, alembic


def simple_ids() -> st.SearchStrategy[str]:
    texts = st.from_regex(r"[a-z0-9_]{1,6}|[0-9]{4,6}[a-z]?", fullmatch=True)
    return texts.filter(lambda text: text not in {"base", "head", "heads"})


known = st.lists(simple_ids(), unique=True, max_size=8).map(KnownRevisions)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("1700000000", "1700000000"),
        (" 1700000000 ", "1700000000"),
        ("18000", "1800000000"),
        ("1800", "1800000000"),
        ("1", "1700000002"),
        ("2", "1700000001"),
        ("-1", "1700000002"),
        ("-3", "1700000000"),
        (-1, "1700000002"),
        (2, "1700000001"),
        (-2, "1700000001"),
        ("1700000002-1", "1700000001"),
        ("1700000000", "1700000000"),
        ("base", None),
        ("4", None),
        (-4, None),
    ],
)
def test_downgrade(
    timestamps: tuple[Flask, Alembic], target: int | str, expected: str | None
) -> None:
    """An id is an id, though it is a number; a small number is a count of steps; only
    what is neither may be a part of an id.
    """
    app, alembic = timestamps

    with app.app_context():
        alembic.downgrade(target)

    assert current(app, alembic) == ({expected} if expected else set())


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("1700000000", "1700000000"),
        ("1700000002", "1700000002"),
        ("1800", "1800000000"),
        ("1", "1700000000"),
        ("2", "1700000001"),
        ("+2", "1700000001"),
        (2, "1700000001"),
        ("1700000000+1", "1700000001"),
        ("4", "1800000000"),
        ("head", "1800000000"),
        ("heads", "1800000000"),
        (["1700000001"], "1700000001"),
    ],
)
def test_upgrade(
    timestamps: tuple[Flask, Alembic],
    target: int | str | list[str],
    expected: str,
) -> None:
    """So it is on the way up."""
    app, alembic = timestamps

    with app.app_context():
        alembic.downgrade("base")
        alembic.upgrade(target)

    assert current(app, alembic) == {expected}


@pytest.mark.parametrize("target", ["1700000000", "2", "-2", "1700000002-1"])
def test_downgrade_on_the_command_line(
    timestamps: tuple[Flask, Alembic], db: Cli, target: str
) -> None:
    """The command line means the same by the same words."""
    app, alembic = timestamps
    result = db(app, "downgrade", target)
    assert result.exit_code == 0, result.output
    expected = "1700000000" if target == "1700000000" else "1700000001"
    assert current(app, alembic) == {expected}


def test_count_is_no_part_of_an_id(apps: Apps, sqlite_url: str) -> None:
    """``2`` is two steps, though an id begins with it; ``2000`` is that id."""
    app, alembic = apps.plain(sqlite_url)
    line(app, "1000", "2000", "3000")

    with app.app_context():
        alembic.upgrade("2")
    assert current(app, alembic) == {"2000"}

    with app.app_context():
        alembic.downgrade("1")
    assert current(app, alembic) == {"1000"}

    with app.app_context():
        alembic.upgrade("2000")
    assert current(app, alembic) == {"2000"}


def test_exact_id_wins(apps: Apps, sqlite_url: str) -> None:
    """An id that is written so is meant, before a count and before a longer id."""
    app, alembic = apps.plain(sqlite_url)
    line(app, "3", "1", "10001", "1000", "2")

    with app.app_context():
        alembic.upgrade("1000")
    assert current(app, alembic) == {"1000"}

    with app.app_context():
        alembic.downgrade("1")
    assert current(app, alembic) == {"1"}

    with app.app_context():
        alembic.upgrade("2")
    assert current(app, alembic) == {"2"}


def test_revision_as_an_argument(timestamps: tuple[Flask, Alembic]) -> None:
    """A revision that a method returned can be passed to another."""
    app, alembic = timestamps

    with app.app_context():
        first = alembic.log()[-1]
        alembic.downgrade(first)

    assert current(app, alembic) == {TIMESTAMPS[0]}

    with app.app_context():
        alembic.stamp([first])
        assert [script.revision for script in alembic.show(first)] == [TIMESTAMPS[0]]


@pytest.mark.parametrize("target", ["+1", "1700000002+5", "+99", 99])
def test_beyond_the_head(timestamps: tuple[Flask, Alembic], target: int | str) -> None:
    """There is nothing above the head, and that is an error in the user's words."""
    app, alembic = timestamps

    with app.app_context(), pytest.raises(TargetError) as info:
        alembic.upgrade(target)

    assert "beyond the head" in str(info.value)
    assert str(target).lstrip("+") in str(info.value)
    assert info.value.hint
    assert current(app, alembic) == {TIMESTAMPS[-1]}


@pytest.mark.parametrize("target", ["-99", -99, 99, "99", "-5", "1700000000-2"])
def test_beyond_the_base(timestamps: tuple[Flask, Alembic], target: int | str) -> None:
    """There is nothing below the base."""
    app, alembic = timestamps

    with app.app_context(), pytest.raises(TargetError) as info:
        alembic.downgrade(target)

    assert "beyond the base" in str(info.value)
    assert str(target).lstrip("-") in str(info.value)
    assert current(app, alembic) == {TIMESTAMPS[-1]}


def test_one_down_at_the_base(timestamps: tuple[Flask, Alembic]) -> None:
    """At the base a step down is an error, too."""
    app, alembic = timestamps

    with app.app_context():
        alembic.downgrade("base")

    with app.app_context(), pytest.raises(TargetError, match="beyond the base"):
        alembic.downgrade()


@pytest.mark.parametrize(
    ("verb", "target", "other"),
    [
        ("upgrade", "-1", "downgrade -1"),
        ("upgrade", -1, "downgrade -1"),
        ("downgrade", "+1", "upgrade +1"),
    ],
)
def test_wrong_direction(
    timestamps: tuple[Flask, Alembic], verb: str, target: int | str, other: str
) -> None:
    """A step the other way is an error that names the other command."""
    app, alembic = timestamps

    with app.app_context(), pytest.raises(TargetError) as info:
        getattr(alembic, verb)(target)

    assert info.value.hint is not None
    assert other in info.value.hint
    assert current(app, alembic) == {TIMESTAMPS[-1]}


@pytest.mark.parametrize("verb", ["upgrade", "downgrade", "stamp", "show"])
def test_unknown_revision(apps: Apps, sqlite_url: str, verb: str) -> None:
    """An id that nothing has brings up those that look like it."""
    app, alembic = apps.plain(sqlite_url)
    line(app, "a1b2c3d4", "e5f6a7b8")

    with app.app_context(), pytest.raises(UnknownRevisionError) as info:
        getattr(alembic, verb)("a1b2d3d4")

    assert info.value.target == "a1b2d3d4"
    assert info.value.candidates == ("a1b2c3d4",)
    assert info.value.hint == "Did you mean a1b2c3d4?"


def test_unknown_revision_like_nothing(timestamps: tuple[Flask, Alembic]) -> None:
    """If none looks like it, the hint names the command that lists all."""
    app, alembic = timestamps

    with app.app_context(), pytest.raises(UnknownRevisionError) as info:
        alembic.upgrade("zzz")

    assert info.value.candidates == ()
    assert info.value.hint is not None
    assert "flask db log" in info.value.hint


@pytest.mark.parametrize("verb", ["upgrade", "downgrade", "stamp", "show"])
def test_ambiguous_part(timestamps: tuple[Flask, Alembic], verb: str) -> None:
    """A part that several ids begin with is an error that lists them."""
    app, alembic = timestamps

    with app.app_context(), pytest.raises(UnknownRevisionError) as info:
        getattr(alembic, verb)("17000")

    assert info.value.candidates == TIMESTAMPS[:3]
    assert info.value.hint is not None
    assert all(id_ in info.value.hint for id_ in TIMESTAMPS[:3])


def test_unknown_branch(apps: Apps, sqlite_url: str) -> None:
    """A label that nothing has brings up the labels."""
    app, alembic = apps.plain(sqlite_url)
    write_revision(app, "r1", branch_labels=("users",))

    with app.app_context(), pytest.raises(UnknownRevisionError) as info:
        alembic.upgrade("user@head")

    assert info.value.candidates == ("users",)
    assert "'user'" in str(info.value)


@pytest.mark.parametrize("verb", ["upgrade", "stamp", "show"])
def test_several_heads(apps: Apps, sqlite_url: str, verb: str) -> None:
    """``head`` is an error where there are several; ``heads`` are all of them."""
    app, alembic = apps.plain(sqlite_url)
    write_revision(app, "r1", branch_labels=("one",))
    write_revision(app, "r2", branch_labels=("two",))

    with app.app_context(), pytest.raises(MultipleHeadsError) as info:
        getattr(alembic, verb)("head")

    assert info.value.heads == ("r1", "r2")
    assert info.value.hint is not None
    assert "merge" in info.value.hint

    with app.app_context():
        getattr(alembic, verb)("one@head")
        getattr(alembic, verb)("heads")


def test_downgrade_from_several_heads(apps: Apps, sqlite_url: str) -> None:
    """Where several branches are applied, a count does not say which to go down; a
    label does.
    """
    app, alembic = apps.plain(sqlite_url)
    write_revision(app, "r1", branch_labels=("one",))
    write_revision(app, "r2", branch_labels=("two",))

    with app.app_context():
        alembic.upgrade()

    with app.app_context(), pytest.raises(MultipleHeadsError) as info:
        alembic.downgrade()

    assert info.value.heads == ("r1", "r2")
    assert current(app, alembic) == {"r1", "r2"}

    with app.app_context():
        alembic.downgrade("one@-1")

    assert current(app, alembic) == {"r2"}


@pytest.mark.parametrize("target", [True, False, 1.5, None, object()])
@pytest.mark.parametrize("verb", ["upgrade", "downgrade", "stamp", "show"])
def test_target_of_another_type(
    timestamps: tuple[Flask, Alembic], verb: str, target: t.Any
) -> None:
    """What can't be a revision is refused."""
    app, alembic = timestamps

    with app.app_context(), pytest.raises(TargetError):
        getattr(alembic, verb)(target)

    assert current(app, alembic) == {TIMESTAMPS[-1]}


@pytest.mark.parametrize("target", ["", "  "])
@pytest.mark.parametrize("verb", ["upgrade", "downgrade", "stamp"])
def test_empty_target(
    timestamps: tuple[Flask, Alembic], verb: str, target: str
) -> None:
    """An empty text, as from an unset variable, is no revision: it must not be taken
    for the base.
    """
    app, alembic = timestamps

    with app.app_context(), pytest.raises(TargetError):
        getattr(alembic, verb)(target)

    assert current(app, alembic) == {TIMESTAMPS[-1]}


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("head", ["head"]),
        (" head ", ["head"]),
        (1, ["+1"]),
        (-1, ["-1"]),
        (0, ["+0"]),
        (["a", "b"], ["a", "b"]),
        (("a", "b"), ["a", "b"]),
        ([], []),
    ],
)
def test_one_form(argument: t.Any, expected: list[str]) -> None:
    """Whatever is passed becomes a list of texts."""
    assert as_strings(argument) == expected


@relaxed
@given(known, st.data(), st.sampled_from(["", "+", "-"]))
def test_id_is_itself(history: KnownRevisions, data: st.DataObject, sign: str) -> None:
    """Every id can be named, whatever it looks like."""
    assume(history.ids)
    id_ = data.draw(st.sampled_from(history.ids))
    assert resolve(id_, history, sign=sign) == id_


@relaxed
@given(known, st.data(), st.sampled_from(["", "+", "-"]))
def test_part_means_one_id(
    history: KnownRevisions, data: st.DataObject, sign: str
) -> None:
    """A part stands for the id that begins with it, if that is only one, and for
    nothing else.
    """
    assume(history.ids)
    id_ = data.draw(st.sampled_from(history.ids))
    part = id_[: data.draw(st.integers(1, len(id_)))]
    assume(not (sign and part.isdecimal()))
    matches = [other for other in history.ids if other.startswith(part)]

    try:
        found = resolve(part, history, sign=sign)
    except UnknownRevisionError as error:
        assert part not in history.ids
        assert len(matches) > 1 or len(part) < 4
        assert len(matches) > 1 or part not in error.candidates
    else:
        assert found == part or matches == [found]


@relaxed
@given(known, st.integers(0, 10**12), st.sampled_from(["+", "-"]))
def test_number(history: KnownRevisions, number: int, sign: str) -> None:
    """A number is an id, else a count where it can be one, else a part of an id."""
    text = str(number)
    matches = [id_ for id_ in history.ids if id_.startswith(text) and len(text) >= 4]

    try:
        found = resolve(text, history, sign=sign)
    except UnknownRevisionError:
        assert text not in history.ids
        assert number > len(history.ids)
        assert len(matches) > 1
    else:
        if text in history.ids:
            assert found == text
        elif number <= len(history.ids) or not matches:
            assert found == f"{sign}{text}"
        else:
            assert [found] == matches


@relaxed
@given(known, st.data(), st.sampled_from(["+", "-"]))
def test_number_that_is_a_part(
    history: KnownRevisions, data: st.DataObject, sign: str
) -> None:
    """What a number is taken for is told exactly where it is neither an id nor a count
    of steps.
    """
    parts = [id_[:length] for id_ in history.ids for length in range(4, len(id_))]
    text = data.draw(st.sampled_from([*parts, "0", "7", "2000", "a"]))

    try:
        found = resolve(text, history, sign=sign)
    except UnknownRevisionError:
        return

    told = number_as_id(text, history, sign=sign)
    is_part = text.isdecimal() and found in history.ids and found != text
    assert told == (found if is_part else None)
    assert told is None or int(text) > len(history.ids)


@relaxed
@given(known, st.integers(1, 99), st.sampled_from("+-"), st.sampled_from(["", "+"]))
def test_count_with_a_sign(
    history: KnownRevisions, number: int, sign: str, bare: str
) -> None:
    """A count with a sign is one, whatever the ids are."""
    assert resolve(f"{sign}{number}", history, sign=bare) == f"{sign}{number}"


@relaxed
@given(
    known,
    st.text(st.sampled_from("ab01+-@:. heads\n\0'ž١"), max_size=12)
    | st.text(max_size=9),
    st.sampled_from(["", "+", "-"]),
)
def test_any_text(history: KnownRevisions, text: str, sign: str) -> None:
    """Any text is something that there is, or an error of ours that names it."""
    try:
        found = resolve(text, history, sign=sign)
    except FlaskAlembicError as error:
        assert isinstance(error, TargetError)
        assert error.target == text
        return

    assert found

    for word in ("@", "+", "-"):
        found = found.replace(word, " ")

    assert all(
        part in history.ids or part in {"base", "head", "heads"} or part.isdecimal()
        for part in found.split()
    )
