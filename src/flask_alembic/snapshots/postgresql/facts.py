"""All that PostgreSQL's catalogs hold of a schema, to compare two databases: whatever a
snapshot lost shows here, as what is compared is not what it is written from.
"""

from __future__ import annotations

import json
import typing as t

from ..kinds import ask
from .catalog import COLUMN_OPTIONS
from .catalog import FIRST_OID
from .catalog import users

if t.TYPE_CHECKING:
    import sqlalchemy as sa


class _Catalog(t.NamedTuple):
    """A catalog, of which all columns are compared but some."""

    name: str
    condition: str
    left_out: str
    """Numbers of objects, and what a server counts or remembers of the past."""

    more: tuple[str, ...]
    """What the numbers stand for, as SQL."""


def _sorted(column: str) -> str:
    return f"ARRAY(SELECT unnest(x.{column})::text ORDER BY 1)"


_CATALOGS: t.Final = (
    _Catalog(
        "pg_class",
        users("pg_class", "x", "relnamespace"),
        "relname relnamespace reltype relfilenode relpages reltuples relallvisible"
        " relallfrozen reltoastrelid relhasindex relhasrules relhastriggers"
        " relhassubclass relfrozenxid relminmxid relrewrite relnatts relpartbound"
        " relacl",
        (
            "CASE WHEN x.relkind IN ('i', 'I') THEN pg_get_indexdef(x.oid)"
            " WHEN x.relkind IN ('v', 'm') THEN pg_get_viewdef(x.oid)"
            " WHEN x.relkind = 'p' THEN pg_get_partkeydef(x.oid) END",
            "pg_get_expr(x.relpartbound, x.oid)",
            "ARRAY(SELECT i.inhparent::regclass::text FROM pg_inherits AS i"
            " WHERE i.inhrelid = x.oid ORDER BY i.inhseqno)",
            "(SELECT ARRAY[indisclustered, indisreplident, indisvalid, indisready]"
            " FROM pg_index WHERE indexrelid = x.oid)",
            "(SELECT to_jsonb(q) - 'seqrelid' FROM pg_sequence AS q"
            " WHERE q.seqrelid = x.oid)",
            "ARRAY(SELECT format('%s %s.%I', d.deptype, d.refobjid::regclass, attname)"
            " FROM pg_depend AS d JOIN pg_attribute ON attrelid = d.refobjid"
            " AND attnum = d.refobjsubid WHERE d.classid = 'pg_class'::regclass"
            " AND d.objid = x.oid AND d.deptype IN ('a', 'i') AND x.relkind = 'S')",
            _sorted("relacl"),
        ),
    ),
    _Catalog(
        "pg_constraint",
        f"x.oid >= {FIRST_OID}",
        "conname connamespace conrelid contypid conindid conparentid confrelid conkey"
        " confkey conpfeqop conppeqop conffeqop confdelsetcols conexclop conbin",
        (
            "pg_get_constraintdef(x.oid)",
            "x.conparentid <> 0",
            "x.conindid::regclass::text",
        ),
    ),
    _Catalog(
        "pg_trigger",
        "NOT x.tgisinternal",
        "tgrelid tgparentid tgfoid tgconstrrelid tgconstrindid tgconstraint tgattr"
        " tgargs tgqual",
        ("pg_get_triggerdef(x.oid)",),
    ),
    _Catalog(
        "pg_rewrite",
        f"x.oid >= {FIRST_OID}",
        "ev_class ev_qual ev_action",
        ("pg_get_ruledef(x.oid)",),
    ),
    _Catalog(
        "pg_policy",
        f"x.oid >= {FIRST_OID}",
        "polrelid polroles polqual polwithcheck",
        (
            _sorted("polroles"),
            "pg_get_expr(x.polqual, x.polrelid)",
            "pg_get_expr(x.polwithcheck, x.polrelid)",
        ),
    ),
    _Catalog(
        "pg_proc",
        users("pg_proc", "x", "pronamespace"),
        "pronamespace prosqlbody proargdefaults proacl prosupport prorettype"
        " proargtypes proallargtypes protrftypes provariadic",
        (
            "CASE WHEN x.prokind <> 'a' THEN pg_get_functiondef(x.oid) END",
            _sorted("proacl"),
        ),
    ),
    _Catalog(
        "pg_type",
        f"x.typtype IN ('d', 'e', 'r') AND {users('pg_type', 'x', 'typnamespace')}",
        "typnamespace typrelid typelem typarray typbasetype typdefaultbin typcollation"
        " typacl",
        (
            "format_type(x.typbasetype, x.typtypmod)",
            "x.typcollation::regcollation::text",
            "ARRAY(SELECT enumlabel FROM pg_enum WHERE enumtypid = x.oid"
            " ORDER BY enumsortorder)",
            "(SELECT ARRAY[format_type(rngsubtype, NULL), format_type(rngmultitypid,"
            " NULL), rngcollation::regcollation::text, rngsubopc::text,"
            " rngcanonical::text, rngsubdiff::text] FROM pg_range"
            " WHERE rngtypid = x.oid)",
            _sorted("typacl"),
        ),
    ),
    _Catalog(
        "pg_namespace",
        "x.nspname NOT LIKE 'pg\\_%' AND x.nspname <> 'information_schema'",
        "nspacl",
        (_sorted("nspacl"),),
    ),
    _Catalog(
        "pg_statistic_ext",
        f"x.oid >= {FIRST_OID}",
        "stxrelid stxnamespace stxkeys stxexprs",
        ("pg_get_statisticsobjdef(x.oid)",),
    ),
    _Catalog(
        "pg_collation",
        users("pg_collation", "x", "collnamespace"),
        "collnamespace collversion",
        (),
    ),
    _Catalog(
        "pg_extension",
        "true",
        "extnamespace extconfig",
        ("x.extnamespace::regnamespace::text",),
    ),
)

