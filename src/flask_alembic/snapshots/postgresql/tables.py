"""What makes the tables of a PostgreSQL database: columns, and those constraints that
are a part of the table.
"""

from __future__ import annotations

import typing as t
from collections import defaultdict

from ..kinds import ask
from ..text import Statement
from .catalog import COLUMN_OPTIONS
from .catalog import name_of
from .catalog import users
from .order import Item

if t.TYPE_CHECKING:
    import sqlalchemy as sa

    from .order import Key

_RANK: t.Final = 30

_TABLES: t.Final = f"""
    SELECT c.oid, {name_of("c", "relname", "relnamespace")} AS name,
        c.relpersistence::text, c.relispartition, c.reltype,
        array_to_string(c.reloptions, ', ') AS options,
        CASE WHEN c.relkind = 'p' THEN pg_get_partkeydef(c.oid) END AS partitioned_by,
        pg_get_expr(c.relpartbound, c.oid) AS bound,
        (SELECT amname FROM pg_am WHERE oid = c.relam AND amname <> 'heap') AS method,
        (SELECT spcname FROM pg_tablespace WHERE oid = c.reltablespace) AS tablespace,
        ARRAY(
            SELECT {name_of("p", "relname", "relnamespace")}
            FROM pg_inherits AS i JOIN pg_class AS p ON p.oid = i.inhparent
            WHERE i.inhrelid = c.oid ORDER BY i.inhseqno
        ) AS parents
    FROM pg_class AS c
    WHERE c.relkind IN ('r', 'p') AND c.reloftype = 0
    AND {users("pg_class", "c", "relnamespace")}
    ORDER BY name
"""

# What was made by "serial" is told so, if nothing of it was changed since.
_COLUMNS: t.Final = f"""
    SELECT a.attrelid, a.attnum, a.attname, quote_ident(a.attname) AS name,
        format_type(a.atttypid, a.atttypmod) AS type, a.attnotnull, a.attidentity::text,
        a.attgenerated::text, a.attislocal, d.oid AS default_oid,
        pg_get_expr(d.adbin, d.adrelid) AS default, nullif(a.attcompression::text, '')
        AS compression, array_to_string({COLUMN_OPTIONS}, ', ') AS options,
        CASE WHEN a.attstorage <> t.typstorage THEN a.attstorage::text END AS storage,
        CASE WHEN a.attstattarget >= 0 THEN a.attstattarget END AS statistics,
        (SELECT {name_of("l", "collname", "collnamespace")} FROM pg_collation AS l
            WHERE l.oid = a.attcollation AND a.attcollation <> t.typcollation
        ) AS collation,
        q.seqrelid AS sequence, {name_of("s", "relname", "relnamespace")}
        AS sequence_name, format('nextval(%L::regclass)',
            {name_of("s", "relname", "relnamespace")}) AS nextval,
        s.relname = c.relname || '_' || a.attname || '_seq'
            AND s.relnamespace = c.relnamespace AND s.relacl IS NULL
            AND s.relpersistence = c.relpersistence
            AND q.seqtypid = a.atttypid AND q.seqincrement = 1 AND q.seqstart = 1
            AND q.seqmin = 1 AND q.seqcache = 1 AND NOT q.seqcycle
            AND q.seqmax = CASE a.atttypid WHEN 'int2'::regtype THEN 32767
                WHEN 'int4'::regtype THEN 2147483647 ELSE 9223372036854775807 END
        AS is_usual, q.seqincrement, q.seqstart, q.seqmin, q.seqmax, q.seqcache,
        q.seqcycle
    FROM pg_attribute AS a
    JOIN pg_class AS c ON c.oid = a.attrelid
    JOIN pg_type AS t ON t.oid = a.atttypid
    LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    LEFT JOIN pg_depend AS o ON o.refclassid = 'pg_class'::regclass
        AND o.refobjid = a.attrelid AND o.refobjsubid = a.attnum
        AND o.classid = 'pg_class'::regclass AND o.deptype IN ('a', 'i')
        AND EXISTS (SELECT FROM pg_sequence WHERE seqrelid = o.objid)
    LEFT JOIN pg_sequence AS q ON q.seqrelid = o.objid
    LEFT JOIN pg_class AS s ON s.oid = q.seqrelid
    WHERE c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped
    AND {users("pg_class", "c", "relnamespace")}
    ORDER BY a.attrelid, a.attnum
"""

