"""Which tables need no comparison, because Alembic found the same of their like.

What Alembic says of a column depends on what the database and the models say of it, but
for its name. So each pair of two such descriptions is compared once, by Alembic; where
it found no difference, all other columns with that pair have none.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

import sqlalchemy as sa
from alembic.operations.ops import AlterColumnOp
from alembic.operations.ops import ModifyTableOps
from alembic.operations.ops import UpgradeOps

from .constraints import same_constraints
from .facts import TableFacts
from .facts import TableKey
from .freezing import Kinds
from .models import frozen_column

Pairs = dict[str, t.Hashable]
"""Names of columns, to what the database and the models say of them."""


@dataclass(frozen=True, slots=True)
class Sorted:
    """Tables that are in the database and in the models."""

    first: frozenset[TableKey]
    """What Alembic has to compare."""

    waiting: frozenset[TableKey]
    """What is in sync, if those of the first that have the same columns are."""


class Sieve:
    """Sorts the tables of one comparison.

    :param dialect: The dialect of the database.
    """

    def __init__(self, dialect: sa.Dialect) -> None:
        self._dialect = dialect
        self._pairs: dict[TableKey, Pairs] = {}
        self._kinds = Kinds()

    def sort(self, tables: t.Mapping[TableKey, tuple[TableFacts, sa.Table]]) -> Sorted:
        """Find out which tables to compare first.

        :param tables: The tables that are in the database, in the models too, and of
            which the user leaves nothing out.
        :return: All of them, sorted.
        """
        self._pairs = {
            key: self._pairs_of(facts, table) for key, (facts, table) in tables.items()
        }
        able = {
            key for key in sorted(tables, key=str) if self._is_able(*tables[key], key)
        }
        first = set(tables) - able
        seen = {pair for key in first for pair in self._pairs[key].values()}

        for key in sorted(able, key=str):
            if not seen.issuperset(self._pairs[key].values()):
                first.add(key)
                seen.update(self._pairs[key].values())

        return Sorted(frozenset(first), frozenset(tables.keys() - first))

    def unproven(self, found: UpgradeOps, tables: Sorted) -> frozenset[TableKey]:
        """Which of the waiting tables have to be compared after all.

        :param found: What Alembic found in the first ones.
        :param tables: What :meth:`sort` returned.
        :return: The tables.
        """
        changed = _changed_columns(found)
        proven = {
            pair
            for key in tables.first
            for name, pair in self._pairs[key].items()
            if (*key, name) not in changed
        }
        return frozenset(
            key
            for key in tables.waiting
            if not proven.issuperset(self._pairs[key].values())
        )

    def _pairs_of(self, facts: TableFacts, table: sa.Table) -> Pairs:
        """The pairs of the columns that are in both, where they can be told."""
        pairs = {}

        for column in table.columns:
            name = str(column.name)
            found = facts.columns.get(name)

            if found is None or column.system:
                continue

            wanted = self._kinds.one(frozen_column(column, self._dialect))

            if wanted is not None:
                is_counted = column is table.autoincrement_column
                pairs[name] = self._kinds.one((found, wanted, is_counted))

        return pairs

    def _is_able(self, facts: TableFacts, table: sa.Table, key: TableKey) -> bool:
        """Whether a table is in sync if its columns are."""
        names = {str(column.name) for column in table.columns}
        return (
            names == facts.columns.keys() == self._pairs[key].keys()
            and len(names) == len(table.columns)
            and same_constraints(facts, table, self._dialect)
        )


def _changed_columns(found: UpgradeOps) -> set[tuple[str | None, str, str]]:
    return {
        (change.schema, change.table_name, change.column_name)
        for operations in found.ops
        if isinstance(operations, ModifyTableOps)
        for change in operations.ops
        if isinstance(change, AlterColumnOp)
    }
