"""What a round migrates: a chain of revisions, and the schema that it must lead to.
Nothing is run here.
"""

from __future__ import annotations

import copy
import typing as t
from dataclasses import dataclass
from dataclasses import field
from random import Random

BROKEN: t.Final = "op.execute('SELECT broken FROM nowhere')"
PARENTS: t.Final = 4
CHILDREN: t.Final = 6


@dataclass
class Schema:
    """Columns, indexes and unique constraints, and numbers of rows, by table."""

    columns: dict[str, set[str]] = field(default_factory=dict)
    named: dict[str, set[str]] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)

    def add_table(self, table: str, columns: t.Iterable[str], rows: int = 0) -> None:
        """Expect one more table."""
        self.columns[table] = set(columns)
        self.named[table] = set()
        self.rows[table] = rows


@dataclass(frozen=True)
class Operation:
    """Lines of a revision, and what they do to a schema."""

    code: str
    effect: t.Callable[[Schema], object] = lambda schema: None


@dataclass(frozen=True)
class Revision:
    """One revision of the chain."""

    number: int
    operations: tuple[Operation, ...]

    @property
    def id(self) -> str:
        """Its id."""
        return _id(self.number)

    @property
    def down_revision(self) -> str | None:
        """The id before it."""
        return _id(self.number - 1) if self.number else None

    @property
    def codes(self) -> list[str]:
        """The lines of each operation."""
        return [operation.code for operation in self.operations]


@dataclass(frozen=True)
class Plan:
    """The whole chain."""

    revisions: tuple[Revision, ...]

    @property
    def head(self) -> str:
        """The last id."""
        return self.revisions[-1].id

    @property
    def ids(self) -> list[str]:
        """All ids, in order."""
        return [revision.id for revision in self.revisions]

    @property
    def expected(self) -> Schema:
        """The schema after one clean run of each revision."""
        schema = prepared_schema(self)

        for revision in self.revisions:
            for operation in revision.operations:
                operation.effect(schema)

        return copy.deepcopy(schema)


def prepared_schema(plan: Plan) -> Schema:
    """The schema before the first revision: the rows are there already."""
    schema = Schema()
    schema.add_table("tally", ["revision", "runs"], len(plan.revisions))
    schema.add_table("note", ["text"])
    schema.add_table("parent", ["id", "name"], PARENTS)
    schema.add_table("child", ["id", "parent_id"], CHILDREN)
    return schema


def make_plan(random: Random, database: str) -> Plan:
    """A chain of 3 to 6 revisions.

    :param random: Decides everything.
    :param database: The name of the kind of database.
    """
    numbers = range(random.randint(3, 6))
    return Plan(tuple(_revision(random, number, database) for number in numbers))


def _revision(random: Random, number: int, database: str) -> Revision:
    if database == "postgresql" and number and random.random() < 0.25:
        # What ran in such a block stays, so it comes first and may be repeated.
        return Revision(number, (_concurrent_index(number), _tally(number)))

    others = [_add_row, _index, _unique, _column, _parent_column, _rebuild, _note]
    chosen = random.sample(others, random.randint(1, 3))
    operations = [_table(number), *(make(number) for make in chosen)]
    # Anywhere: before, between and after the DDL.
    operations.insert(random.randint(0, len(operations)), _tally(number))
    return Revision(number, tuple(operations))


def _id(number: int) -> str:
    return f"r{number}"


def _tally(number: int) -> Operation:
    """It tells whether a revision was run once, twice or never."""
    where = f"WHERE revision = '{_id(number)}'"
    return Operation(f'op.execute("UPDATE tally SET runs = runs + 1 {where}")')


def _note(number: int) -> Operation:
    def effect(schema: Schema) -> None:
        schema.rows["note"] += 1

    insert = f"INSERT INTO note (text) VALUES ('{_id(number)}')"
    return Operation(f'op.execute("{insert}")', effect)


def _table(number: int) -> Operation:
    name = f"t{number}"
    code = (
        f"op.create_table('{name}', sa.Column('id', sa.Integer(), primary_key=True),"
        " sa.Column('name', sa.String(40)))"
    )
    return Operation(code, lambda schema: schema.add_table(name, ["id", "name"]))


def _add_row(number: int) -> Operation:
    def effect(schema: Schema) -> None:
        schema.rows[f"t{number}"] += 2

    table = f"sa.table('t{number}', sa.column('id'), sa.column('name'))"
    rows = "[{'id': 1, 'name': 'a'}, {'id': 2, 'name': 'b'}]"
    return Operation(f"op.bulk_insert({table}, {rows})", effect)


def _index(number: int) -> Operation:
    name, table = f"ix_t{number}", f"t{number}"
    code = f"op.create_index('{name}', '{table}', ['name'])"
    return Operation(code, lambda schema: schema.named[table].add(name))


def _unique(number: int) -> Operation:
    name, table = f"uq_t{number}", f"t{number}"
    code = (
        f"with op.batch_alter_table('{table}') as batch_op:\n"
        f"    batch_op.create_unique_constraint('{name}', ['name'])"
    )
    return Operation(code, lambda schema: schema.named[table].add(name))


def _column(number: int) -> Operation:
    table = f"t{number}"
    code = f"op.add_column('{table}', sa.Column('more', sa.Integer()))"
    return Operation(code, lambda schema: schema.columns[table].add("more"))


def _parent_column(number: int) -> Operation:
    name = f"c{number}"
    column = f"sa.Column('{name}', sa.Integer(), server_default='0', nullable=False)"
    code = f"op.add_column('parent', {column})"
    return Operation(code, lambda schema: schema.columns["parent"].add(name))


def _rebuild(number: int) -> Operation:
    """On SQLite batch mode makes the table anew, and rows of another refer to it."""
    code = (
        "with op.batch_alter_table('parent') as batch_op:\n"
        "    batch_op.alter_column('name', existing_type=sa.String(40),"
        f" type_=sa.String({50 + number}))"
    )
    return Operation(code)


def _concurrent_index(number: int) -> Operation:
    name = f"ix_parent_{number}"
    code = (
        "with op.get_context().autocommit_block():\n"
        f"    op.execute('DROP INDEX CONCURRENTLY IF EXISTS {name}')\n"
        f"    op.execute('CREATE INDEX CONCURRENTLY {name} ON parent (name)')"
    )
    return Operation(code, lambda schema: schema.named["parent"].add(name))
