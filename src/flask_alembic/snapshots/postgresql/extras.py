"""What is made on the tables of a PostgreSQL database when they have their rows:
indexes, foreign keys, triggers, rules, policies.
"""

from __future__ import annotations

import typing as t

from ..kinds import ask
from ..text import Statement
from .catalog import name_of
from .catalog import users

if t.TYPE_CHECKING:
    import sqlalchemy as sa

_TABLE: t.Final = name_of("c", "relname", "relnamespace")
_OF_USERS: t.Final = users("pg_class", "c", "relnamespace")

# Those of a constraint, and those of a partition, are made with something else.
_INDEXES: t.Final = f"""
    SELECT {name_of("k", "relname", "relnamespace")} AS name,
        pg_get_indexdef(i.indexrelid) AS text, c.relkind::text
    FROM pg_index AS i
    JOIN pg_class AS c ON c.oid = i.indrelid
    JOIN pg_class AS k ON k.oid = i.indexrelid
    WHERE i.indisvalid AND NOT k.relispartition AND NOT EXISTS (
        SELECT FROM pg_constraint WHERE conindid = i.indexrelid
        AND contype IN ('p', 'u', 'x')
    ) AND {_OF_USERS} ORDER BY {_TABLE}, name
"""
_INDEX_MARKS: t.Final = f"""
    SELECT {_TABLE} AS name, quote_ident(k.relname) AS index,
        i.indisclustered AS is_clustered, c.relreplident::text AS identity,
        i.indisreplident AS is_identity
    FROM pg_index AS i
    JOIN pg_class AS c ON c.oid = i.indrelid
    JOIN pg_class AS k ON k.oid = i.indexrelid
    WHERE (i.indisclustered OR i.indisreplident) AND {_OF_USERS} ORDER BY name
"""
# What was not checked when it was made is not checked now either.
_CONSTRAINTS: t.Final = f"""
    SELECT o.oid, {_TABLE} AS name, quote_ident(o.conname) AS constraint,
        pg_get_constraintdef(o.oid) AS text
    FROM pg_constraint AS o JOIN pg_class AS c ON c.oid = o.conrelid
    WHERE (o.contype = 'f' OR o.contype = 'c' AND NOT o.convalidated)
    AND o.conislocal AND o.conparentid = 0 AND {_OF_USERS}
    ORDER BY name, o.conname
"""
_STATISTICS: t.Final = f"""
    SELECT {name_of("x", "stxname", "stxnamespace")} AS name,
        pg_get_statisticsobjdef(x.oid) AS text
    FROM pg_statistic_ext AS x
    WHERE {users("pg_statistic_ext", "x", "stxnamespace")} ORDER BY name
"""
_TRIGGERS: t.Final = f"""
    SELECT {_TABLE} AS name, quote_ident(g.tgname) AS trigger,
        pg_get_triggerdef(g.oid) AS text, g.tgenabled::text AS state
    FROM pg_trigger AS g JOIN pg_class AS c ON c.oid = g.tgrelid
    WHERE NOT g.tgisinternal AND g.tgparentid = 0 AND {_OF_USERS}
    ORDER BY name, g.tgname
"""
_RULES: t.Final = f"""
    SELECT {_TABLE} AS name, quote_ident(r.rulename) AS rule,
        pg_get_ruledef(r.oid) AS text, r.ev_enabled::text AS state
    FROM pg_rewrite AS r JOIN pg_class AS c ON c.oid = r.ev_class
    WHERE r.rulename <> '_RETURN' AND {_OF_USERS} ORDER BY name, r.rulename
"""
_TABLE_MARKS: t.Final = f"""
    SELECT {_TABLE} AS name, c.relrowsecurity, c.relforcerowsecurity,
        c.relreplident::text
    FROM pg_class AS c WHERE c.relkind IN ('r', 'p') AND {_OF_USERS} ORDER BY name
"""
_POLICIES: t.Final = f"""
    SELECT {_TABLE} AS name, quote_ident(p.polname) AS policy, p.polpermissive,
        p.polcmd::text, pg_get_expr(p.polqual, p.polrelid) AS using,
        pg_get_expr(p.polwithcheck, p.polrelid) AS with_check,
        ARRAY(SELECT CASE r WHEN 0 THEN 'public' ELSE quote_ident(pg_get_userbyid(r))
            END FROM unnest(p.polroles) AS r ORDER BY 1) AS roles
    FROM pg_policy AS p JOIN pg_class AS c ON c.oid = p.polrelid
    WHERE {_OF_USERS} ORDER BY name, p.polname
"""

