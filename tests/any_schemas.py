"""Any schema, and what may become of it, for tests that compare the two."""

from __future__ import annotations

import functools
import typing as t
from dataclasses import dataclass
from dataclasses import replace

import sqlalchemy as sa
from hypothesis import strategies as st
from sqlalchemy.dialects import mysql
from sqlalchemy.dialects import postgresql

TABLES: t.Final = ("plain", "order", "Mixed", "with space", "ünïcode", "a.b")
SCHEMAS: t.Final[dict[str, list[str | None]]] = {
    "sqlite": [None],
    "postgresql": [None, None, None, "other", "public"],
    "mariadb": [None],
}
COLUMNS: t.Final = ("name", "select", "Upper", "two words", "ä", "per%cent")


class Code(sa.types.TypeDecorator[str]):
    """A type of an application's."""

    impl = sa.String
    cache_ok = True


Kind = t.Callable[[str], sa.Column[t.Any]]
"""Makes a column of a name."""


def _kind(type_: t.Any, *arguments: t.Any, **options: t.Any) -> Kind:
    def make(name: str) -> sa.Column[t.Any]:
        made = [argument() for argument in arguments]
        return sa.Column(name, type_() if callable(type_) else type_, *made, **options)

    return make


_COMMON: t.Final = {
    "integer": _kind(sa.Integer),
    "not_null": _kind(sa.Integer, nullable=False),
    "zero": _kind(sa.Integer, server_default="0"),
    "one": _kind(sa.Integer, server_default=sa.text("1")),
    "expression": _kind(sa.Integer, server_default=sa.text("(1 + 1)")),
    "big": _kind(sa.BigInteger),
    "short": _kind(lambda: sa.String(10)),
    "long": _kind(lambda: sa.String(200)),
    "default_x": _kind(lambda: sa.String(10), server_default="x"),
    "default_quote": _kind(lambda: sa.String(10), server_default="it's"),
    "code": _kind(lambda: Code(10)),
    "numeric": _kind(lambda: sa.Numeric(10, 2), server_default="0"),
    "exact": _kind(lambda: sa.Numeric(8, 3)),
    "float": _kind(sa.Float),
    "false": _kind(sa.Boolean, server_default=sa.false()),
    "now": _kind(sa.DateTime, server_default=sa.func.now()),
    "date": _kind(sa.Date),
    "text": _kind(sa.Text),
    "blob": _kind(sa.LargeBinary),
    "json": _kind(sa.JSON),
    "enum": _kind(lambda: sa.Enum("a", "b", name="letters")),
    "checked": _kind(lambda: sa.Enum("a", "b", name="checked", native_enum=False)),
    "comment": _kind(sa.Integer, comment="of a column"),
    "computed": _kind(sa.Integer, lambda: sa.Computed("id + 1", persisted=True)),
}
_OF_SERVERS: t.Final[dict[str, dict[str, Kind]]] = {
    "sqlite": {},
    "postgresql": {
        "array": _kind(lambda: postgresql.ARRAY(sa.Integer)),
        "jsonb": _kind(lambda: postgresql.JSONB(), server_default=sa.text("'{}'")),
        "uuid": _kind(postgresql.UUID, server_default=sa.func.gen_random_uuid()),
        "zoned": _kind(lambda: sa.DateTime(timezone=True)),
        "utc": _kind(sa.DateTime, server_default=sa.text("timezone('utc', now())")),
        "sum": _kind(sa.Integer, server_default=sa.func.abs(-1)),
        "identity": _kind(sa.Integer, sa.Identity),
        "always": _kind(sa.Integer, lambda: sa.Identity(always=True, start=5)),
        "domain": _kind(lambda: postgresql.DOMAIN("positive", sa.Integer)),
        "range": _kind(postgresql.INT4RANGE),
        "sequence": _kind(sa.Integer, server_default=sa.text("nextval('counter')")),
    },
    "mariadb": {
        "unsigned": _kind(lambda: mysql.INTEGER(unsigned=True)),
        "tiny": _kind(lambda: mysql.TINYINT(1)),
        "binary": _kind(lambda: mysql.VARCHAR(10, collation="utf8mb4_bin")),
        "set": _kind(lambda: mysql.SET("a", "b")),
        "stamp": _kind(
            sa.TIMESTAMP,
            nullable=False,
            server_default=sa.text("CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP"),
        ),
        "fraction": _kind(lambda: mysql.DATETIME(fsp=6)),
    },
}
# A column of this kind can't be in an index, or in a constraint.
_NO_KEYS: t.Final = frozenset(
    {"text", "blob", "json", "array", "jsonb", "range", "domain"}
)


@dataclass(frozen=True)
class Key:
    """An index, or a unique constraint."""

    columns: tuple[str, ...]
    unique: bool = False
    constraint: bool = False
    named: bool = True
    style: str = "plain"


@dataclass(frozen=True)
class Reference:
    """A foreign key of the column ``ref``."""

    target: str
    named: bool
    options: tuple[tuple[str, t.Any], ...]


@dataclass(frozen=True)
class Table:
    """A table."""

    name: str
    columns: tuple[tuple[str, str], ...]
    keys: tuple[Key, ...] = ()
    reference: Reference | None = None
    comment: str | None = None
    schema: str | None = None

    @property
    def path(self) -> str:
        """What foreign keys call it."""
        return f"{self.schema}.{self.name}" if self.schema else self.name