# Those of others come with the parent. What was not checked when it was made stays so,
# and is made later.
_CONSTRAINTS: t.Final = f"""
    SELECT o.oid, o.conrelid, o.confrelid, o.contype::text,
        quote_ident(o.conname) AS name, pg_get_constraintdef(o.oid) AS text
    FROM pg_constraint AS o
    JOIN pg_class AS c ON c.oid = o.conrelid
    WHERE o.contype IN ('p', 'u', 'c', 'x', 'f') AND o.convalidated
    AND o.conislocal AND o.conparentid = 0 AND c.relkind IN ('r', 'p')
    AND {users("pg_class", "c", "relnamespace")}
    ORDER BY o.conrelid, o.contype = 'f', o.contype <> 'p', o.contype, o.conname
"""

_SERIALS: t.Final = {
    "smallint": "smallserial",
    "integer": "serial",
    "bigint": "bigserial",
}
_STORAGES: t.Final = {"p": "PLAIN", "e": "EXTERNAL", "m": "MAIN", "x": "EXTENDED"}
_METHODS: t.Final = {"p": "pglz", "l": "lz4"}


class Tables:
    """The tables of a database.

    :param connection: A connection that tells names with their schemas.
    :param filled: The tables that get rows. Their foreign keys are made after that.
    """

    def __init__(self, connection: sa.Connection, filled: t.Collection[str]) -> None:
        self._tables = ask(connection, _TABLES)
        self._columns: defaultdict[int, list[t.Any]] = defaultdict(list)
        self._constraints: defaultdict[int, list[t.Any]] = defaultdict(list)
        self.sequences: set[int] = set()
        """The sequences that are made with a column."""

        for row in ask(connection, _COLUMNS):
            self._columns[row.attrelid].append(row)

            if row.attidentity or _is_serial(row):
                self.sequences.add(row.sequence)

        late = {table.oid for table in self._tables if table.name in filled}

        for row in ask(connection, _CONSTRAINTS):
            if row.contype != "f" or row.conrelid not in late:
                self._constraints[row.conrelid].append(row)

    @property
    def constraints(self) -> set[int]:
        """The constraints that are made with a table."""
        return {row.oid for rows in self._constraints.values() for row in rows}

    def part(self, circle: t.Collection[Key]) -> None:
        """Let foreign keys be made later that need each other's tables.

        :param circle: What needs each other.
        """
        for rows in self._constraints.values():
            rows[:] = [row for row in rows if not _is_within(row, circle)]

    def items(self) -> t.Iterator[Item]:
        """What makes them."""
        for table in self._tables:
            columns = self._columns[table.oid]
            constraints = self._constraints[table.oid]
            parts = [("pg_type", table.reltype)]
            parts += [("pg_constraint", row.oid) for row in constraints]
            parts += [
                ("pg_attrdef", row.default_oid) for row in columns if row.default_oid
            ]
            parts += [
                ("pg_class", row.sequence)
                for row in columns
                if row.sequence in self.sequences
            ]
            yield Item(
                ("pg_class", table.oid),
                _RANK,
                tuple(self._statements(table, columns, constraints)),
                frozenset(parts),
            )

    def owned_sequences(self) -> list[Statement]:
        """What ties the other sequences to their columns."""
        return [
            Statement(
                f"owner of {row.sequence_name}",
                f"ALTER SEQUENCE {row.sequence_name} OWNED BY {table.name}.{row.name}",
            )
            for table in self._tables
            for row in self._columns[table.oid]
            if row.sequence and row.sequence not in self.sequences
        ]

    def _statements(
        self, table: t.Any, columns: list[t.Any], constraints: list[t.Any]
    ) -> t.Iterator[Statement]:
        title = f"table {table.name}"
        lines = [f"CONSTRAINT {row.name} {row.text}" for row in constraints]
        kind = "UNLOGGED TABLE" if table.relpersistence == "u" else "TABLE"
        head = f"CREATE {kind} {table.name}"

        if table.relispartition:
            head += f" PARTITION OF {table.parents[0]}"
        else:
            lines = [_column(row) for row in columns if row.attislocal] + lines

        body = "".join(f"    {line},\n" for line in lines).removesuffix(",\n")
        empty = "" if table.relispartition else " ()"
        text = f"{head} (\n{body}\n)" if lines else f"{head}{empty}"
        yield Statement(title, f"{text}{_ending(table)}")

        for row in columns:
            for change in _changes(row):
                sql = f"ALTER TABLE ONLY {table.name} ALTER COLUMN {row.name} {change}"
                yield Statement(f"column {table.name}.{row.name}", sql)


