"""What a statement leaves behind, read from its text."""

from __future__ import annotations

import typing as t
from io import StringIO

import pytest
import sqlalchemy as sa
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from hypothesis import given
from hypothesis import strategies as st

from flask_alembic.ddl.effects import index_of
from flask_alembic.ddl.effects import net_effects
from flask_alembic.ddl.effects import read_effects
from flask_alembic.ddl.words import Effect
from flask_alembic.ddl.words import Effects

Seen = list[tuple[t.Any, ...]]

SEEN: t.Final[tuple[tuple[str, Seen], ...]] = (
    ("CREATE TABLE a (id INT)", [("table", True, "a")]),
    ("/* x */ create table `a b` (id INT);", [("table", True, "a b")]),
    ("-- x\nCREATE TABLE s.a (id INT)", [("table", True, "a", None, "s")]),
    ("CREATE VIEW v AS SELECT 1", [("table", True, "v")]),
    ("CREATE MATERIALIZED VIEW v AS SELECT 1", [("table", True, "v")]),
    ("CREATE SEQUENCE q", [("sequence", True, "q")]),
    ("CREATE SCHEMA s", [("schema", True, "s")]),
    ("DROP TABLE a, `b`", [("table", False, "a"), ("table", False, "b")]),
    ("DROP VIEW v", [("table", False, "v")]),
    ("CREATE INDEX i ON a (x)", [("index", True, "i", "a")]),
    ("CREATE UNIQUE INDEX i ON s.a (x)", [("index", True, "i", "a", "s")]),
    ("CREATE INDEX CONCURRENTLY i ON ONLY a (x)", [("index", True, "i", "a")]),
    ("CREATE FULLTEXT INDEX i USING BTREE ON a (x)", [("index", True, "i", "a")]),
    ("DROP INDEX i ON a", [("index", False, "i", "a")]),
    ("DROP INDEX CONCURRENTLY s.i", [("index", False, "i", None, "s")]),
    ("ALTER TABLE a ADD COLUMN x INT DEFAULT ','", [("column", True, "x", "a")]),
    ("ALTER TABLE a ADD x DECIMAL(3, 2)", [("column", True, "x", "a")]),
    ("ALTER TABLE a DROP COLUMN x", [("column", False, "x", "a")]),
    ("ALTER TABLE a DROP x", [("column", False, "x", "a")]),
    (
        "ALTER TABLE a CHANGE COLUMN x y INT",
        [("column", False, "x", "a"), ("column", True, "y", "a")],
    ),
    (
        "ALTER TABLE a RENAME COLUMN x TO y",
        [("column", False, "x", "a"), ("column", True, "y", "a")],
    ),
    (
        "ALTER TABLE a RENAME x TO y",
        [("column", False, "x", "a"), ("column", True, "y", "a")],
    ),
    (
        "ALTER TABLE a RENAME INDEX x TO y",
        [("index", False, "x", "a"), ("index", True, "y", "a")],
    ),
    (
        "ALTER TABLE s.a RENAME TO b",
        [
            ("table", False, "a", None, "s"),
            ("table", True, "b", None, "s"),
        ],
    ),
    ("ALTER TABLE a RENAME b", [("table", False, "a"), ("table", True, "b")]),
    (
        "RENAME TABLE a TO b, c TO d",
        [
            ("table", False, "a"),
            ("table", True, "b"),
            ("table", False, "c"),
            ("table", True, "d"),
        ],
    ),
    ("ALTER TABLE a ADD CONSTRAINT k UNIQUE (x)", [("constraint", True, "k", "a")]),
    ("ALTER TABLE a ADD CONSTRAINT k CHECK (x > 1)", [("constraint", True, "k", "a")]),
    (
        "ALTER TABLE a ADD CONSTRAINT k FOREIGN KEY(x) REFERENCES b (y)",
        [("constraint", True, "k", "a")],
    ),
    (
        "ALTER TABLE a ADD FOREIGN KEY(x, z) REFERENCES b (y, z)",
        [("foreign key", True, "x, z", "a")],
    ),
    ("ALTER TABLE a ADD PRIMARY KEY (x)", [("primary key", True, "primary", "a")]),
    (
        "ALTER TABLE a ADD CONSTRAINT pk PRIMARY KEY (x)",
        [("primary key", True, "primary", "a")],
    ),
    ("ALTER TABLE a DROP PRIMARY KEY", [("primary key", False, "primary", "a")]),
    ("ALTER TABLE a ADD UNIQUE KEY k (x)", [("index", True, "k", "a")]),
    ("ALTER TABLE a ADD INDEX k (x)", [("index", True, "k", "a")]),
    ("ALTER TABLE a DROP KEY k", [("index", False, "k", "a")]),
    ("ALTER TABLE a DROP FOREIGN KEY k", [("constraint", False, "k", "a")]),
    ("ALTER TABLE a DROP CONSTRAINT k", [("constraint", False, "k", "a")]),
    (
        "ALTER TABLE a ADD x INT, DROP y, ALGORITHM=INPLACE",
        [("column", True, "x", "a"), ("column", False, "y", "a")],
    ),
    ("ALTER TYPE s.e ADD VALUE 'it''s'", [("enum value", True, "it's", "e", "s")]),
)