_STATES: t.Final = {"D": "DISABLE", "R": "ENABLE REPLICA", "A": "ENABLE ALWAYS"}
_COMMANDS: t.Final = {"r": "SELECT", "a": "INSERT", "w": "UPDATE", "d": "DELETE"}


def extras(connection: sa.Connection, made: t.Collection[int]) -> t.Iterator[Statement]:
    """What is made on the tables.

    :param connection: A connection that tells names with their schemas.
    :param made: The constraints that are there.
    :return: Statements.
    """
    for row in ask(connection, _INDEXES):
        # Without partitions it would not be valid.
        is_whole = row.relkind == "p"
        text = row.text.replace(" ON ONLY ", " ON ", 1) if is_whole else row.text
        yield Statement(f"index {row.name}", text)

    for row in ask(connection, _CONSTRAINTS):
        if row.oid in made:
            continue

        sql = f"ALTER TABLE {row.name} ADD CONSTRAINT {row.constraint} {row.text}"
        yield Statement(f"constraint {row.constraint} on {row.name}", sql)

    for row in ask(connection, _STATISTICS):
        yield Statement(f"statistics {row.name}", row.text)

    for row in ask(connection, _RULES):
        # It ends in a semicolon.
        text = row.text.removesuffix(";")
        yield from _with_state(f"rule {row.rule} on {row.name}", text, row, row.rule)

    for row in ask(connection, _TRIGGERS):
        title = f"trigger {row.trigger} on {row.name}"
        yield from _with_state(title, row.text, row, row.trigger)

    yield from _policies(connection)
    yield from _marks(connection)


def _with_state(title: str, text: str, row: t.Any, name: str) -> t.Iterator[Statement]:
    yield Statement(title, text)

    if state := _STATES.get(row.state):
        kind = title.partition(" ")[0].upper()
        yield Statement(title, f"ALTER TABLE {row.name} {state} {kind} {name}")


def _policies(connection: sa.Connection) -> t.Iterator[Statement]:
    for row in ask(connection, _POLICIES):
        parts = [
            f"CREATE POLICY {row.policy} ON {row.name}",
            "" if row.polpermissive else "AS RESTRICTIVE",
            f"FOR {_COMMANDS[row.polcmd]}" if row.polcmd in _COMMANDS else "",
            f"TO {', '.join(row.roles)}",
            f"USING ({row.using})" if row.using is not None else "",
            f"WITH CHECK ({row.with_check})" if row.with_check is not None else "",
        ]
        text = " ".join(filter(None, parts))
        yield Statement(f"policy {row.policy} on {row.name}", text)


def _marks(connection: sa.Connection) -> t.Iterator[Statement]:
    def change(name: str, text: str) -> Statement:
        return Statement(f"change {name}", f"ALTER TABLE {name} {text}")

    for row in ask(connection, _TABLE_MARKS):
        if row.relrowsecurity:
            yield change(row.name, "ENABLE ROW LEVEL SECURITY")

        if row.relforcerowsecurity:
            yield change(row.name, "FORCE ROW LEVEL SECURITY")

        if row.relreplident in ("n", "f"):
            how = "NOTHING" if row.relreplident == "n" else "FULL"
            yield change(row.name, f"REPLICA IDENTITY {how}")

    for row in ask(connection, _INDEX_MARKS):
        if row.is_identity and row.identity == "i":
            yield change(row.name, f"REPLICA IDENTITY USING INDEX {row.index}")

        if row.is_clustered:
            yield change(row.name, f"CLUSTER ON {row.index}")
