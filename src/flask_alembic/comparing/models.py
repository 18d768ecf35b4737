"""The tables of the models, as they are compared."""

from __future__ import annotations

import typing as t

import sqlalchemy as sa

from .facts import TableKey
from .freezing import frozen_default
from .freezing import frozen_state

if t.TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext


class Models:
    """The models of one database.

    :param context: The context of the database.
    """

    def __init__(self, context: MigrationContext) -> None:
        target = context.opts["target_metadata"]
        self.metadatas: list[sa.MetaData] = (
            [target] if isinstance(target, sa.MetaData) else list(target)
        )
        self.default_schema: str | None = context.dialect.default_schema_name
        self._all = [
            table for metadata in self.metadatas for table in metadata.tables.values()
        ]
        self.tables: dict[TableKey, sa.Table] = {
            self._key(table): table for table in self._all
        }

    @property
    def are_unique(self) -> bool:
        """Whether no two tables have one name."""
        return len(self.tables) == len(self._all)

    def part(self, keys: t.Collection[TableKey], *, sort: bool) -> sa.MetaData:
        """Some of the tables, for Alembic to compare.

        :param keys: Which ones.
        :param sort: Whether their order matters, as where tables are to be created.
        :return: What Alembic takes as metadata.
        """
        tables = {table.key: table for key, table in self.tables.items() if key in keys}
        return _Part(tables, self.metadatas if sort else ())

    def _key(self, table: sa.Table) -> TableKey:
        schema = None if table.schema == self.default_schema else table.schema
        return schema, table.name


class _Part(sa.MetaData):
    """Tables that belong to other metadata, in the order of those if they are given."""

    def __init__(
        self, tables: dict[str, sa.Table], metadatas: t.Sequence[sa.MetaData]
    ) -> None:
        super().__init__()
        self.tables = t.cast(t.Any, tables)
        self._metadatas = metadatas

    @property
    def sorted_tables(self) -> list[sa.Table]:
        """The tables; if there is an order, those first that others refer to."""
        if not self._metadatas:
            return list(self.tables.values())

        # Sorting a part alone might give another order.
        return [
            table
            for metadata in self._metadatas
            for table in metadata.sorted_tables
            if self.tables.get(table.key) is table
        ]


def frozen_column(column: sa.Column[t.Any], dialect: sa.Dialect) -> t.Hashable:
    """Make a value of all that a column is compared by, but for its name.

    :param column: A column of the models.
    :param dialect: The dialect that it is compared on.
    :return: A value; ``None`` if that can't be told of this column.
    """
    try:
        key = (
            frozen_state(column.type),
            frozen_default(column.server_default, dialect),
            column.nullable,
            column.primary_key,
            column.autoincrement,
            column.comment,
        )
        hash(key)
    except TypeError:
        return None

    return key
