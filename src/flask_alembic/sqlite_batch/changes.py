"""The operations of batch mode, done to the text of a ``CREATE TABLE``. The methods are
called like Alembic's operations, and take what those take.
"""

from __future__ import annotations

import typing as t
from dataclasses import replace

import sqlalchemy as sa

from ..alembic_batch import is_type_bound
from ..errors import FlaskAlembicError
from ..sql_words import quoted
from ..sqlite_ddl.clauses import affinity
from ..sqlite_ddl.clauses import Clause
from ..sqlite_ddl.clauses import ColumnText
from ..sqlite_ddl.clauses import GENERATED
from ..sqlite_ddl.clauses import is_same
from ..sqlite_ddl.clauses import NOT_NULL
from ..sqlite_ddl.clauses import PRIMARY_KEY
from ..sqlite_ddl.reading import read_constraints
from ..sqlite_ddl.tables import TableText
from ..sqlite_ddl.tokens import folded
from .rendering import render_column
from .rendering import render_constraint
from .rendering import render_default

if t.TYPE_CHECKING:
    from sqlalchemy.types import TypeEngine

    from ..alembic_batch import Step

# SQLite would make a number of them: the year of a date, or 0. It stores texts.
_NEVER_CAST: t.Final = ("DATE", "TIME", "JSON")


