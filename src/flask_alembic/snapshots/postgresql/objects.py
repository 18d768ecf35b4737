"""What makes schemas, types, functions, sequences and views on PostgreSQL."""

from __future__ import annotations

import typing as t

from ..kinds import ask
from ..kinds import text_literal
from ..text import Statement
from .catalog import FIRST_OID
from .catalog import name_of
from .catalog import users
from .order import Item
from .tables import sequence_options

if t.TYPE_CHECKING:
    import sqlalchemy as sa

    from .order import Key

_SCHEMAS: t.Final = f"""
    SELECT n.oid, quote_ident(n.nspname) AS name FROM pg_namespace AS n
    WHERE n.nspname NOT LIKE 'pg\\_%' AND {users("pg_namespace", "n")} ORDER BY name
"""
_EXTENSIONS: t.Final = f"""
    SELECT e.oid, quote_ident(e.extname) AS name, quote_ident(n.nspname) AS schema
    FROM pg_extension AS e JOIN pg_namespace AS n ON n.oid = e.extnamespace
    WHERE e.oid >= {FIRST_OID} ORDER BY name
"""
_COLLATIONS: t.Final = f"""
    SELECT c.oid, {name_of("c", "collname", "collnamespace")} AS name,
        c.collprovider::text, c.collisdeterministic, c.collcollate, c.collctype,
        coalesce(to_jsonb(c) ->> 'colllocale', to_jsonb(c) ->> 'colliculocale',
            c.collcollate) AS locale
    FROM pg_collation AS c WHERE {users("pg_collation", "c", "collnamespace")}
"""
_TYPES: t.Final = f"""
    SELECT y.oid, y.typtype::text, y.typarray, {name_of("y", "typname", "typnamespace")}
        AS name, format_type(y.typbasetype, y.typtypmod) AS base, y.typnotnull,
        y.typdefault, y.typrelid, r.rngmultitypid,
        (SELECT {name_of("l", "collname", "collnamespace")} FROM pg_collation AS l
            JOIN pg_type AS b ON b.oid = y.typbasetype
            WHERE l.oid = y.typcollation AND y.typcollation <> b.typcollation
        ) AS collation,
        ARRAY(SELECT quote_literal(e.enumlabel) FROM pg_enum AS e
            WHERE e.enumtypid = y.oid ORDER BY e.enumsortorder) AS labels,
        ARRAY(SELECT format('%I %s', a.attname, format_type(a.atttypid, a.atttypmod))
            FROM pg_attribute AS a
            WHERE a.attrelid = y.typrelid AND a.attnum > 0 AND NOT a.attisdropped
            ORDER BY a.attnum) AS fields,
        ARRAY(SELECT format('CONSTRAINT %I %s', o.conname, pg_get_constraintdef(o.oid))
            FROM pg_constraint AS o
            WHERE o.contypid = y.oid AND o.contype = 'c' ORDER BY o.conname) AS checks,
        format_type(r.rngsubtype, NULL) AS subtype,
        (SELECT {name_of("m", "typname", "typnamespace")} FROM pg_type AS m
            WHERE m.oid = r.rngmultitypid) AS multirange,
        nullif(r.rngsubdiff::oid, 0)::regproc::text AS difference,
        nullif(r.rngcanonical::oid, 0)::regproc::text AS canonical
    FROM pg_type AS y
    LEFT JOIN pg_range AS r ON r.rngtypid = y.oid
    LEFT JOIN pg_class AS k ON k.oid = y.typrelid
    WHERE y.typtype IN ('c', 'd', 'e', 'r') AND (k.oid IS NULL OR k.relkind = 'c')
    AND {users("pg_type", "y", "typnamespace")}
"""
_FUNCTIONS: t.Final = f"""
    SELECT p.oid, p.oid::regprocedure::text AS name, pg_get_functiondef(p.oid) AS text,
        CASE p.prokind WHEN 'p' THEN 'procedure' ELSE 'function' END AS kind
    FROM pg_proc AS p
    WHERE p.prokind <> 'a' AND {users("pg_proc", "p", "pronamespace")}
"""
_SEQUENCES: t.Final = f"""
    SELECT c.oid, {name_of("c", "relname", "relnamespace")} AS name,
        c.relpersistence::text, format_type(q.seqtypid, NULL) AS type, q.*
    FROM pg_class AS c JOIN pg_sequence AS q ON q.seqrelid = c.oid
    WHERE {users("pg_class", "c", "relnamespace")}
"""
_VIEWS: t.Final = f"""
    SELECT c.oid, c.relkind::text, {name_of("c", "relname", "relnamespace")} AS name,
        pg_get_viewdef(c.oid) AS text, array_to_string(c.reloptions, ', ') AS options,
        c.reltype, r.oid AS rule, c.relispopulated
    FROM pg_class AS c
    JOIN pg_rewrite AS r ON r.ev_class = c.oid AND r.rulename = '_RETURN'
    WHERE c.relkind IN ('v', 'm') AND {users("pg_class", "c", "relnamespace")}
    ORDER BY name
"""
_NEEDS: t.Final = f"""
    SELECT classid::regclass::text, objid, refclassid::regclass::text, refobjid
    FROM pg_depend AS d
    WHERE objid >= {FIRST_OID} AND refobjid >= {FIRST_OID}
    -- A sequence that belongs to a column is not made after it.
    AND NOT (deptype = 'a' AND classid = 'pg_class'::regclass
        AND EXISTS (SELECT FROM pg_sequence WHERE seqrelid = objid))
"""


