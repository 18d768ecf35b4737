"""SQLAlchemy's columns and constraints become pieces of a ``CREATE TABLE``."""

from __future__ import annotations

import typing as t

import sqlalchemy as sa
from sqlalchemy.schema import CreateColumn

from ..sqlite_ddl.clauses import Clause
from ..sqlite_ddl.clauses import columns_of
from ..sqlite_ddl.clauses import ColumnText
from ..sqlite_ddl.clauses import FOREIGN_KEY
from ..sqlite_ddl.clauses import is_same
from ..sqlite_ddl.clauses import named
from ..sqlite_ddl.clauses import PRIMARY_KEY
from ..sqlite_ddl.clauses import referred_columns
from ..sqlite_ddl.reading import read_column
from ..sqlite_ddl.reading import read_constraints
from ..sqlite_ddl.tables import TableText


def render_column(column: sa.Column[t.Any], dialect: sa.Dialect) -> ColumnText:
    """Write a column.

    :param column: The column.
    :param dialect: What writes SQL.
    :return: The column.
    """
    if t.cast(t.Any, column).table is None:
        sa.Table("of_a_column", sa.MetaData(), column)

    return read_column(str(CreateColumn(column).compile(dialect=dialect)))


def render_default(default: t.Any, dialect: sa.Dialect) -> tuple[Clause, ...]:
    """Write the server default of a column.

    :param default: What ``server_default`` takes.
    :param dialect: What writes SQL.
    :return: What is said of the column; nothing for ``None``.
    """
    if isinstance(default, (sa.Computed, sa.Identity)):
        column = sa.Column("x", sa.Integer(), default)
    else:
        column = sa.Column("x", sa.Integer(), server_default=default)

    return render_column(column, dialect).clauses


def render_constraint(constraint: sa.Constraint, dialect: sa.Dialect) -> list[Clause]:
    """Write a constraint.

    :param constraint: A constraint of some table.
    :param dialect: What writes SQL.
    :return: The constraint, or nothing if SQLite has no such thing.
    """
    compiler: t.Any = dialect.ddl_compiler
    text = compiler(dialect, None).process(constraint)
    return read_constraints(text) if text else []


def add_arguments(
    table: TableText,
    name: str,
    arguments: t.Iterable[sa.Constraint],
    dialect: sa.Dialect,
) -> None:
    """Add constraints that are of no table yet, and that are not there already.

    :param table: The table, which is changed.
    :param name: Its name.
    :param arguments: The constraints.
    :param dialect: What writes SQL.
    """
    columns = [sa.Column(column, sa.Integer()) for column in table.names]
    made = sa.Table(name, sa.MetaData(), *columns, *arguments)

    for constraint in made.constraints:
        if isinstance(constraint, sa.PrimaryKeyConstraint) and not constraint.columns:
            continue

        for clause in render_constraint(constraint, dialect):
            if not any(is_same(clause, other) for other in table.clauses()):
                table.add(clause)


def add_options(table: TableText, options: t.Mapping[str, t.Any]) -> None:
    """Add options.

    :param table: The table, which is changed.
    :param options: What SQLAlchemy takes as keywords of a table. Those of other
        databases are left out.
    """
    if options.get("sqlite_autoincrement"):
        table.add_autoincrement()

    if options.get("sqlite_with_rowid") is False:
        table.add_option("WITHOUT ROWID")

    if options.get("sqlite_strict"):
        table.add_option("STRICT")


def give_names(table: TableText, name: str, convention: t.Any) -> None:
    """Give names to constraints that have none.

    :param table: The table, which is changed.
    :param name: Its name.
    :param convention: What SQLAlchemy takes as ``naming_convention``.
    """
    for column in table.columns:
        for clause in column.clauses:
            _give_name(table, name, convention, clause, [column.name])

    for clause in table.constraints:
        _give_name(table, name, convention, clause, columns_of(clause))


def _give_name(
    table: TableText, name: str, convention: t.Any, clause: Clause, columns: list[str]
) -> None:
    constraint = _constraint(clause, columns) if clause.name is None else None

    if constraint is not None:
        of_table = [sa.Column(column, sa.Integer()) for column in table.names]
        metadata = sa.MetaData(naming_convention=convention)
        sa.Table(name, metadata, *of_table, constraint)

        if constraint.name:
            table.replace(clause, named(clause, str(constraint.name)))


def _constraint(clause: Clause, columns: list[str]) -> sa.Constraint | None:
    if clause.kind == PRIMARY_KEY:
        return sa.PrimaryKeyConstraint(*columns)

    if clause.kind == "UNIQUE":
        return sa.UniqueConstraint(*columns)

    if clause.kind == FOREIGN_KEY:
        # Where no columns are named it is the primary key.
        referred = referred_columns(clause) or ["id"] * len(columns)
        targets = [f"{clause.target}.{column}" for column in referred]
        return sa.ForeignKeyConstraint(columns, targets)

    return None
