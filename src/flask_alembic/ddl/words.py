"""The words of a DDL statement, read from left to right, and what is found in them.
Pure.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from dataclasses import field

from ..sql_words import Word

Kind = t.Literal[
    "table",
    "sequence",
    "schema",
    "column",
    "index",
    "constraint",
    "primary key",
    "foreign key",
    "enum value",
]

# What goes with a column that is dropped, or with a table.
_KEYS: t.Final = frozenset({"index", "constraint", "primary key", "foreign key"})


@dataclass(frozen=True)
class Effect:
    """One thing that is there after a statement, or is not."""

    kind: Kind
    exists: bool
    name: str
    table: str | None = None
    """What holds it: a table; for a value of an enum, the type."""

    schema: str | None = None

    @property
    def key(self) -> object:
        """What is equal for two statements about the same thing."""
        kind = "key" if self.kind in _KEYS else self.kind
        return kind, self.name.lower(), (self.table or "").lower(), self.schema

    def may_undo(self, earlier: Effect) -> bool:
        """Whether what an earlier statement did may not be seen after this one.

        :param earlier: Its effect.
        :return: ``True`` if it may be gone, or back.
        """
        if self.kind == "schema" and not self.exists:
            return True

        if self.kind == "table":
            return earlier.table is not None and _same(earlier.table, self.name)

        if self.kind == "column" and not self.exists:
            return earlier.kind in _KEYS

        # One that is dropped without its table, and keys that share a name.
        return (
            self.kind in _KEYS
            and earlier.kind in _KEYS
            and (_same(earlier.name, self.name) or not self.exists)
        )

    def __str__(self) -> str:
        what = f"the {self.kind} {self.name}"
        return f"{what} of {self.table}" if self.table else what


@dataclass(frozen=True)
class Effects:
    """What is to be seen of a statement."""

    seen: tuple[Effect, ...] = ()
    can_repeat: bool = False
    """Whether it may simply run again, as ``DROP TABLE IF EXISTS`` may."""

    spreads: bool = False
    """Whether it takes more with it, as ``CASCADE`` does."""


REPEAT: t.Final = Effects(can_repeat=True)


@dataclass(frozen=True)
class QualifiedName:
    """A name that may have the name of a schema before it."""

    name: str
    schema: str | None = None

    def itself(self, exists: bool) -> Effect:
        """The table of this name, there or not."""
        return Effect("table", exists, self.name, schema=self.schema)

    def holding(self, kind: Kind, exists: bool, name: str) -> Effect:
        """Something that the table of this name holds, or does not."""
        return Effect(kind, exists, name, self.name, self.schema)


@dataclass
class Words:
    """What is left of a statement."""

    words: list[Word]
    folds_names: bool
    at: int = field(default=0)

    @property
    def is_at_end(self) -> bool:
        """Whether nothing is left."""
        return self.at >= len(self.words)

    @property
    def next_key(self) -> str:
        """The next word as a keyword."""
        return "" if self.is_at_end else self.words[self.at].key

    def take(self, *keys: str) -> bool:
        """Go past some keywords, if they come next."""
        found = [word.key for word in self.words[self.at : self.at + len(keys)]]

        if found == list(keys):
            self.at += len(keys)
            return True

        return False

    def take_any(self, *keys: str) -> str:
        """Go past one of some keywords, if one comes next.

        :return: The keyword, or an empty text.
        """
        return next((key for key in keys if self.take(key)), "")

    def has(self, key: str) -> bool:
        """Whether a keyword stands anywhere in it."""
        return any(word.key == key for word in self.words)

    has_sign = has

    def name(self) -> str | None:
        """Go past a name.

        :return: The name as the database has it, or ``None`` if none comes next.
        """
        if self.is_at_end:
            return None

        word = self.words[self.at]

        if word.is_text or not (word.is_quoted or word.text[0].isidentifier()):
            return None

        self.at += 1
        return word.text if word.is_quoted or not self.folds_names else _small(word)

    def text(self) -> str | None:
        """Go past a text in quotes."""
        if self.is_at_end or not self.words[self.at].is_text:
            return None

        self.at += 1
        return self.words[self.at - 1].text

    def qualified_name(self) -> QualifiedName | None:
        """Go past a name with or without a schema."""
        name = self.name()

        if name is None or not self.take("."):
            return None if name is None else QualifiedName(name)

        second = self.name()
        return None if second is None else QualifiedName(second, name)

    def names(self) -> list[QualifiedName]:
        """Go past names with commas between them."""
        found: list[QualifiedName] = []

        while name := self.qualified_name():
            found.append(name)

            if not self.take(","):
                break

        return found

    def split(self) -> list[Words]:
        """What is left, taken apart at the commas that are not in parentheses."""
        parts: list[list[Word]] = [[]]
        depth = 0

        for word in self.words[self.at :]:
            depth += {"(": 1, ")": -1}.get(word.key, 0)

            if word.key == "," and not depth:
                parts.append([])
            else:
                parts[-1].append(word)

        return [Words(part, self.folds_names) for part in parts]


def _small(word: Word) -> str:
    return word.text.lower()


def _same(one: str, other: str) -> bool:
    return one.lower() == other.lower()