def needs(connection: sa.Connection) -> list[tuple[Key, Key]]:
    """What needs what.

    :param connection: A connection that tells names with their schemas.
    :return: Pairs.
    """
    return [
        ((_catalog(row[0]), row[1]), (_catalog(row[2]), row[3]))
        for row in ask(connection, _NEEDS)
    ]


def first_statements(connection: sa.Connection) -> list[Statement]:
    """What makes schemas and extensions, which nothing has to be there for.

    :param connection: A connection that tells names with their schemas.
    :return: Statements. What is there already stays.
    """
    schemas = [
        Statement(f"schema {row.name}", f"CREATE SCHEMA IF NOT EXISTS {row.name}")
        for row in ask(connection, _SCHEMAS)
    ]
    extensions = [
        Statement(
            f"extension {row.name}",
            f"CREATE EXTENSION IF NOT EXISTS {row.name} WITH SCHEMA {row.schema}",
        )
        for row in ask(connection, _EXTENSIONS)
    ]
    return schemas + extensions


def items(connection: sa.Connection, sequences: t.Collection[int]) -> t.Iterator[Item]:
    """What makes the rest, but tables.

    :param connection: A connection that tells names with their schemas.
    :param sequences: The sequences that are made with a table.
    :return: Items.
    """
    for row in ask(connection, _COLLATIONS):
        yield _item("pg_collation", row, 0, "collation", _collation(row))

    for row in ask(connection, _TYPES):
        kind = "domain" if row.typtype == "d" else "type"
        parts = [("pg_type", row.typarray), ("pg_type", row.rngmultitypid)]
        parts += [("pg_class", row.typrelid)]
        yield _item("pg_type", row, 10, kind, _type(row), parts)

    for row in ask(connection, _FUNCTIONS):
        yield _item("pg_proc", row, 20, row.kind, row.text.rstrip("\n"))

    for row in ask(connection, _SEQUENCES):
        if row.oid not in sequences:
            yield _item("pg_class", row, 25, "sequence", _sequence(row))

    for row in ask(connection, _VIEWS):
        kind = "view" if row.relkind == "v" else "materialized view"
        parts = [("pg_type", row.reltype), ("pg_rewrite", row.rule)]
        yield _item("pg_class", row, 40, kind, _view(row, kind), parts)


def refreshes(
    connection: sa.Connection, made: t.Iterable[Statement]
) -> t.Iterator[Statement]:
    """What fills the materialized views, when the tables have their rows.

    :param connection: A connection that tells names with their schemas.
    :param made: What makes the views, in the order that they need.
    :return: Statements.
    """
    filled = {
        f"materialized view {row.name}": row.name
        for row in ask(connection, _VIEWS)
        if row.relkind == "m" and row.relispopulated
    }

    for statement in made:
        if name := filled.get(statement.title):
            yield Statement(f"rows of {name}", f"REFRESH MATERIALIZED VIEW {name}")


def _item(
    catalog: str,
    row: t.Any,
    rank: int,
    kind: str,
    sql: str,
    parts: t.Iterable[tuple[str, int | None]] = (),
) -> Item:
    known = frozenset((name, oid) for name, oid in parts if oid)
    statement = Statement(f"{kind} {row.name}", sql)
    return Item((catalog, row.oid), rank, (statement,), known)


def _catalog(name: str) -> str:
    return name.removeprefix("pg_catalog.")


def _collation(row: t.Any) -> str:
    if row.collprovider == "c":
        options = [
            "provider = libc",
            f"lc_collate = {text_literal(row.collcollate)}",
            f"lc_ctype = {text_literal(row.collctype)}",
        ]
    else:
        provider = {"i": "icu", "b": "builtin"}[row.collprovider]
        options = [f"provider = {provider}", f"locale = {text_literal(row.locale)}"]

    if not row.collisdeterministic:
        options.append("deterministic = false")

    return f"CREATE COLLATION {row.name} ({', '.join(options)})"


def _type(row: t.Any) -> str:
    if row.typtype == "e":
        return f"CREATE TYPE {row.name} AS ENUM ({', '.join(row.labels)})"

    if row.typtype == "c":
        return f"CREATE TYPE {row.name} AS ({', '.join(row.fields)})"

    if row.typtype == "r":
        options = {
            "subtype": row.subtype,
            "subtype_diff": row.difference,
            "canonical": row.canonical,
            "multirange_type_name": row.multirange,
        }
        given = ", ".join(f"{key} = {value}" for key, value in options.items() if value)
        return f"CREATE TYPE {row.name} AS RANGE ({given})"

    return _domain(row)


def _domain(row: t.Any) -> str:
    parts = [f"CREATE DOMAIN {row.name} AS {row.base}"]
    parts += [f"COLLATE {row.collation}"] if row.collation else []
    parts += [f"DEFAULT {row.typdefault}"] if row.typdefault is not None else []
    parts += ["NOT NULL"] if row.typnotnull else []
    return " ".join([*parts, *row.checks])


def _sequence(row: t.Any) -> str:
    kind = "UNLOGGED SEQUENCE" if row.relpersistence == "u" else "SEQUENCE"
    return f"CREATE {kind} {row.name} AS {row.type} {sequence_options(row)}"


def _view(row: t.Any, kind: str) -> str:
    options = f" WITH ({row.options})" if row.options else ""
    text = row.text.strip("\n").removesuffix(";")
    end = "\nWITH NO DATA" if row.relkind == "m" else ""
    return f"CREATE {kind.upper()} {row.name}{options} AS\n{text}{end}"
