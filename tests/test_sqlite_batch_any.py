"""Any table of SQLite, and any change in batch mode: the schema is what it was with the
change, and the rows are what they were.
"""

from __future__ import annotations

import re
import sqlite3
import typing as t
from collections import Counter
from dataclasses import replace

import pytest
import sqlalchemy as sa
from alembic.operations import BatchOperations
from alembic.runtime.migration import MigrationContext
from hypothesis import event
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from flask_alembic import FlaskAlembicError
from flask_alembic.async_operations import make_operations
from flask_alembic.sqlite_ddl.tokens import folded
from flask_alembic.sqlite_ddl.tokens import tokens
from flask_alembic.sqlite_ddl.tokens import unquoted
from sqlite_schemas import Column
from sqlite_schemas import NAMES
from sqlite_schemas import Part
from sqlite_schemas import q
from sqlite_schemas import Schema
from sqlite_schemas import schemas

Change = tuple[t.Callable[[BatchOperations], None], Schema | None]
"""What a revision does, and the schema after it; none where it has to fail."""

NEW_KEY: t.Final = 99


def add_column(draw: st.DrawFn, schema: Schema) -> Change:
    name = draw(new_names(schema))
    default = draw(st.sampled_from([None, "d'x"]))
    column = sa.Column(
        name, sa.Text(), nullable=default is None, server_default=default
    )
    new = Column(
        NEW_KEY,
        name,
        "TEXT",
        not_null=default is not None,
        default=None if default is None else "'d''x'",
    )
    after = replace(
        schema,
        columns=(*schema.columns, new),
        filled={NEW_KEY: default},
    )
    return lambda op: op.add_column(column), after


def drop_column(draw: st.DrawFn, schema: Schema) -> Change:
    column = draw(st.sampled_from(schema.columns[1:]))
    users = [part for part in schema.parts if column.key in part.keys]
    columns = tuple(c for c in schema.columns if c != column)
    after: Schema | None = replace(schema.without(*users), columns=columns)
    blockers = [
        *(p for p in users if p.kind in {"trigger", "view"}),
        *(p for p in users if p.kind == "check" and len(p.keys) > 1),
        *(c for c in schema.columns if c.doubles == column.key),
    ]

    return lambda op: op.drop_column(column.name), None if blockers else after


def alter_type(draw: st.DrawFn, schema: Schema) -> Change:
    type_: sa.types.TypeEngine[t.Any] = sa.Text() if schema.strict else sa.String(77)
    text = "TEXT" if schema.strict else "VARCHAR(77)"
    choices = [c for c in schema.columns if c.type in {"TEXT", "VARCHAR(20)"}]
    choices = [c for c in choices if c.doubles is None]

    if not choices:
        return nothing(draw, schema)

    column = draw(st.sampled_from(choices))
    after = schema.column(column.key, type=text)
    return lambda op: op.alter_column(column.name, type_=type_), after


def alter_nullable(draw: st.DrawFn, schema: Schema) -> Change:
    column = draw(st.sampled_from(schema.columns[1:]))
    nullable = column.not_null
    after = schema.column(column.key, not_null=not nullable)
    return lambda op: op.alter_column(column.name, nullable=nullable), after


def alter_default(draw: st.DrawFn, schema: Schema) -> Change:
    choices = [c for c in schema.columns[1:] if c.doubles is None]

    if not choices:
        return nothing(draw, schema)

    column = draw(st.sampled_from(choices))
    default = draw(st.sampled_from([None, "it's"]))
    after = schema.column(column.key, default=None if default is None else "'it''s'")
    return lambda op: op.alter_column(column.name, server_default=default), after


def rename_column(draw: st.DrawFn, schema: Schema) -> Change:
    column = draw(st.sampled_from(schema.columns))
    name = draw(new_names(schema))
    after: Schema | None = schema.column(column.key, name=name)
    always = draw(st.booleans())

    def change(op: BatchOperations) -> None:
        op.alter_column(column.name, new_column_name=name)

        if always:
            op.alter_column(schema.columns[-1].name, comment="c")

    # The trigger is on a view of "*", whose columns SQLite does not follow.
    if any(p.variant == 3 and column.key in p.keys for p in schema.of_kind("trigger")):
        after = None

    return change, after