def kinds(server: str) -> dict[str, Kind]:
    """All kinds of columns of a server."""
    return {**_COMMON, **_OF_SERVERS[server]}


def metadata(server: str, tables: t.Iterable[Table]) -> sa.MetaData:
    """Models with these tables."""
    result = sa.MetaData()
    known = {table.name: table for table in tables}

    if server == "postgresql":
        sa.Sequence("counter", metadata=result)

    for table in tables:
        _add(result, server, table, known)

    return result


def _add(
    metadata: sa.MetaData, server: str, table: Table, known: t.Mapping[str, Table]
) -> None:
    made = sa.Table(
        table.name,
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        *(kinds(server)[kind](name) for name, kind in table.columns),
        schema=table.schema,
        comment=table.comment,
    )

    for number, key in enumerate(table.keys):
        _add_key(made, number, key, server)

    if table.reference and table.reference.target in known:
        made.append_column(sa.Column("ref", sa.Integer))
        made.append_constraint(
            sa.ForeignKeyConstraint(
                ["ref"],
                [f"{known[table.reference.target].path}.id"],
                name=f"fk_{table.name}" if table.reference.named else None,
                **dict(table.reference.options),
            )
        )


def _add_key(table: sa.Table, number: int, key: Key, server: str) -> None:
    columns = [table.c[name] for name in key.columns if name in table.c]
    mark = f"{table.name}_{number}"

    if not columns:
        return

    if key.constraint:
        name = f"uq_{mark}" if key.named else None
        table.append_constraint(sa.UniqueConstraint(*columns, name=name))
        return

    expressions: list[t.Any] = [*columns]
    options: dict[str, t.Any] = {}

    if key.style == "descending":
        expressions[0] = columns[0].desc()
    elif key.style == "expression" and server != "mariadb":
        expressions[0] = sa.func.coalesce(columns[0], columns[0])
    elif key.style == "partial":
        where = table.c.id > 1
        options = {"postgresql_where": where, "sqlite_where": where}
    elif key.style == "prefix" and isinstance(columns[0].type, sa.String):
        options = {"mysql_length": {columns[0].name: 3}}

    sa.Index(f"ix_{mark}", *expressions, unique=key.unique, **options)


@st.composite
def tables(draw: st.DrawFn, server: str, name: str) -> Table:
    """Any table of a name."""
    names = draw(st.lists(st.sampled_from(COLUMNS), unique=True, max_size=4))
    kind = st.sampled_from(sorted(kinds(server)))
    columns = tuple((each, draw(kind)) for each in names)
    able = [each for each, kind in columns if kind not in _NO_KEYS]
    return Table(
        name,
        columns,
        tuple(draw(st.lists(_keys(able), max_size=2))) if able else (),
        draw(st.none() | _references(server, name)),
        draw(st.sampled_from([None, None, "of a table"])),
        draw(st.sampled_from(SCHEMAS[server])),
    )


def _keys(columns: list[str]) -> st.SearchStrategy[Key]:
    styles = ("plain", "plain", "descending", "expression", "partial", "prefix")
    return st.builds(
        Key,
        st.lists(st.sampled_from(columns), unique=True, min_size=1, max_size=2).map(
            tuple
        ),
        unique=st.booleans(),
        constraint=st.booleans(),
        named=st.booleans(),
        style=st.sampled_from(styles),
    )


def _references(server: str, name: str) -> st.SearchStrategy[Reference]:
    choices: list[dict[str, t.Any]] = [
        {},
        {"ondelete": "CASCADE"},
        {"ondelete": "RESTRICT", "onupdate": "NO ACTION"},
        {"onupdate": "SET NULL"},
    ]

    if server != "mariadb":
        choices += [{"deferrable": True, "initially": "DEFERRED"}, {"deferrable": True}]

    # Only to tables with a smaller name: there is an order to create them in.
    return st.builds(
        Reference,
        st.sampled_from(
            [each for each in TABLES if each <= name and each != "a.b"] or [name]
        ),
        st.booleans(),
        st.sampled_from([tuple(each.items()) for each in choices]),
    )


@st.composite
def changes(draw: st.DrawFn, server: str) -> tuple[list[Table], list[Table]]:
    """A schema, and what it is to become. Most of it stays as it is."""
    names = draw(st.lists(st.sampled_from(TABLES), unique=True, min_size=1))
    before = [draw(tables(server, name)) for name in names]
    after = [draw(_changed(server, table)) for table in before]
    new = [name for name in TABLES if name not in names]
    added = draw(st.lists(st.sampled_from(new), unique=True, max_size=1)) if new else []
    kept = [table for table in after if table]
    return before, [*kept, *(draw(tables(server, name)) for name in added)]


@st.composite
def _changed(draw: st.DrawFn, server: str, table: Table) -> Table | None:
    match draw(st.sampled_from(["same", "same", "same", "column", "drop", "any"])):
        case "column" if table.columns:
            name, _ = draw(st.sampled_from(table.columns))
            kind = draw(st.sampled_from(sorted(kinds(server))))
            changed = [(n, kind if n == name else k) for n, k in table.columns]
            return replace(table, columns=tuple(changed), keys=())
        case "drop":
            return None
        case "any":
            return draw(tables(server, table.name))

    return table


@functools.cache
def twins(server: str, kind: str, count: int = 3) -> tuple[Table, ...]:
    """Tables that are alike but for their names."""
    return tuple(Table(f"twin_{number}", (("name", kind),)) for number in range(count))
