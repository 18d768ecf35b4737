"""Schemas for SQLite as data: drawn at random, changed, and written as SQL."""

from __future__ import annotations

import sqlite3
import typing as t
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace

from hypothesis import strategies as st

NAMES: t.Final = (
    *("a", "B", "text", "select", "check", "with space", "ünï", "naïve name"),
    *('quo"te', "it's", "x]y", "[x", "back`tick", "a(b", "a)b", "a,b", "a;b", "--x"),
    *("/*x", "%d", "%(x)s", ":p", "?", "1", "_", "a\nb", "ＡＢ", "Ä", "constraint"),
)

TYPES: t.Final = ("INTEGER", "VARCHAR(20)", "TEXT", "NUMERIC(10, 2)", "REAL", "BLOB")
ODD_TYPES: t.Final = ("", "DATETIME", "my type(3)", "boolean", "unsigned big int")
STRICT_TYPES: t.Final = ("INTEGER", "TEXT", "REAL", "BLOB", "ANY")
NUMBERS: t.Final = ("INTEGER", "NUMERIC(10, 2)", "REAL", "boolean", "unsigned big int")


def q(name: str) -> str:
    """A name in quotes."""
    return '"' + name.replace('"', '""') + '"'


@dataclass(frozen=True)
class Column:
    """A column. Its key stays when it is renamed."""

    key: int
    name: str
    type: str
    not_null: bool = False
    default: str | None = None
    collation: str | None = None
    unique: bool = False
    check: bool = False
    doubles: int | None = None
    """The key of the column that it is computed of."""


@dataclass(frozen=True)
class Part:
    """A constraint of the table, an index, a trigger or a view, on some columns."""

    kind: str
    name: str | None
    keys: tuple[int, ...]
    variant: int = 0