REPEATED: t.Final = (
    "ALTER TABLE a MODIFY COLUMN x BIGINT",
    "ALTER TABLE a CHANGE x x BIGINT",
    "ALTER TABLE a ALTER COLUMN x SET DEFAULT 1, ALTER y DROP DEFAULT",
    "ALTER TABLE a ALTER COLUMN x TYPE BIGINT",
    "ALTER TABLE a ALTER COLUMN x DROP NOT NULL",
    "ALTER TABLE a COMMENT 'x, y'",
    "ALTER TABLE a ENGINE=InnoDB",
    "ALTER TABLE a VALIDATE CONSTRAINT k",
    "COMMENT ON TABLE a IS 'x'",
    "CREATE OR REPLACE FUNCTION f() RETURNS INT LANGUAGE sql AS $$SELECT 1; $$",
    "TRUNCATE TABLE a",
    "VACUUM a",
    "GRANT SELECT ON a TO b",
    "CREATE TABLE IF NOT EXISTS a (id INT)",
    "CREATE INDEX IF NOT EXISTS i ON a (x)",
    "DROP TABLE IF EXISTS a",
    "DROP INDEX IF EXISTS i",
    "ALTER TABLE a ADD COLUMN IF NOT EXISTS x INT",
    "ALTER TABLE a DROP COLUMN IF EXISTS x",
    "ALTER TYPE e ADD VALUE IF NOT EXISTS 'x'",
)

UNKNOWN: t.Final = (
    "",
    "INSERT INTO a VALUES (1)",
    "CREATE PROCEDURE p() SELECT 1",
    "CREATE TRIGGER t AFTER INSERT ON a FOR EACH ROW SET @x = 1",
    "CREATE TABLE a (id INT); CREATE TABLE b (id INT)",
    "CREATE INDEX ON a (x)",
    "ALTER TABLE a ADD UNIQUE (x)",
    "ALTER TABLE a ADD CHECK (x > 1)",
    "ALTER TABLE a ADD (x INT, y INT)",
    "ALTER TABLE a ADD x INT, ADD UNIQUE (y)",
    "ALTER TABLE a MODIFY x INT UNIQUE",
    "ALTER TABLE a ALTER COLUMN x TYPE INT USING x * 2",
    "ALTER TABLE a ALTER COLUMN x ADD GENERATED ALWAYS AS IDENTITY",
    "ALTER TABLE a ADD PARTITION (PARTITION p VALUES LESS THAN (1))",
    "ALTER DATABASE d CHARACTER SET utf8mb4",
    "REVOKE SELECT ON a FROM b",
    "DO $$BEGIN END$$",
)


@pytest.mark.parametrize(("statement", "seen"), SEEN, ids=[s for s, _ in SEEN])
def test_seen(statement: str, seen: Seen) -> None:
    """What is there afterwards, or is not."""
    found = read_effects(statement, folds_names=True)
    assert found is not None
    assert found.seen == tuple(Effect(*item) for item in seen)