def replace_column(draw: st.DrawFn, schema: Schema) -> Change:
    """The last column takes the name of another one, which goes."""
    if len(schema.columns) < 3:
        return nothing(draw, schema)

    (drop, after), name = drop_column(draw, schema), schema.columns[-1].name
    last = schema.columns[-1]

    if after is None or last not in after.columns:
        return drop, after

    (gone,) = set(schema.columns) - set(after.columns)
    follow = schema.of_kind("trigger")
    is_refused = any(p.variant == 3 and last.key in p.keys for p in follow)

    def change(op: BatchOperations) -> None:
        drop(op)
        op.alter_column(name, new_column_name=gone.name)

    return change, None if is_refused else after.column(last.key, name=gone.name)


def add_part(draw: st.DrawFn, schema: Schema) -> Change:
    column = draw(st.sampled_from([c for c in schema.columns if c.doubles is None]))
    kind = draw(st.sampled_from(["unique", "check", "index"]))
    name = f"new {draw(st.sampled_from(NAMES))}"

    def change(op: BatchOperations) -> None:
        if kind == "unique":
            op.create_unique_constraint(name, [column.name])
        elif kind == "check":
            op.create_check_constraint(
                name,
                sa.text(f"{q(column.name).replace(':', chr(92) + ':')} IS NOT 'a)b'"),
            )
        else:
            op.create_index(name, [column.name])

    return change, schema.with_part(Part(kind, name, (column.key,)))


def drop_part(draw: st.DrawFn, schema: Schema) -> Change:
    choices = schema.of_kind("unique", "check", "index", "foreign")
    choices = [part for part in choices if part.name]

    if not choices:
        return nothing(draw, schema)

    part = draw(st.sampled_from(choices))

    def change(op: BatchOperations) -> None:
        name = t.cast(str, part.name)

        if part.kind == "index":
            op.drop_index(name)
        else:
            kind: t.Any = "foreignkey" if part.kind == "foreign" else part.kind
            op.drop_constraint(name, type_=kind)

    return change, schema.without(part)


def nothing(draw: st.DrawFn, schema: Schema) -> Change:
    return lambda op: None, schema


CHANGES: t.Final = (
    *(add_column, drop_column, alter_type, alter_nullable, alter_default),
    *(rename_column, replace_column, add_part, drop_part, nothing),
)


def new_names(schema: Schema) -> st.SearchStrategy[str]:
    """Names that no column has."""
    taken = {column.name.lower() for column in schema.columns}
    return st.sampled_from([name for name in NAMES if name.lower() not in taken])


def run(schema: Schema, change: t.Callable[[BatchOperations], None]) -> list[t.Any]:
    """Make a schema, and change it as a revision would."""
    engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool)

    with engine.connect() as connection:
        driver = t.cast(t.Any, connection.connection.dbapi_connection)
        driver.isolation_level = None
        schema.make(driver)
        before = look(driver)
        connection.exec_driver_sql("BEGIN")
        op = make_operations(MigrationContext.configure(connection))
        result = "done"

        try:
            with op.batch_alter_table(schema.table, recreate="always") as batch_op:
                change(batch_op)
        except FlaskAlembicError:
            result = "refused"
        except sa.exc.DBAPIError as error:
            result = f"failed: {error.orig}"

        if result != "done":
            assert look(driver) == before, result

        connection.exec_driver_sql("COMMIT")
        assert driver.execute("PRAGMA legacy_alter_table").fetchall() == [(0,)]
        found = [result, look(driver), use(driver, schema.table)]

    engine.dispose()
    return found


def expect(schema: Schema) -> list[t.Any]:
    """Make a schema as it should be."""
    connection = sqlite3.connect(":memory:", isolation_level=None)

    try:
        schema.make(connection)
        return ["done", look(connection), use(connection, schema.table)]
    finally:
        connection.close()


def look(connection: sqlite3.Connection) -> dict[str, t.Any]:
    """All that can be asked of a database."""

    def ask(statement: str) -> list[t.Any]:
        return [tuple(row) for row in connection.execute(statement)]

    made = ask("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL")
    found: dict[str, t.Any] = {
        f"{type_} {name}": (Counter if type_ == "table" else list)(words(sql))
        for type_, name, sql in made
    }

    for type_, name, _ in made:
        if type_ in {"table", "view"}:
            found[f"rows {name}"] = rows(connection, name)
            found[f"columns {name}"] = [
                (row[1], row[2].lower(), *row[3:])
                for row in ask(f"PRAGMA table_xinfo({q(name)})")
            ]
            found[f"keys {name}"] = sorted(
                str(row[1:]) for row in ask(f"PRAGMA foreign_key_list({q(name)})")
            )
            found[f"indexes {name}"] = sorted(
                str(
                    (
                        row[1] if row[3] == "c" else "",
                        *row[2:],
                        *(r[2:] for r in ask(f"PRAGMA index_xinfo({q(row[1])})")),
                    )
                )
                for row in ask(f"PRAGMA index_list({q(name)})")
            )

    return found