def _ending(table: t.Any) -> str:
    text = f" {table.bound}" if table.relispartition else ""

    if table.parents and not table.relispartition:
        text += f" INHERITS ({', '.join(table.parents)})"

    if table.partitioned_by:
        text += f" PARTITION BY {table.partitioned_by}"

    if table.method:
        text += f" USING {table.method}"

    if table.options:
        text += f" WITH ({table.options})"

    return text + (f" TABLESPACE {table.tablespace}" if table.tablespace else "")


def _is_within(constraint: t.Any, circle: t.Collection[Key]) -> bool:
    ends = {constraint.conrelid, constraint.confrelid}
    is_foreign = constraint.contype == "f" and len(ends) == 2
    return is_foreign and all(("pg_class", end) in circle for end in ends)


def _is_serial(column: t.Any) -> bool:
    is_usual = bool(column.is_usual and column.attnotnull)
    return is_usual and not column.attidentity and column.default == column.nextval


def _column(column: t.Any) -> str:
    if _is_serial(column):
        # It has NOT NULL in it.
        return f"{column.name} {_SERIALS[column.type]}"

    parts = [column.name, column.type]

    if column.compression:
        parts.append(f"COMPRESSION {_METHODS[column.compression]}")

    if column.collation:
        parts.append(f"COLLATE {column.collation}")

    if column.attidentity:
        how = "ALWAYS" if column.attidentity == "a" else "BY DEFAULT"
        parts.append(f"GENERATED {how} AS IDENTITY{_identity_options(column)}")
    elif column.attgenerated:
        how = "STORED" if column.attgenerated == "s" else "VIRTUAL"
        parts.append(f"GENERATED ALWAYS AS ({column.default}) {how}")
    elif column.default is not None:
        parts.append(f"DEFAULT {column.default}")

    return " ".join([*parts, *(["NOT NULL"] if column.attnotnull else [])])


def _identity_options(column: t.Any) -> str:
    if column.is_usual:
        return ""

    return f" (SEQUENCE NAME {column.sequence_name} {sequence_options(column)})"


def sequence_options(sequence: t.Any) -> str:
    """How a sequence counts.

    :param sequence: A row with the columns of ``pg_sequence``.
    :return: SQL.
    """
    cycle = " CYCLE" if sequence.seqcycle else ""
    return (
        f"INCREMENT BY {sequence.seqincrement} MINVALUE {sequence.seqmin}"
        f" MAXVALUE {sequence.seqmax} START WITH {sequence.seqstart}"
        f" CACHE {sequence.seqcache}{cycle}"
    )


def _changes(column: t.Any) -> t.Iterator[str]:
    """What can't be said where the column is made."""
    if column.storage:
        yield f"SET STORAGE {_STORAGES[column.storage]}"

    if column.statistics is not None:
        yield f"SET STATISTICS {column.statistics}"

    if column.options:
        yield f"SET ({column.options})"