@pytest.mark.parametrize("statement", REPEATED)
def test_repeated(statement: str) -> None:
    """Some statements may simply run again."""
    found = read_effects(statement, folds_names=True)
    assert found is not None
    assert found.can_repeat


@pytest.mark.parametrize("statement", UNKNOWN)
def test_unknown(statement: str) -> None:
    """Of others nothing is told, rather than something wrong."""
    assert read_effects(statement, folds_names=False) is None


def test_names() -> None:
    """PostgreSQL makes names small that are not quoted, others keep them."""
    for folds, name in [(True, "made"), (False, "Made")]:
        found = read_effects("CREATE TABLE Made (id INT)", folds_names=folds)
        assert found == Effects((Effect("table", True, name),))

    found = read_effects('CREATE TABLE "Made" (id INT)', folds_names=True)
    assert found == Effects((Effect("table", True, "Made"),))


NET: t.Final[tuple[tuple[list[str], Seen], ...]] = (
    (["CREATE TABLE a (x INT)", "DROP TABLE a"], [("table", False, "a")]),
    (["CREATE TABLE a (x INT)", "DROP TABLE IF EXISTS a"], [("table", False, "a")]),
    (["CREATE TABLE a (x INT)", "CREATE PROCEDURE p() DROP TABLE a"], []),
    (
        ["ALTER TABLE a ADD y INT", "ALTER TABLE a RENAME TO b"],
        [("table", False, "a"), ("table", True, "b")],
    ),
    (
        ["CREATE INDEX i ON a (x)", "ALTER TABLE a DROP COLUMN x"],
        [("column", False, "x", "a")],
    ),
    (
        ["ALTER TABLE a ADD CONSTRAINT k UNIQUE (x)", "DROP INDEX k ON a"],
        [("index", False, "k", "a")],
    ),
    (
        ["ALTER TABLE a ADD y INT", "DROP TABLE p CASCADE"],
        [("table", False, "p")],
    ),
    (
        ["CREATE TABLE a (x INT)", "ALTER TABLE a ADD y INT", "CREATE TABLE b (x INT)"],
        [("table", True, "a"), ("column", True, "y", "a"), ("table", True, "b")],
    ),
)


@pytest.mark.parametrize(("statements", "seen"), NET)
def test_net_effects(statements: list[str], seen: Seen) -> None:
    """A later statement may take back what an earlier one did."""
    effects = [read_effects(text, folds_names=True) for text in statements]
    assert net_effects(effects) == tuple(Effect(*item) for item in seen)


def test_index_of() -> None:
    """An index that is made concurrently is told from others."""
    index = Effect("index", True, "i", "a")
    text = "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS i ON a (x)"
    assert index_of(text, folds_names=True) == (index, True)
    assert index_of("CREATE INDEX i ON a (x)", folds_names=True) == (index, False)
    assert index_of("DROP INDEX CONCURRENTLY i", folds_names=True) is None
    assert index_of("CREATE TABLE concurrently (x INT)", folds_names=True) is None


# What Alembic writes

names = st.text(
    st.characters(blacklist_categories=["Cc", "Cs", "Cn"], blacklist_characters="%"),
    min_size=1,
    max_size=20,
).filter(lambda name: name == name.strip() and name.lower() != "primary")

# Alembic and SQLAlchemy take a dot in some of them for the end of a schema's name.
undotted = names.filter(lambda name: "." not in name)


def compiled(
    dialect: str, write: t.Callable[[Operations], object]
) -> list[Effects | None]:
    """Write operations as SQL, and read what comes out."""
    buffer = StringIO()
    context = MigrationContext.configure(
        dialect_name=dialect,
        opts={"as_sql": True, "output_buffer": buffer, "literal_binds": True},
    )
    statements: list[str] = []

    def keep(construct: t.Any, *args: t.Any, **kwargs: t.Any) -> None:
        made = construct if isinstance(construct, str) else None
        text = made or str(construct.compile(dialect=context.dialect))
        # As the driver gets it, whose paramstyle doubles this.
        statements.append(text.replace("%%", "%"))

    t.cast(t.Any, context.impl)._exec = keep
    write(Operations(context))
    folds = dialect == "postgresql"
    return [read_effects(text, folds_names=folds) for text in statements]