# Columns that were dropped leave gaps in the numbers.
_COLUMNS: t.Final = f"""
    SELECT format('column %s.%I', a.attrelid::regclass, a.attname), (to_jsonb(a)
        - ARRAY['attrelid', 'atttypid', 'attnum', 'attcacheoff', 'attndims', 'attacl',
            'attmissingval', 'atthasmissing', 'attcollation', 'attoptions'])::text,
        jsonb_build_array(
            row_number() OVER (PARTITION BY a.attrelid ORDER BY a.attnum),
            format_type(a.atttypid, a.atttypmod), a.attcollation::regcollation::text,
            pg_get_expr(d.adbin, d.adrelid), {COLUMN_OPTIONS},
            ARRAY(SELECT unnest(a.attacl)::text ORDER BY 1)
        )::text
    FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
    LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind NOT IN ('i', 'I')
    AND {users("pg_class", "c", "relnamespace")}
"""
_COMMENTS: t.Final = f"""
    SELECT 'comment on ' || i.type || ' ' || i.identity,
        to_jsonb(d.description)::text, '[]'
    FROM pg_description AS d,
        pg_identify_object(d.classoid, d.objoid, d.objsubid) AS i
    WHERE d.objoid >= {FIRST_OID}
"""


def facts(connection: sa.Connection) -> dict[str, str]:
    """All that is known of the schema.

    :param connection: A connection that tells names with their schemas.
    :return: What it is of, and a text.
    """
    # As texts, since drivers differ in what they make of JSON.
    queries = [*map(_query, _CATALOGS), _COLUMNS, _COMMENTS]
    return {
        row[0]: json.dumps([json.loads(row[1]), json.loads(row[2])], sort_keys=True)
        for query in queries
        for row in ask(connection, query)
    }


def _query(catalog: _Catalog) -> str:
    left_out = ", ".join(f"'{name}'" for name in ("oid", *catalog.left_out.split()))
    return f"""
        SELECT i.type || ' ' || i.identity, (to_jsonb(x) - ARRAY[{left_out}])::text,
            jsonb_build_array({", ".join(catalog.more)})::text
        FROM {catalog.name} AS x,
            pg_identify_object('{catalog.name}'::regclass, x.oid, 0) AS i
        WHERE {catalog.condition}
    """
