"""The ends of statements in scripts, and ranges: rules that need no database."""

import re
import sqlite3
import string
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_alembic.errors import TargetError
from flask_alembic.ranges import is_range
from flask_alembic.ranges import split_range
from flask_alembic.statements import ended

DIALECTS = ("postgresql", "mysql", "mariadb", "sqlite", "mssql")

# What a client could take for an end, and what ends a statement in one.
texts = st.text(alphabet=st.sampled_from("ab;'\"`-/*#$\\\n\t %é"))
rests = st.lists(
    st.sampled_from([";", " ", "\n", " -- a; 'b\n", "/* c;' */"]), max_size=5
).map("".join)


def quoted(text: str) -> str:
    escaped = text.replace("'", "''")
    return f"'{escaped}'"


@given(texts, rests)
def test_data_arrives(text: str, rest: str) -> None:
    """What a statement inserts is in the table afterwards, whatever is in it and behind
    it, and for the client it is one statement.
    """
    script = ended(f"INSERT INTO t VALUES ({quoted(text)}){rest}", "sqlite", ";")
    assert sqlite3.complete_statement(script)
    connection = sqlite3.connect(":memory:")

    try:
        connection.executescript(f"CREATE TABLE t (a TEXT);\n{script}\nSELECT 1;")
        assert connection.execute("SELECT a FROM t").fetchall() == [(text,)]
    finally:
        connection.close()


@given(texts, rests, st.sampled_from(DIALECTS))
def test_ended_twice(text: str, rest: str, dialect: str) -> None:
    """A statement that has its end gets no second one."""
    # A backslash means another thing in each dialect.
    statement = f"INSERT INTO t VALUES ({quoted(text.replace(chr(92), ''))}){rest}"
    once = ended(statement, dialect, ";")

    if not once.startswith("DELIMITER"):
        assert ended(once, dialect, ";") == once


@given(rests, st.sampled_from(DIALECTS))
def test_nothing_to_end(rest: str, dialect: str) -> None:
    """Without a statement there is no semicolon, which a client may refuse."""
    left = re.sub(r"-- a; 'b|/\* c;' \*/", "", ended(rest, dialect, ";"))
    assert left.strip() == ""


@given(st.lists(st.sampled_from(["//", "$$", ";;", "%%", "a", "'b'", " "])))
def test_delimiter(parts: list[str]) -> None:
    """Where MariaDB's client would stop inside of a statement, it gets a delimiter that
    is not in there.
    """
    statement = f"BEGIN SELECT 1; {''.join(parts)} SELECT 2; END"
    script = ended(statement, "mariadb", ";")
    first, *middle, last = script.splitlines()
    delimiter = first.removeprefix("DELIMITER ")
    code = "\n".join(middle)
    assert last == "DELIMITER ;"
    assert code.endswith(f" {delimiter}")
    assert code.count(delimiter) == 1


class Names(t.NamedTuple):
    """What is known of the revisions."""

    ids: t.Collection[str] = ()
    labels: t.Collection[str] = ()


names = st.text(alphabet=string.ascii_lowercase, min_size=1, max_size=4)


@given(st.lists(names, min_size=1), st.lists(names, min_size=1))
def test_both_sides(starts: list[str], ends: list[str]) -> None:
    """A range has its sides, each with commas."""
    text = f"{','.join(starts)}:{','.join(ends)}"

    for command in ("upgrade", "downgrade", "stamp"):
        assert split_range([text], Names(), command=command) == (starts, ends)


@given(st.lists(names, min_size=1))
def test_one_side(ends: list[str]) -> None:
    """Without a start, a script leads from base; without an end, to the heads."""
    text = ",".join(ends)
    assert split_range(ends, Names(), command="upgrade") == (["base"], ends)
    assert split_range([f":{text}"], Names(), command="stamp") == (["base"], ends)
    assert split_range([f"{text}:"], Names(), command="upgrade") == (ends, ["heads"])


@given(names, names)
def test_id_with_a_colon(start: str, end: str) -> None:
    """What is an id or a label is no range."""
    text = f"{start}:{end}"
    assert is_range(text, Names())
    assert not is_range(text, Names(ids=[text]))
    assert not is_range(text, Names(labels=[text]))


@given(names, names, names)
def test_two_colons(a: str, b: str, c: str) -> None:
    """A range has two sides."""
    with pytest.raises(TargetError, match="has more than one colon"):
        split_range([f"{a}:{b}:{c}"], Names(), command="upgrade")
