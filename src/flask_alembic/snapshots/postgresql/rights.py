"""Who owns what in a PostgreSQL database, who may do what, and the comments."""

from __future__ import annotations

import typing as t

from ..kinds import ask
from ..kinds import text_literal
from ..text import Statement
from .catalog import FIRST_OID
from .catalog import users

if t.TYPE_CHECKING:
    import sqlalchemy as sa

# Sequences of columns belong to who owns the table, and indexes too.
_OWNERS: t.Final = f"""
    SELECT i.type, i.identity, quote_ident(pg_get_userbyid(o.owner)) AS owner
    FROM (
        SELECT 'pg_class'::regclass AS catalog, c.oid, c.relowner AS owner
        FROM pg_class AS c WHERE {users("pg_class", "c", "relnamespace")}
        AND c.relkind IN ('r', 'p', 'v', 'm', 'S') AND NOT EXISTS (
            SELECT FROM pg_depend AS d WHERE d.classid = 'pg_class'::regclass
            AND d.objid = c.oid AND d.deptype IN ('a', 'i') AND c.relkind = 'S'
        )
        UNION ALL SELECT 'pg_proc'::regclass, p.oid, p.proowner
        FROM pg_proc AS p WHERE {users("pg_proc", "p", "pronamespace")}
        UNION ALL SELECT 'pg_namespace'::regclass, n.oid, n.nspowner
        FROM pg_namespace AS n WHERE {users("pg_namespace", "n")}
        AND n.nspname NOT LIKE 'pg\\_%'
        UNION ALL SELECT 'pg_type'::regclass, y.oid, y.typowner
        FROM pg_type AS y WHERE {users("pg_type", "y", "typnamespace")}
        AND y.typtype IN ('d', 'e', 'r')
    ) AS o, pg_identify_object(o.catalog, o.oid, 0) AS i
    WHERE o.owner <> (SELECT oid FROM pg_roles WHERE rolname = current_user)
    ORDER BY i.type, i.identity
"""

# What was there when the database was made is not to be told.
_RIGHTS: t.Final = f"""
    WITH lists AS (
        SELECT 'pg_class'::regclass AS catalog, c.oid, 0 AS part, c.relacl AS list,
            acldefault(CASE c.relkind WHEN 'S' THEN 's'::"char" ELSE 'r' END,
                c.relowner) AS usual, '' AS part_name
        FROM pg_class AS c WHERE {users("pg_class", "c", "relnamespace")}
        UNION ALL SELECT 'pg_class'::regclass, c.oid, a.attnum, a.attacl,
            acldefault('c', c.relowner), quote_ident(a.attname)
        FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
        WHERE NOT a.attisdropped AND {users("pg_class", "c", "relnamespace")}
        UNION ALL SELECT 'pg_proc'::regclass, p.oid, 0, p.proacl,
            acldefault('f', p.proowner), ''
        FROM pg_proc AS p WHERE {users("pg_proc", "p", "pronamespace")}
        UNION ALL SELECT 'pg_type'::regclass, y.oid, 0, y.typacl,
            acldefault('T', y.typowner), ''
        FROM pg_type AS y WHERE {users("pg_type", "y", "typnamespace")}
        UNION ALL SELECT 'pg_namespace'::regclass, n.oid, 0, n.nspacl,
            coalesce(i.initprivs, acldefault('n', n.nspowner)), ''
        FROM pg_namespace AS n LEFT JOIN pg_init_privs AS i
            ON i.classoid = 'pg_namespace'::regclass AND i.objoid = n.oid
        WHERE n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
    ), given AS (
        SELECT l.catalog, l.oid, part_name, g.* FROM lists AS l, aclexplode(l.list) AS g
    ), usual AS (
        SELECT l.catalog, l.oid, part_name, g.*
        FROM lists AS l, aclexplode(l.usual) AS g WHERE l.list IS NOT NULL
    ), changes AS (
        (TABLE usual EXCEPT TABLE given) UNION ALL (TABLE given EXCEPT TABLE usual)
    )
    SELECT i.type, i.identity, c.part_name, c.privilege_type AS privilege,
        CASE c.grantee WHEN 0 THEN 'PUBLIC'
            ELSE quote_ident(pg_get_userbyid(c.grantee)) END AS role,
        c.is_grantable,
        (c.catalog, c.oid, part_name, c.grantor, c.grantee, c.privilege_type,
            c.is_grantable) IN (SELECT * FROM given) AS is_given
    FROM changes AS c, pg_identify_object(c.catalog, c.oid, 0) AS i
    ORDER BY 1, 2, 3, is_given, role, privilege
"""

_COMMENTS: t.Final = f"""
    SELECT i.type, i.identity, d.description
    FROM pg_description AS d,
        pg_identify_object(d.classoid, d.objoid, d.objsubid) AS i
    WHERE d.objoid >= {FIRST_OID} AND NOT EXISTS (
        SELECT FROM pg_depend AS e WHERE e.classid = d.classoid AND e.objid = d.objoid
        AND e.deptype = 'e'
    ) AND d.classoid <> 'pg_extension'::regclass
    ORDER BY 1, 2
"""

_KINDS: t.Final = {
    "view": "TABLE",
    "materialized view": "TABLE",
    "table constraint": "CONSTRAINT",
    "domain constraint": "CONSTRAINT",
    "statistics object": "STATISTICS",
}


def rights(connection: sa.Connection) -> t.Iterator[Statement]:
    """What gives the objects to others than who makes them.

    :param connection: A connection that tells names with their schemas.
    :return: Statements.
    """
    for row in ask(connection, _OWNERS):
        name = f"{row.type} {row.identity}"
        sql = f"ALTER {row.type.upper()} {row.identity} OWNER TO {row.owner}"
        yield Statement(f"owner of {name}", sql)

    for row in ask(connection, _RIGHTS):
        yield Statement(f"rights on {row.type} {row.identity}", _right(row))


def comments(connection: sa.Connection) -> t.Iterator[Statement]:
    """The comments.

    :param connection: A connection that tells names with their schemas.
    :return: Statements.
    """
    for row in ask(connection, _COMMENTS):
        is_column = row.type.endswith("column")
        kind = "COLUMN" if is_column else _comment_kind(row.type)
        identity = row.identity

        if row.type == "domain constraint":
            identity = identity.replace(" on ", " ON DOMAIN ", 1)

        sql = f"COMMENT ON {kind} {identity} IS {_literal(row.description)}"
        yield Statement(f"comment on {row.type} {row.identity}", sql)


def _comment_kind(kind: str) -> str:
    # Not as with GRANT: there a view is a table.
    return kind.upper() if kind.endswith("view") else _KINDS.get(kind, kind.upper())


def _right(row: t.Any) -> str:
    part = f" ({row.part_name})" if row.part_name else ""
    kind = _KINDS.get(row.type, row.type.upper())
    what = f"{row.privilege}{part} ON {kind} {row.identity}"

    if not row.is_given:
        return f"REVOKE {what} FROM {row.role}"

    more = " WITH GRANT OPTION" if row.is_grantable else ""
    return f"GRANT {what} TO {row.role}{more}"


def _literal(text: str) -> str:
    literal = text_literal(text)
    return f"E{literal.replace(chr(92), chr(92) * 2)}" if "\\" in text else literal