@dataclass(frozen=True)
class Schema:
    """A table, and what hangs on it."""

    table: str
    columns: tuple[Column, ...]
    key: str
    """The primary key: ``none``, ``rowid``, ``auto``, ``pair``, or ``bare`` for a pair
    that has no number beside it.
    """
    parts: tuple[Part, ...] = ()
    strict: bool = False
    child: bool = False
    rows: tuple[tuple[t.Any, ...], ...] = ()
    """For each row what each column got, in the order of the keys."""
    filled: dict[int, t.Any] = field(default_factory=dict)
    """What columns hold that came later."""

    @property
    def key_columns(self) -> list[int]:
        """The columns of a primary key that is written after the columns."""
        pair = (0, 1) if self.key in {"pair", "bare"} else ()
        return [key for key in pair if key in self.names]

    @property
    def names(self) -> dict[int, str]:
        """Key to name."""
        return {column.key: column.name for column in self.columns}

    def of_kind(self, *kinds: str) -> list[Part]:
        """The parts of some kinds."""
        return [part for part in self.parts if part.kind in kinds]

    def column(self, key: int, **changes: t.Any) -> Schema:
        """The schema with a changed column."""
        return replace(
            self,
            columns=tuple(
                replace(c, **changes) if c.key == key else c for c in self.columns
            ),
        )

    def without(self, *parts: Part) -> Schema:
        """The schema without some parts."""
        return replace(self, parts=tuple(p for p in self.parts if p not in parts))

    def with_part(self, part: Part) -> Schema:
        """The schema with one part more."""
        return replace(self, parts=(*self.parts, part))

    def write_column(self, column: Column) -> str:
        """The definition of a column."""
        words = [q(column.name), column.type]
        name = q(column.name)

        if self.key in {"rowid", "auto"} and column.key == 0:
            words.append("PRIMARY KEY")
            words += ["AUTOINCREMENT"] if self.key == "auto" else []

        if column.collation:
            words.append(f"COLLATE {column.collation}")

        words += ["NOT NULL"] if column.not_null else []
        words += [f"DEFAULT {column.default}"] if column.default is not None else []
        words += ["UNIQUE"] if column.unique else []
        words += [f"CHECK ({name} IS NOT 'no')"] if column.check else []

        if column.doubles is not None:
            words.append(
                f"GENERATED ALWAYS AS ({q(self.names[column.doubles])} || 'x')"
            )

        return " ".join(words)

    def write_constraint(self, part: Part) -> str:
        """A constraint of the table."""
        names = [q(self.names[key]) for key in part.keys]
        listed = ", ".join(names)
        called = f"CONSTRAINT {q(part.name)} " if part.name else ""

        if part.kind == "unique":
            conflict = " ON CONFLICT IGNORE" if part.variant else ""
            return f"{called}UNIQUE ({listed}){conflict}"

        if part.kind == "check":
            tests = " OR ".join(f"{name} IS NOT 'a)b'" for name in names)
            return f"{called}CHECK ({tests} /* ) */)"

        actions = (
            "",
            " ON DELETE CASCADE ON UPDATE SET NULL",
            " DEFERRABLE INITIALLY DEFERRED",
        )
        action = actions[part.variant]
        return f"{called}FOREIGN KEY ({listed}) REFERENCES parent(id){action}"

    def write_index(self, part: Part) -> str:
        """An index."""
        names = [q(self.names[key]) for key in part.keys]
        first, last = names[0], names[-1]
        unique = "UNIQUE " if part.variant == 1 else ""
        rest = {
            0: f"({', '.join(names)})",
            1: f"({', '.join(names)})",
            2: f"({first}) WHERE {last} IS NOT NULL",
            3: f"(lower({first}), {last} DESC)",
            4: f"({first} COLLATE NOCASE DESC)",
        }[part.variant]
        return f"CREATE {unique}INDEX {q(str(part.name))} ON {q(self.table)} {rest}"

    def write_trigger(self, part: Part) -> str:
        """A trigger on the table, on another one, or on a view of its own."""
        name, table = q(str(part.name)), q(self.table)
        column = q(self.names[part.keys[0]])
        return {
            0: f"CREATE TRIGGER {name} AFTER INSERT ON {table} BEGIN"
            f" INSERT INTO log VALUES (NEW.{column}, 'in;end'); END",
            1: f"CREATE TRIGGER {name} BEFORE UPDATE OF {column} ON {table}"
            f" WHEN NEW.{column} IS NULL BEGIN INSERT INTO log VALUES (1, 'up'); END",
            2: f"CREATE TRIGGER {name} AFTER INSERT ON other BEGIN"
            f" INSERT INTO log SELECT {table}.{column}, 'other' FROM {table}; END",
            3: f"CREATE TRIGGER {name} INSTEAD OF DELETE ON all_rows BEGIN"
            f" DELETE FROM {table} WHERE {column} = OLD.{column}; END",
        }[part.variant]

    def write_view(self, part: Part) -> str:
        """A view."""
        name, table = q(str(part.name)), q(self.table)
        names = [f"{table}.{q(self.names[key])}" for key in part.keys]
        return f"CREATE VIEW {name} AS SELECT {', '.join(names)} FROM {table}"

    def write(self) -> list[str]:
        """What makes the schema."""
        items = [self.write_column(column) for column in self.columns]

        if self.key_columns:
            keys = ", ".join(q(self.names[key]) for key in self.key_columns)
            items.append(f"PRIMARY KEY ({keys})")

        kinds = ("unique", "check", "foreign")
        items += [self.write_constraint(part) for part in self.of_kind(*kinds)]
        options = ["WITHOUT ROWID"] if self.key == "bare" else []
        options += ["STRICT"] if self.strict else []
        table = q(self.table)
        body = ", -- one\n ".join(items)
        return [
            "CREATE TABLE parent (id INTEGER PRIMARY KEY)",
            "CREATE TABLE log (what, how)",
            "CREATE TABLE other (id INTEGER)",
            f"CREATE TABLE {table} (\n {body}\n) {', '.join(options)}",
            *([self.write_child()] if self.child else []),
        ]

    def write_child(self) -> str:
        """A table that refers to the first column."""
        target = f"{q(self.table)} ({q(self.names[0])})"
        return f"CREATE TABLE child (ref REFERENCES {target} ON DELETE CASCADE)"

    def write_hanging(self) -> list[str]:
        """What is made when the rows are there."""
        views = [self.write_view(part) for part in self.of_kind("view")]
        triggers = self.of_kind("trigger")
        return [
            *(self.write_index(part) for part in self.of_kind("index")),
            f"CREATE VIEW all_rows AS SELECT * FROM {q(self.table)}",
            *views,
            *(self.write_trigger(part) for part in triggers),
        ]

    def make(self, connection: sqlite3.Connection) -> None:
        """Make the schema and its rows. The last row is deleted again."""
        for statement in self.write():
            connection.execute(statement)

        connection.execute("INSERT INTO parent VALUES (1)")
        table = q(self.table)

        for row in self.rows:
            values = {
                column.name: row[column.key]
                if column.key < len(row)
                else self.filled[column.key]
                for column in self.columns
                if column.doubles is None
            }
            listed = ", ".join(q(name) for name in values)
            marks = ", ".join("?" for _ in values)
            connection.execute(
                f"INSERT INTO {table} ({listed}) VALUES ({marks})", [*values.values()]
            )

        if self.child:
            name = q(self.names[0])
            connection.execute(
                f"INSERT INTO child SELECT {name} FROM {table} ORDER BY 1"
            )

        if len(self.rows) > 1:
            name = q(self.columns[0].name)
            last = f"SELECT max({name}) FROM {table}"
            connection.execute(f"DELETE FROM {table} WHERE {name} = ({last})")

            if self.child:
                connection.execute(
                    "DELETE FROM child WHERE rowid = (SELECT max(rowid) FROM child)"
                )

        for statement in self.write_hanging():
            connection.execute(statement)


