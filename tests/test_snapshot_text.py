"""What stands in the file of a snapshot: written, and read again."""

from __future__ import annotations

import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_alembic.snapshots.past import past_revision
from flask_alembic.snapshots.past import PastRevision
from flask_alembic.snapshots.postgresql.order import Item
from flask_alembic.snapshots.postgresql.order import Key
from flask_alembic.snapshots.postgresql.order import ordered
from flask_alembic.snapshots.text import read
from flask_alembic.snapshots.text import Snapshot
from flask_alembic.snapshots.text import Statement
from flask_alembic.snapshots.text import UnreadableSnapshot
from flask_alembic.snapshots.text import written

WORDS: t.Final = st.text("abc_1", min_size=1, max_size=5)
IDS: t.Final = st.lists(WORDS, min_size=1, max_size=3, unique=True)
HASHES: t.Final = st.none() | st.text("0123456789abcdef", min_size=1, max_size=8)
STATEMENTS: t.Final = st.builds(
    Statement,
    title=st.builds("table {}".format, WORDS),
    # A statement begins and ends with something that is seen.
    sql=st.builds(
        "CREATE {} (x)".format, st.text("ab'\";-= \n\r\t#é\x00", max_size=30)
    ).filter(lambda sql: "\n-- == " not in sql),
)
SNAPSHOTS: t.Final = st.builds(
    Snapshot,
    dialect=st.sampled_from(["sqlite", "postgresql", "mysql"]),
    revisions=IDS.map(tuple),
    rows=st.just("all") | st.lists(WORDS, max_size=3).map(tuple),
    past=st.lists(
        st.builds(
            PastRevision,
            id=st.text(min_size=1, max_size=5),
            parents=IDS.map(tuple),
            depends_on=IDS.map(tuple),
            checksum=HASHES,
            file_hash=HASHES,
        ),
        max_size=3,
    ).map(tuple),
    statements=st.lists(STATEMENTS, max_size=4).map(tuple),
)


@given(SNAPSHOTS)
def test_round_trip(snapshot: Snapshot) -> None:
    """What is written is read again, to the letter."""
    assert read(written(snapshot, "default")) == snapshot


@given(SNAPSHOTS.filter(lambda s: "\r" not in "".join(x.sql for x in s.statements)))
def test_line_ends(snapshot: Snapshot) -> None:
    """Git may write the lines of a file as Windows does."""
    text = written(snapshot, "default").replace("\n", "\r\n")
    assert read(text) == snapshot


def make(*statements: Statement) -> Snapshot:
    past = (past_revision("a1", [], [], b"x = 1"),)
    return Snapshot("sqlite", ("a1",), (), past, statements)


def test_text() -> None:
    """A statement is a paragraph, and what it is of stands above it."""
    text = written(
        make(
            Statement("table todo", "CREATE TABLE todo (\n  id INTEGER\n)"),
            Statement("view v", "CREATE VIEW v AS SELECT 1 -- one"),
        ),
        "default",
    )
    head, _, rest = text.partition("-- history: ")
    assert head == (
        "-- A snapshot of the database 'default', written by 'flask db snapshot'.\n"
        "-- dialect: sqlite\n"
        "-- revisions: a1\n"
    )
    assert rest.partition("\n")[2].partition('-- ["a1"')[0] == (
        "-- rows: none\n\n"
        "-- == table todo\nCREATE TABLE todo (\n  id INTEGER\n);\n\n"
        "-- == view v\nCREATE VIEW v AS SELECT 1 -- one\n;\n\n"
        "-- == history\n"
    )


def test_a_heading_in_a_statement() -> None:
    """What could not be told from a heading is not written."""
    statement = Statement("function f", "CREATE FUNCTION f\n-- == table x\n")

    with pytest.raises(UnreadableSnapshot, match="function f"):
        written(make(statement), "default")


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("-- dialect: sqlite\n", "", "no line '-- dialect: '"),
        ("-- == history", "-- history", "its end is missing"),
        ('["a1"', '["b2"', "not those of its top"),
        ('-- ["a1"', "<<<<<<< ours", "not a list of revisions"),
        ('-- ["a1"', '-- 5\n-- ["a1"', "not a list of revisions"),
    ],
)
def test_a_text_that_was_changed(old: str, new: str, problem: str) -> None:
    """A file that a merge has garbled is not loaded."""
    text = written(make(), "default")
    assert old in text

    with pytest.raises(UnreadableSnapshot, match=problem):
        read(text.replace(old, new, 1))


GRAPHS: t.Final = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=20)


def items(ranks: t.Sequence[int]) -> list[Item]:
    return [
        Item(("pg_class", n), rank, (Statement(f"table t{n}", f"{n}"),))
        for n, rank in enumerate(ranks)
    ]


@given(GRAPHS, st.lists(st.integers(0, 2), min_size=8, max_size=8), st.randoms())
def test_order(pairs: list[tuple[int, int]], ranks: list[int], random: t.Any) -> None:
    """Everything is made once, after what it needs, and the order does not depend on
    how it is told.
    """
    needs: list[tuple[Key, Key]] = [
        (("pg_class", max(pair)), ("pg_class", min(pair))) for pair in pairs
    ]
    made = [int(statement.sql) for statement in ordered(items(ranks), needs)]
    assert sorted(made) == list(range(8))
    assert all(
        made.index(needed[1]) < made.index(one[1])
        for one, needed in needs
        if one != needed
    )
    told = items(ranks)
    random.shuffle(told)
    random.shuffle(needs)
    assert [int(statement.sql) for statement in ordered(told, needs)] == made


@given(GRAPHS)
def test_order_of_circles(pairs: list[tuple[int, int]]) -> None:
    """Where things need each other, all of them are made all the same."""
    needs: list[tuple[Key, Key]] = [
        (("pg_class", one), ("pg_class", other)) for one, other in pairs
    ]
    made = [int(statement.sql) for statement in ordered(items([0] * 8), needs)]
    assert sorted(made) == list(range(8))