@pytest.mark.parametrize("dialect", ["mysql", "postgresql"])
@given(table=undotted, one=undotted, other=undotted, schema=st.none() | undotted)
def test_what_alembic_writes(
    dialect: str, table: str, one: str, other: str, schema: str | None
) -> None:
    """What Alembic's operations leave behind is found in the SQL that they become, with
    any names.
    """
    integer: t.Any = sa.Integer()
    key: dict[str, t.Any] = {"schema": schema}
    is_mysql = dialect == "mysql"
    expected: list[tuple[t.Callable[[Operations], object], list[Effect]]] = [
        (
            lambda op: op.create_table(table, sa.Column(one, integer), **key),
            [Effect("table", True, table, schema=schema)],
        ),
        (
            lambda op: op.drop_table(table, **key),
            [Effect("table", False, table, schema=schema)],
        ),
        (
            lambda op: op.add_column(table, sa.Column(one, integer), **key),
            [Effect("column", True, one, table, schema)],
        ),
        (
            lambda op: op.drop_column(table, one, **key),
            [Effect("column", False, one, table, schema)],
        ),
        (
            lambda op: op.create_index(one, table, [other], **key),
            [Effect("index", True, one, table, schema)],
        ),
        (
            lambda op: op.drop_index(one, table, **key),
            [Effect("index", False, one, table if is_mysql else None, schema)],
        ),
        (
            lambda op: op.create_unique_constraint(one, table, [other], **key),
            [Effect("constraint", True, one, table, schema)],
        ),
        (
            lambda op: op.create_foreign_key(
                one, table, other, [other], [one], source_schema=schema
            ),
            [Effect("constraint", True, one, table, schema)],
        ),
        (
            lambda op: op.create_foreign_key(
                None, table, other, [other], [one], source_schema=schema
            ),
            [Effect("foreign key", True, other, table, schema)],
        ),
        (
            lambda op: op.create_check_constraint(one, table, sa.text("1 = 1"), **key),
            [Effect("constraint", True, one, table, schema)],
        ),
        (
            lambda op: op.drop_constraint(one, table, type_="foreignkey", **key),
            [Effect("constraint", False, one, table, schema)],
        ),
        (
            lambda op: op.rename_table(table, other, **key),
            [
                Effect("table", False, table, schema=schema),
                Effect("table", True, other, schema=schema),
            ],
        ),
    ]

    for write, seen in expected:
        (found,) = compiled(dialect, write)
        assert found is not None, seen
        assert list(found.seen) == seen


@pytest.mark.parametrize("dialect", ["mysql", "postgresql"])
@given(table=names, one=names, other=names)
def test_altered_columns(dialect: str, table: str, one: str, other: str) -> None:
    """A column that is altered may be altered again; one that is renamed is seen."""
    for options in ({"nullable": False}, {"server_default": "x"}, {"type_": sa.Text()}):
        effects = compiled(
            dialect,
            lambda op, options=options: op.alter_column(  # type: ignore[misc]
                table, one, existing_type=sa.String(9), **options
            ),
        )
        assert all(found is not None and found.can_repeat for found in effects)
        assert not any(found.seen for found in effects if found is not None)

    if one.lower() != other.lower():
        (found,) = compiled(
            dialect,
            lambda op: op.alter_column(
                table, one, existing_type=sa.String(9), new_column_name=other
            ),
        )
        assert found is not None
        assert found.seen == (
            Effect("column", False, one, table),
            Effect("column", True, other, table),
        )


@given(st.text())
def test_any_text(text: str) -> None:
    """No text is too much for it."""
    read_effects(text, folds_names=True)
    read_effects(f"ALTER TABLE a {text}", folds_names=False)
    index_of(f"CREATE INDEX {text}", folds_names=False)
