"""The text of a ``CREATE TABLE`` in pieces that can be taken out, changed and put back.
All that is left alone stays as it is, to the letter.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace
from graphlib import TopologicalSorter
from itertools import pairwise

from .clauses import Clause
from .clauses import columns_of
from .clauses import ColumnText
from .clauses import GENERATED
from .clauses import is_same
from .clauses import parts
from .clauses import PRIMARY_KEY
from .clauses import with_group
from .tokens import folded
from .tokens import grouped_tokens
from .tokens import mentioned


@dataclass
class TableText:
    """The definition of a table.

    :param columns: Its columns.
    :param constraints: What stands after them.
    :param options: What stands behind the parenthesis, such as ``STRICT``.
    """

    columns: list[ColumnText]
    constraints: list[Clause] = field(default_factory=list)
    options: list[str] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        """The names of the columns."""
        return [column.name for column in self.columns]

    def has_option(self, option: str) -> bool:
        """Whether it has an option.

        :param option: In capitals, with single spaces.
        :return: ``True`` if it has.
        """
        return any(" ".join(own.upper().split()) == option for own in self.options)

    @property
    def rowid_column(self) -> str | None:
        """The column that is another name for the number of the row, as described in
        https://www.sqlite.org/lang_createtable.html#rowid.
        """
        for column in self.columns:
            if column.type.upper() != "INTEGER":
                continue

            for clause in self.clauses(PRIMARY_KEY):
                if clause in column.clauses or columns_of(clause) == [column.name]:
                    return column.name

        return None

    @property
    def is_autoincrement(self) -> bool:
        """Whether a number is never given twice, as ``AUTOINCREMENT`` promises."""
        return any(
            token.is_word("AUTOINCREMENT")
            for clause in self.clauses(PRIMARY_KEY)
            for token in [*grouped_tokens(clause.text), *grouped_tokens(clause.group)]
        )

    def clauses(self, *kinds: str) -> list[Clause]:
        """The constraints, wherever they stand.

        :param kinds: Which ones; none for all.
        :return: Those at the columns, and those after them.
        """
        of_columns = [clause for column in self.columns for clause in column.clauses]
        found = [*of_columns, *self.constraints]
        return [clause for clause in found if not kinds or clause.kind in kinds]

    def replace(self, old: Clause, *new: Clause) -> None:
        """Put constraints in the place of one.

        :param old: The constraint.
        :param new: What takes its place.
        """
        self.constraints = _replaced(self.constraints, old, new)
        self.columns = [
            replace(column, clauses=tuple(_replaced(column.clauses, old, new)))
            for column in self.columns
        ]

    def add(self, new: Clause) -> None:
        """Add a constraint, in the place of one with its name. There is one primary
        key.

        :param new: The constraint.
        """
        for old in self.clauses():
            is_key = old.kind == new.kind == PRIMARY_KEY

            if is_key or (new.name is not None and old.is_called(new.name)):
                self.replace(old)

        self.constraints.append(new)

    def add_autoincrement(self) -> None:
        """Let a number never be given twice."""
        if self.rowid_column is None or self.is_autoincrement:
            return

        for clause in self.clauses(PRIMARY_KEY):
            word = " AUTOINCREMENT"
            text = clause.text + word

            if clause.group:
                text = with_group(clause, clause.group + word).text

            self.replace(clause, replace(clause, text=text))

    def add_option(self, option: str) -> None:
        """Add an option.

        :param option: In capitals, with single spaces.
        """
        if not self.has_option(option):
            self.options.append(option)

    def take_over(self, other: TableText) -> TableText:
        """Add what another one has that reflection does not see.

        :param other: The other one.
        :return: This one.
        """
        for clause in other.clauses("CHECK"):
            if not any(is_same(clause, own) for own in self.clauses("CHECK")):
                self.add(clause)

        collations = {
            column.name: [c for c in column.clauses if c.kind == "COLLATE"]
            for column in other.columns
            if not column.has(GENERATED)
        }
        self.columns = [
            column
            if column.has("COLLATE")
            else column.changed(to=collations.get(column.name, []))
            for column in self.columns
        ]

        if other.is_autoincrement:
            self.add_autoincrement()

        for option in other.options:
            self.add_option(" ".join(option.upper().split()))

        return self

    def order(self, groups: t.Iterable[t.Sequence[str]]) -> None:
        """Order the columns.

        :param groups: Names of columns that shall follow each other in this order.
        """
        before = {folded(name): set[str]() for name in self.names}

        for group in groups:
            for one, other in pairwise(group):
                before[folded(other)].add(folded(one))

        by_name = {folded(column.name): column for column in self.columns}
        names = TopologicalSorter(before).static_order()
        self.columns = [by_name[name] for name in names]

    def drop_column(self, name: str) -> list[Clause]:
        """Take a column out, and the constraints that can't be without it.

        :param name: Its name.
        :return: What uses it all the same: ``CHECK`` constraints of several columns,
            and columns that are computed. They are still there.
        """
        before = self.names
        self.columns = [column for column in self.columns if column.name != name]
        left = []

        for clause in self.clauses():
            used = mentioned(clause.group, before)

            if name not in used:
                continue

            if clause.kind == GENERATED or (clause.kind == "CHECK" and used != {name}):
                left.append(clause)
            elif clause.kind == PRIMARY_KEY and used != {name}:
                self.replace(clause, _without_column(clause, name))
            else:
                self.replace(clause)

        return left

    def create(self, target: str) -> str:
        """The statement that makes the table.

        :param target: Its name, quoted.
        :return: The statement.
        """
        lines = [column.text for column in self.columns]
        lines += [constraint.text for constraint in self.constraints]
        body = ",\n\t".join(lines)
        return f"CREATE TABLE {target} (\n\t{body}\n) {', '.join(self.options)}".strip()


def _replaced(
    clauses: t.Iterable[Clause], old: Clause, new: t.Iterable[Clause]
) -> list[Clause]:
    return [item for clause in clauses for item in (new if clause is old else [clause])]


def _without_column(clause: Clause, name: str) -> Clause:
    left = [p for p in parts(clause.group) if name not in mentioned(p, [name])]
    return with_group(clause, ", ".join(left))
