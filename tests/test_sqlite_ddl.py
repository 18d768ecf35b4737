"""SQLite's statements as texts: what is read there, and what is not mistaken."""

from __future__ import annotations

import typing as t

import pytest

from flask_alembic.sqlite_ddl.clauses import affinity
from flask_alembic.sqlite_ddl.reading import read_table
from flask_alembic.sqlite_ddl.tokens import created
from flask_alembic.sqlite_ddl.tokens import expressions_of_index
from flask_alembic.sqlite_ddl.tokens import grouped_tokens
from flask_alembic.sqlite_ddl.tokens import mentioned
from flask_alembic.sqlite_ddl.tokens import tokens
from flask_alembic.sqlite_ddl.tokens import unquoted
from flask_alembic.sqlite_ddl.tokens import UnreadableSQL
from flask_alembic.sqlite_ddl.tokens import with_schema


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a > 1", {"a"}),
        ("A > 1 and B", {"a", "b"}),
        ('"a" [b] `c d`', {"a", "b", "c d"}),
        ("'a' || 'it''s b'", set()),
        ("/* a */ b -- c d\n", {"b"}),
        ("lower(a)", {"a"}),
        ("a(b)", {"b"}),
        ("a.b", {"b"}),
        ("CAST(b AS a)", {"b"}),
        ("b COLLATE a DESC", {"b"}),
        ("x'aa' + 1e5 + a1 + a$", set()),
        ("Ä", {"Ä"}),
        ("ä", set()),
    ],
)
def test_mentioned(text: str, found: set[str]) -> None:
    """Columns are told from functions, tables, types, collations and texts. Letters
    that are not ASCII have no other case.
    """
    assert mentioned(text, ["a", "b", "c d", "Ä"]) == found


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("a", "a"),
        ('"a ""b"""', 'a "b"'),
        ("[a ]", "a "),
        ("`a``b`", "a`b"),
        ("'it''s'", "it's"),
    ],
)
def test_names(text: str, name: str) -> None:
    """A name is read in each kind of quotes."""
    (token,) = tokens(text)
    assert unquoted(token.text) == name


@pytest.mark.parametrize("text", ["(", ")", "(()", "a) (b"])
def test_parentheses(text: str) -> None:
    """What has no other half is not read."""
    with pytest.raises(UnreadableSQL):
        grouped_tokens(text)


@pytest.mark.parametrize(
    "text",
    [
        "CREATE VIRTUAL TABLE t USING fts5(a)",
        "CREATE VIEW t AS SELECT 1",
        "CREATE TABLE t",
        "CREATE TABLE t (a UNKNOWN UNIQUE 1)",
        "CREATE TABLE t (a DEFAULT)",
        "CREATE TABLE t (a, CHECK (a) 1)",
        "CREATE TABLE t (a, FOREIGN KEY (a) b)",
    ],
)
def test_unreadable(text: str) -> None:
    """What is no table is not taken for one."""
    with pytest.raises(UnreadableSQL):
        read_table(text)


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("CREATE INDEX a ON t (b)", ("INDEX", None, "a")),
        ('create unique index "A b" on t (b)', ("INDEX", None, "a b")),
        ("CREATE TRIGGER x.[y] AFTER", ("TRIGGER", "x", "y")),
        ("CREATE UNIQUE INDEX x . y ON t (b)", ("INDEX", "x", "y")),
        ("CREATE INDEX IF NOT EXISTS a ON t (b)", None),
        ("CREATE TABLE t (a)", None),
        ("CREATE INDEX", None),
        ("CREATE", None),
        ("", None),
    ],
)
def test_created(text: str, made: tuple[str, str | None, str] | None) -> None:
    """It is told which index or trigger a statement makes."""
    assert created(text) == made


def test_index() -> None:
    """What an index is of, and where it is made, can be told."""
    sql = 'CREATE INDEX "on t (" ON t (a, lower(b)) WHERE c'
    assert expressions_of_index(sql) == "(a, lower(b)) WHERE c"
    assert with_schema(sql, None) == sql
    assert with_schema(sql, 'x"') == sql.replace('"on', '"x"""."on', 1)


@pytest.mark.parametrize(
    ("type_", "result"),
    [
        ("INTEGER", "INTEGER"),
        ("CHARINT", "INTEGER"),
        ("varchar(9)", "TEXT"),
        ("BLOB", "BLOB"),
        ("", "BLOB"),
        ("double precision", "REAL"),
        ("DATETIME", "NUMERIC"),
    ],
)
def test_affinity(type_: str, result: t.Any) -> None:
    """Types are what SQLite takes them for."""
    assert affinity(type_) == result
