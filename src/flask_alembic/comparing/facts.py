"""What a reader tells of the tables of a database, in plain data."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

if t.TYPE_CHECKING:
    from sqlalchemy import Inspector

TableKey = tuple[str | None, str]
"""Schema and name; the schema is ``None`` for the default one."""

Names = dict[str | None, list[str]]
"""The names of tables by schema."""

Reflected = t.Mapping[str, t.Any]
"""An index or a constraint in the words of SQLAlchemy's inspector."""


@dataclass(frozen=True, slots=True)
class TableFacts:
    """What a database has of one table."""

    columns: dict[str, t.Hashable]
    """Name to all that its reflection depends on, but for the name. It is ``None`` for
    a column of which that can't be told.
    """

    indexes: t.Sequence[Reflected] = ()
    unique_constraints: t.Sequence[Reflected] = ()
    foreign_keys: t.Sequence[Reflected] = ()
    comment: str | None = None


class Reader(t.Protocol):
    """Reads many tables at once."""

    def read(
        self, schema: str | None, names: t.Sequence[str], *, all_of_them: bool
    ) -> dict[str, TableFacts]:
        """Read tables.

        :param schema: Their schema; ``None`` for the default one.
        :param names: Their names.
        :param all_of_them: Whether the schema has no other tables.
        :return: Name to what was found; less than asked for if tables were dropped.
        """

    def inspector(self, names: Names) -> Inspector:
        """What Alembic is to reflect tables with: it answers from what was read.

        :param names: The tables that it is to see. They were read.
        :return: An inspector of SQLAlchemy's.
        """

    def default(self, key: TableKey, column: str) -> str | None:
        """The server default of a column, where asking the server about many of them at
        once is worth it.

        :param key: The table.
        :param column: The name of the column.
        :return: SQL, or ``None``.
        """