def different(found: list[t.Any], wanted: list[t.Any]) -> list[t.Any]:
    """Where two differ, each with what was found and what was wanted."""
    pairs: list[tuple[t.Any, t.Any, t.Any]] = [("result", found[0], wanted[0])]
    pairs += [("use", *pair) for pair in zip(found[2], wanted[2], strict=True)][:-1]

    for one, other in ((found[1], wanted[1]), (found[2][-1], wanted[2][-1])):
        pairs += [(key, one.get(key), other.get(key)) for key in {**one, **other}]

    return [pair for pair in pairs if pair[1] != pair[2]]


def rows(connection: sqlite3.Connection, name: str) -> list[t.Any]:
    """The rows of a table or a view, each with its number."""
    for number in ("rowid, ", ""):
        try:
            return connection.execute(f"SELECT {number}* FROM {q(name)}").fetchall()
        except sqlite3.OperationalError as error:
            if "rowid" not in str(error):
                return [str(error)]

    raise AssertionError(name)


def words(sql: str) -> list[str]:
    """A text without what does not count: spaces, comments, the kind of quotes."""
    return [folded(unquoted(token.text)) for token in tokens(sql)]


def reason(result: str) -> str:
    """Why a change failed, as if it was about the table itself."""
    return result.removeprefix("failed: ").replace("_alembic_tmp_", "")


def use(connection: sqlite3.Connection, table: str) -> list[t.Any]:
    """Use a table: what is refused, and what all that hangs on it does."""
    columns = connection.execute(f"PRAGMA table_xinfo({q(table)})").fetchall()
    stored = [row for row in columns if row[6] == 0]
    names = [row[1] for row in stored]
    listed = ", ".join(q(name) for name in names)
    marks = ", ".join("?" for _ in names)
    new = [900 + i if "CHAR" not in row[2] else f"n{i}" for i, row in enumerate(stored)]
    insert = f"INSERT INTO {q(table)} ({listed}) VALUES ({marks})"
    tried: list[tuple[str, list[t.Any]]] = [
        ("PRAGMA foreign_keys=OFF", []),
        (insert, new),
        (insert, new),
        *((insert, [*new[:i], None, *new[i + 1 :]]) for i in range(len(new))),
        *((insert, [*new[:i], "no", *new[i + 1 :]]) for i in range(len(new))),
        (insert, ["a)b" for _ in names]),
        (insert, ["A)B" for _ in names]),
        (f"INSERT INTO {q(table)} DEFAULT VALUES", []),
        (f"INSERT INTO {q(table)} ({q(names[-1])}) VALUES (?)", [901]),
        ("INSERT INTO other VALUES (1)", []),
        ("DELETE FROM all_rows", []),
        *((f"UPDATE {q(table)} SET {q(name)} = NULL", []) for name in names),
        ("PRAGMA foreign_keys=ON", []),
        (insert, [800 + i for i, _ in enumerate(names)]),
        (f"DELETE FROM {q(table)}", []),
    ]
    return [outcome(connection, *attempt) for attempt in tried] + [look(connection)]


def outcome(connection: sqlite3.Connection, sql: str, values: list[t.Any]) -> str:
    """What SQLite says, but for the expression, which may be in other quotes."""
    try:
        connection.execute(sql, values)
    except sqlite3.Error as error:
        return re.sub(r"(CHECK constraint failed): .*", r"\1", str(error), flags=re.S)

    return "done"


@st.composite
def changes(draw: st.DrawFn) -> tuple[str, Schema, Change]:
    """A schema, and a change of it."""
    schema = draw(schemas())
    change = draw(st.sampled_from(CHANGES))
    return change.__name__, schema, change(draw, schema)


@settings(deadline=None, max_examples=150)
@given(changes())
def test_any_change(drawn: tuple[str, Schema, Change]) -> None:
    """The schema after is the schema before with the change, rows and all."""
    name, schema, (change, after) = drawn
    found = run(schema, change)
    event(f"{name}: {found[0].partition(':')[0]}")

    if after is None:
        assert found[0] != "done"
        return

    if found[0] != "done":
        with pytest.raises(sqlite3.Error, match=re.escape(reason(found[0]))):
            expect(after)
        return

    assert different(found, expect(after)) == []