def value(row: int, column: Column) -> t.Any:
    """What a column holds in a row; no two rows have the same."""
    number = row * 7 + column.key + 1

    if column.type in NUMBERS:
        return number

    return str(number).encode() if column.type == "BLOB" else f"v{number:04}"


@st.composite
def columns(draw: st.DrawFn, *, strict: bool, key: str) -> tuple[Column, ...]:
    """Two to five columns."""
    names = draw(st.lists(st.sampled_from(NAMES), min_size=2, max_size=5, unique=True))
    types = st.sampled_from(STRICT_TYPES if strict else TYPES + ODD_TYPES)
    chance = st.integers(0, 3).map(lambda number: number == 0)
    result: list[Column] = []

    for number, name in enumerate(names):
        if key in {"rowid", "auto"} and number == 0:
            result.append(Column(0, name, "INTEGER"))
            continue

        type_ = draw(types)
        is_text = type_ in {"VARCHAR(20)", "TEXT"}
        column = Column(
            number,
            name,
            type_,
            not_null=draw(chance) or (key == "bare" and number < 2),
            default=draw(st.sampled_from(["'x,)'", "(1 + 2)"]))
            if is_text and draw(chance)
            else None,
            collation="NOCASE" if is_text and draw(chance) else None,
            unique=draw(chance),
            check=draw(chance),
        )

        if number > 1 and draw(chance):
            column = Column(number, name, "TEXT", doubles=draw(st.integers(0, 1)))

        result.append(column)

    return tuple(result)


@st.composite
def schemas(draw: st.DrawFn) -> Schema:
    """A schema with rows."""
    strict = draw(st.booleans()) and sqlite3.sqlite_version_info >= (3, 37)
    key = draw(st.sampled_from(["none", "rowid", "auto", "pair", "bare"]))
    made = draw(columns(strict=strict, key=key))
    stored = [column.key for column in made if column.doubles is None]
    keys = st.lists(st.sampled_from(stored), min_size=1, max_size=2, unique=True).map(
        tuple
    )
    variants = {"unique": 1, "check": 0, "index": 4, "trigger": 3, "view": 0}
    parts = []

    for number in range(draw(st.integers(0, 6))):
        kind = draw(st.sampled_from(list(variants)))
        unnamed = kind in {"unique", "check"} and draw(st.booleans())
        name = None if unnamed else f"{kind} {number}{draw(st.sampled_from(NAMES))}"
        variant = draw(st.integers(0, variants[kind]))
        used = draw(keys)
        is_of_one = kind == "trigger" or (kind == "index" and variant == 4)
        parts.append(Part(kind, name, used[:1] if is_of_one else used, variant))

    if draw(st.booleans()):
        key_ = draw(st.sampled_from(stored))
        name = draw(st.sampled_from([None, "fk"]))
        parts.append(Part("foreign", name, (key_,), draw(st.integers(0, 2))))

    empty = draw(st.sets(st.sampled_from(stored))) if draw(st.booleans()) else set()
    empty -= {column.key for column in made if column.not_null or column.key < 2}
    rows = tuple(
        tuple(
            None if c.key in empty or c.doubles is not None else value(row, c)
            for c in made
        )
        for row in range(draw(st.integers(0, 4)))
    )
    child = key in {"rowid", "auto"}
    return Schema(
        draw(st.sampled_from(NAMES)), made, key, tuple(parts), strict, child, rows
    )
