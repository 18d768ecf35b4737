"""What is in a database, as a snapshot has it, and how two of them differ."""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass

from ..errors import FlaskAlembicError
from .choice import schema_of
from .text import Statement

if t.TYPE_CHECKING:
    import sqlalchemy as sa

    from .text import Rows

_LONGEST: t.Final = 120


@dataclass(frozen=True)
class Content:
    """What is in a database."""

    statements: tuple[Statement, ...]
    """What makes all of it."""

    facts: t.Mapping[str, str]
    """What is known of the schema."""

    rows: tuple[str, ...]
    """The tables whose rows are in the statements."""

    left_out: tuple[str, ...]
    """The other tables that have rows."""

    written: t.Mapping[str, tuple[str, ...]]
    """For each of the tables in ``rows`` what writes its rows."""


def content_of(connection: sa.Connection, rows: Rows, version_table: str) -> Content:
    """Look what is in a database.

    :param connection: A connection to it.
    :param rows: The tables whose rows are wanted.
    :param version_table: The table whose rows are not of the schema.
    :return: The content.
    """
    schema = schema_of(connection)
    tables = [
        table
        for table in schema.tables_with_rows()
        if version_table not in _names(table)
    ]
    wanted = [table for table in tables if rows == "all" or _names(table) & set(rows)]
    before = schema.before_rows(wanted)
    after = schema.after_rows()
    _check_names(rows, before)
    written = {table: schema.rows_of(table) for table in wanted}
    lines = [statement for table in wanted for statement in written[table]]
    return Content(
        statements=(*before, *lines, *after),
        facts=schema.facts(),
        rows=tuple(wanted),
        left_out=tuple(table for table in tables if table not in wanted),
        written={t: tuple(s.sql for s in found) for t, found in written.items()},
    )


def differences(wanted: Content, found: Content) -> list[str]:
    """How a database differs from what it should be.

    :param wanted: What the revisions make.
    :param found: What a snapshot makes.
    :return: Sentences.
    """
    names = {**dict.fromkeys(wanted.facts), **dict.fromkeys(found.facts)}
    result = [
        sentence
        for name in sorted(names)
        if (
            sentence := _difference(name, wanted.facts.get(name), found.facts.get(name))
        )
    ]
    tables = dict.fromkeys([*wanted.rows, *found.rows])
    return result + [
        f"The rows of {table} differ."
        for table in tables
        if wanted.written.get(table) != found.written.get(table)
    ]


def _difference(name: str, wanted: str | None, found: str | None) -> str | None:
    if wanted == found:
        return None

    if wanted is None:
        return f"It has {name}, which the revisions don't make."

    if found is None:
        return f"It lacks {name}."

    ours, theirs = _first_difference(_facts(found), _facts(wanted))
    return f"{name} is {_short(ours)} in it, and should be {_short(theirs)}."


def _facts(text: str) -> list[str]:
    """The parts of a text that can differ: lines, or what stands in JSON."""
    try:
        parsed = json.loads(text)
    except ValueError:
        return text.splitlines()

    if not isinstance(parsed, list):
        return [text]

    first, second = parsed
    named = first.items() if isinstance(first, dict) else [("", first)]
    return [f"{name} {value}".strip() for name, value in named] + [
        str(value) for value in second or ()
    ]


def _first_difference(one: list[str], other: list[str]) -> tuple[str, str]:
    longest = max(len(one), len(other))
    pairs = zip(
        one + [""] * (longest - len(one)),
        other + [""] * (longest - len(other)),
        strict=True,
    )
    return next(((a, b) for a, b in pairs if a != b), ("another", "this"))


def _short(text: str) -> str:
    text = " ".join(text.split()) or "nothing"
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _names(table: str) -> set[str]:
    """What a user may call a table: with its schema or without, quoted or not."""
    last = table.rpartition(".")[2]
    return {table, last, last.strip('"'), table.replace('"', "")}


def _check_names(rows: Rows, statements: t.Iterable[Statement]) -> None:
    if rows == "all":
        return

    known = {
        name
        for statement in statements
        if statement.title.startswith("table ")
        for name in _names(statement.title.removeprefix("table "))
    }

    for name in rows:
        if name not in known:
            raise FlaskAlembicError(
                f"There is no table '{name}' whose rows could be in a snapshot.",
                hint="Name a table that the revisions make, or leave it out.",
            )