class Changes:
    """Changes a table, operation by operation.

    :param name: The name of the table.
    :param table: What makes it, which is changed.
    :param dialect: What writes SQL.
    :param renames: Columns that are renamed afterwards: old names to new ones.
    :param indexes: The names of its indexes.
    """

    def __init__(
        self,
        name: str,
        table: TableText,
        dialect: sa.Dialect,
        renames: t.Mapping[str, str],
        indexes: t.Iterable[str] = (),
    ) -> None:
        self.name: str = name
        self.table: TableText = table
        self.copied: dict[str, str] = {
            column.name: quoted(column.name)
            for column in table.columns
            if not column.has(GENERATED)
        }
        self._dialect = dialect
        self._indexes = {folded(name) for name in indexes}
        self._old_names = {new: old for old, new in renames.items()}
        self._half_dropped: list[tuple[Clause, str]] = []

    def apply(self, steps: t.Iterable[Step]) -> None:
        """Do operations.

        :param steps: The operations.
        :raises FlaskAlembicError: If the table would not fit together.
        """
        for name, args, kwargs in steps:
            getattr(self, name)(*args, **kwargs)

        for clause, column in self._half_dropped:
            if clause in self.table.clauses(clause.kind):
                raise FlaskAlembicError(
                    f"The column '{column}' of '{self.name}' is dropped, but used in:"
                    f" {clause.text}",
                    hint="In the same batch, drop that before: the constraint by"
                    " batch_op.drop_constraint(), or the column that is computed. If"
                    " the constraint has no name, describe the table by copy_from.",
                )

    def alter_column(
        self,
        table_name: str,
        column_name: str,
        *,
        nullable: bool | None = None,
        server_default: t.Any = False,
        type_: TypeEngine[t.Any] | None = None,
        **_: t.Any,
    ) -> None:
        """Change a column. Comments are not for SQLite."""
        column = self._column(column_name)

        if type_ is not None:
            column = self._with_type(column, type_)

        if nullable is not None:
            is_kept = column.has(NOT_NULL) and not nullable
            is_new = not is_kept and not nullable
            new = [Clause(NOT_NULL, None, NOT_NULL)] if is_new else []
            column = column.changed("NULL", *([] if is_kept else [NOT_NULL]), to=new)

        if server_default is not False:
            new = [
                clause
                for clause in render_default(server_default, self._dialect)
                if clause.kind in {"DEFAULT", GENERATED}
            ]
            column = column.changed("DEFAULT", GENERATED, to=new)

        self.table.columns = [
            column if c.name == column.name else c for c in self.table.columns
        ]

        if column.has(GENERATED):
            self.copied.pop(column.name, None)
        else:
            self.copied.setdefault(column.name, quoted(column.name))

    def add_column(
        self,
        table_name: str,
        column: sa.Column[t.Any],
        *,
        insert_before: str | None = None,
        insert_after: str | None = None,
        if_not_exists: bool | None = None,
        inline_references: bool | None = None,
        **_: t.Any,
    ) -> None:
        """Add a column."""
        names = [folded(name) for name in self.table.names]

        if folded(column.name) in names:
            if if_not_exists:
                return

            raise FlaskAlembicError(
                f"The table '{self.name}' has a column '{column.name}' already."
            )

        at = len(names)

        if insert_after is not None:
            at = names.index(folded(self._column(insert_after).name)) + 1
        elif insert_before is not None:
            at = names.index(folded(self._column(insert_before).name))

        self.table.columns.insert(at, render_column(column, self._dialect))

        if column.primary_key and not self.table.clauses(PRIMARY_KEY):
            key = f"{PRIMARY_KEY} ({quoted(column.name)})"
            self.table.constraints += read_constraints(key)

        if inline_references:
            for foreign_key in column.foreign_keys:
                if foreign_key.constraint is not None:
                    self._add(foreign_key.constraint)

    def drop_column(
        self, table_name: str, column: sa.Column[t.Any], **kwargs: t.Any
    ) -> None:
        """Drop a column, with the constraints that are of it alone."""
        if kwargs.get("if_exists") and not self._find(column.name):
            return

        name = self._column(column.name).name
        self._half_dropped += [(c, name) for c in self.table.drop_column(name)]
        self.copied.pop(name, None)

    def add_constraint(self, constraint: sa.Constraint, **_: t.Any) -> None:
        """Add a constraint."""
        if constraint.name is None and not is_type_bound(constraint):
            raise ValueError("Constraint must have a name")

        self._add(constraint)

    def drop_constraint(
        self, constraint: sa.Constraint, *, if_exists: bool | None = None, **_: t.Any
    ) -> None:
        """Drop a constraint."""
        if not constraint.name:
            raise ValueError("Constraint must have a name")

        found = self._called(constraint.name)

        if not found and is_type_bound(constraint):
            rendered = render_constraint(constraint, self._dialect)
            found = [
                clause
                for clause in self.table.clauses("CHECK")
                if any(is_same(clause, other) for other in rendered)
            ]
        elif not found and not if_exists:
            raise ValueError(f"No such constraint: '{constraint.name}'")

        for clause in found:
            self.table.replace(clause)

    def create_index(self, index: sa.Index, **_: t.Any) -> None:
        """Index names as they are before columns are renamed."""
        self._to_old_names(index.table)

    def drop_index(
        self, index: sa.Index, *, if_exists: bool | None = None, **_: t.Any
    ) -> None:
        """Only look for it: it goes with the old table."""
        if folded(str(index.name)) not in self._indexes and not if_exists:
            raise ValueError(f"No such index: '{index.name}'")

    def create_table_comment(self, table: sa.Table) -> None:
        """Do nothing: SQLite has no comments."""

    def drop_table_comment(self, table: sa.Table) -> None:
        """Do nothing: SQLite has no comments."""

    def create_column_comment(self, column: sa.Column[t.Any]) -> None:
        """Do nothing: SQLite has no comments."""

    def rename_table(self, *args: t.Any, **kwargs: t.Any) -> None:
        """Refuse, as Alembic does."""
        raise NotImplementedError("A table can't be renamed in batch mode.")

    def _find(self, name: str) -> ColumnText | None:
        by_name = {folded(column.name): column for column in self.table.columns}
        old = self._old_names.get(name, name)
        return by_name.get(folded(name)) or by_name.get(folded(old))

    def _column(self, name: str) -> ColumnText:
        if column := self._find(name):
            return column

        raise FlaskAlembicError(
            f"The table '{self.name}' has no column '{name}'.",
            hint=f"It has: {', '.join(self.table.names)}.",
        )

    def _called(self, name: t.Any) -> list[Clause]:
        if not isinstance(name, str):  # SQLAlchemy's sign for no name
            return []

        return [c for c in self.table.clauses() if c.is_called(name)]

    def _with_type(self, column: ColumnText, type_: TypeEngine[t.Any]) -> ColumnText:
        new = render_column(sa.Column("x", type_), self._dialect)
        collation = [clause for clause in new.clauses if clause.kind == "COLLATE"]

        if affinity(column.type) != affinity(new.type) and not any(
            word in new.type.upper() for word in _NEVER_CAST
        ):
            value = f"CAST({quoted(column.name)} AS {new.type})"
            self.copied[column.name] = value

        if collation:
            column = column.changed("COLLATE", to=collation)

        return replace(column, type=new.type)

    def _add(self, constraint: sa.Constraint) -> None:
        self._to_old_names(constraint.table)

        for new in render_constraint(constraint, self._dialect):
            self.table.add(new)

    def _to_old_names(self, table: sa.Table | None) -> None:
        """Columns are renamed later, with all that refers to them."""
        for column in table.columns if table is not None else ():
            if found := self._find(column.name):
                column.name = found.name
