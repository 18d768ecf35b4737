"""What is said of a table and of its columns in a ``CREATE TABLE``, each as a text."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from dataclasses import replace

from ..sql_words import quoted
from .tokens import folded
from .tokens import grouped_tokens
from .tokens import Token
from .tokens import tokens
from .tokens import unquoted

PRIMARY_KEY: t.Final = "PRIMARY KEY"
FOREIGN_KEY: t.Final = "FOREIGN KEY"
NOT_NULL: t.Final = "NOT NULL"
GENERATED: t.Final = "GENERATED"

# The first that fits counts.
_AFFINITIES: t.Final = (
    (("INT",), "INTEGER"),
    (("CHAR", "CLOB", "TEXT"), "TEXT"),
    (("BLOB",), "BLOB"),
    (("REAL", "FLOA", "DOUB"), "REAL"),
)


@dataclass(frozen=True, slots=True)
class Clause:
    """A constraint, or what else is said of a column.

    :param kind: Its keywords, such as ``CHECK`` or ``DEFAULT``.
    :param name: The name after ``CONSTRAINT``.
    :param text: All of it.
    :param group: What stands in its first parentheses.
    :param target: The table that a foreign key refers to.
    """

    kind: str
    name: str | None
    text: str
    group: str = ""
    target: str = ""

    def is_called(self, name: str) -> bool:
        """Whether it has a name.

        :param name: The name, in any case.
        :return: ``True`` if it has.
        """
        return self.name is not None and folded(self.name) == folded(name)


@dataclass(frozen=True, slots=True)
class ColumnText:
    """The definition of a column.

    :param name: Its name.
    :param head: The name as it stands there.
    :param type: The type, which may be empty.
    :param clauses: What follows.
    """

    name: str
    head: str
    type: str
    clauses: tuple[Clause, ...]

    @property
    def text(self) -> str:
        """The definition."""
        parts = [self.head, self.type, *(clause.text for clause in self.clauses)]
        return " ".join(part for part in parts if part)

    def has(self, kind: str) -> bool:
        """Whether there is a clause of a kind.

        :param kind: The kind.
        :return: ``True`` if there is.
        """
        return any(clause.kind == kind for clause in self.clauses)

    def changed(self, *kinds: str, to: t.Iterable[Clause] = ()) -> ColumnText:
        """The column with other clauses.

        :param kinds: The kinds to take out.
        :param to: The clauses to add.
        :return: The column.
        """
        kept = [clause for clause in self.clauses if clause.kind not in kinds]
        return replace(self, clauses=(*kept, *to))


def items(found: t.Iterable[Token]) -> list[list[Token]]:
    """Split a list at its commas.

    :param found: Tokens with groups.
    :return: The tokens of each item.
    """
    result: list[list[Token]] = [[]]

    for token in found:
        if token.text == ",":
            result.append([])
        else:
            result[-1].append(token)

    return [item for item in result if item]


def parts(text: str) -> list[str]:
    """Split a list at its commas.

    :param text: The list.
    :return: The text of each item.
    """
    return [text[i[0].start : i[-1].end] for i in items(grouped_tokens(text))]


def columns_of(clause: Clause) -> list[str]:
    """The columns that a constraint of a table lists.

    :param clause: The constraint.
    :return: Their names; none for a constraint at a column.
    """
    return columns_in(clause.group)


def with_group(clause: Clause, group: str) -> Clause:
    """Put something else into the parentheses.

    :param clause: A constraint of a table.
    :param group: What stands in them.
    :return: The constraint.
    """
    before, _, after = clause.text.rpartition(f"({clause.group})")
    return replace(clause, text=f"{before}({group}){after}", group=group)


def columns_in(text: str) -> list[str]:
    """The columns in a list.

    :param text: The list.
    :return: Their names.
    """
    return [unquoted(grouped_tokens(part)[0].text) for part in parts(text)]


def referred_columns(clause: Clause) -> list[str]:
    """The columns that a foreign key refers to.

    :param clause: The foreign key.
    :return: Their names; none where the primary key is meant.
    """
    found = grouped_tokens(clause.text)
    at = next(i for i, token in enumerate(found) if token.is_word("REFERENCES"))
    group = found[at + 2 : at + 3]

    if not group or group[0].kind != "group":
        return []

    return columns_in(group[0].inner)


def named(clause: Clause, name: str) -> Clause:
    """Give a constraint a name.

    :param clause: A constraint that has none.
    :param name: The name.
    :return: The constraint.
    """
    return replace(clause, name=name, text=f"CONSTRAINT {quoted(name)} {clause.text}")


def affinity(type_: str) -> str:
    """What SQLite does to a value by the type of its column, as listed under
    "Determination Of Column Affinity" in https://www.sqlite.org/datatype3.html.

    :param type_: The type.
    :return: Its affinity.
    """
    upper = type_.upper()

    for words, result in _AFFINITIES:
        if any(word in upper for word in words):
            return result

    return "NUMERIC" if upper else "BLOB"


def is_same(one: Clause, other: Clause) -> bool:
    """Whether two constraints ask for the same, whatever they are called.

    :param one: A constraint.
    :param other: Another one.
    :return: ``True`` if they do.
    """
    return one.kind == other.kind and _meaning(one) == _meaning(other)


def _meaning(clause: Clause) -> list[str]:
    words = [folded(unquoted(token.text)) for token in tokens(clause.text)]
    return words[2:] if clause.name is not None else words
