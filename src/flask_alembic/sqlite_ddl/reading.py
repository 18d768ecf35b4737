"""Reading ``CREATE TABLE``. The grammar is that of
https://www.sqlite.org/lang_createtable.html.
"""

from __future__ import annotations

import typing as t

from .clauses import Clause
from .clauses import ColumnText
from .clauses import FOREIGN_KEY
from .clauses import GENERATED
from .clauses import items
from .clauses import NOT_NULL
from .clauses import PRIMARY_KEY
from .tables import TableText
from .tokens import grouped_tokens
from .tokens import Token
from .tokens import unquoted
from .tokens import UnreadableSQL

_KINDS: t.Final = {
    "PRIMARY": PRIMARY_KEY,
    "UNIQUE": "UNIQUE",
    "CHECK": "CHECK",
    "FOREIGN": FOREIGN_KEY,
    "REFERENCES": FOREIGN_KEY,
    "NOT": NOT_NULL,
    "NULL": "NULL",
    "DEFAULT": "DEFAULT",
    "COLLATE": "COLLATE",
    "GENERATED": GENERATED,
    "AS": GENERATED,
}
_OF_TABLES: t.Final = ("CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN")


def read_table(text: str) -> TableText:
    """Read what makes a table.

    :param text: A ``CREATE TABLE``, as SQLite has stored it.
    :return: The table.
    :raises UnreadableSQL: If it is something else.
    """
    found = grouped_tokens(text)
    words = [token.text.upper() for token in found[:2]]

    if words != ["CREATE", "TABLE"] or len(found) < 4 or found[3].kind != "group":
        raise UnreadableSQL(text)

    result = TableText([])
    body = found[3].inner

    for item in items(grouped_tokens(body)):
        if item[0].is_word(*_OF_TABLES):
            result.constraints += _Reader(body, item).clauses()
        else:
            result.columns.append(_Reader(body, item).column())

    result.options = [text[i[0].start : i[-1].end] for i in items(found[4:])]
    return result


def read_column(text: str) -> ColumnText:
    """Read the definition of a column.

    :param text: The definition.
    :return: The column.
    """
    return _Reader(text, grouped_tokens(text)).column()


def read_constraints(text: str) -> list[Clause]:
    """Read constraints of a table.

    :param text: Constraints, as they stand after the columns.
    :return: The constraints.
    """
    return _Reader(text, grouped_tokens(text)).clauses()


class _Reader:
    def __init__(self, source: str, tokens: list[Token]) -> None:
        self.source = source
        self.tokens = tokens
        self.at = 0

    def sees(self, *words: str) -> bool:
        return self.at < len(self.tokens) and self.tokens[self.at].is_word(*words)

    def take(self, *words: str) -> bool:
        """Go on if there is one of the words."""
        seen = self.sees(*words)
        self.at += seen
        return seen

    def take_any(self) -> Token:
        if self.at >= len(self.tokens):
            raise UnreadableSQL(self.source)

        self.at += 1
        return self.tokens[self.at - 1]

    def take_group(self) -> str:
        """Go on if there is a group, and give what stands in it."""
        if self.at < len(self.tokens) and self.tokens[self.at].kind == "group":
            return self.take_any().inner

        return ""

    def slice(self, first: int) -> str:
        if first == self.at:
            return ""

        return self.source[self.tokens[first].start : self.tokens[self.at - 1].end]

    def column(self) -> ColumnText:
        head = self.take_any().text
        first = self.at

        while self.at < len(self.tokens) and not self.sees("CONSTRAINT", *_KINDS):
            self.take_any()

        type_ = self.slice(first)
        return ColumnText(unquoted(head), head, type_, tuple(self.clauses()))

    def clauses(self) -> list[Clause]:
        result = []

        while self.at < len(self.tokens):
            result.append(self.clause())

        return result

    def clause(self) -> Clause:
        first = self.at
        name = None

        # The last of several counts.
        while self.take("CONSTRAINT"):
            name = unquoted(self.take_any().text)

        if self.at == len(self.tokens):
            return Clause("", name, self.slice(first))

        word = self.take_any()
        kind = _KINDS.get(word.text.upper())

        if word.kind != "word" or kind is None:
            raise UnreadableSQL(self.source)

        group, target = self.body(kind, word)
        return Clause(kind, name, self.slice(first), group, target)

    def body(self, kind: str, word: Token) -> tuple[str, str]:
        """Read what follows the first word: a group, and the table referred to."""
        target = ""
        self.take("KEY", "NULL", "ALWAYS")
        self.take("AS")
        group = "" if kind == "DEFAULT" else self.take_group()

        if kind == FOREIGN_KEY:
            if word.is_word("FOREIGN") and not self.take("REFERENCES"):
                raise UnreadableSQL(self.source)

            target = unquoted(self.take_any().text)
            self.take_group()
            self.reference()
        elif kind in {"DEFAULT", "COLLATE"}:
            if self.take_any().text in {"+", "-"}:
                self.take_any()
        else:
            self.ending()

        return group, target

    def ending(self) -> None:
        self.take("ASC", "DESC", "VIRTUAL", "STORED")

        if self.take("ON"):
            self.take("CONFLICT")
            self.take_any()

        self.take("AUTOINCREMENT")

    def reference(self) -> None:
        while True:
            if self.take("ON"):
                self.take_any()

                if self.take_any().is_word("SET", "NO"):
                    self.take_any()
            elif self.take("MATCH", "INITIALLY"):
                self.take_any()
            elif self.sees("NOT") and self.followed_by("DEFERRABLE"):
                self.at += 2
            elif not self.take("DEFERRABLE"):
                return

    def followed_by(self, word: str) -> bool:
        following = self.tokens[self.at + 1 : self.at + 2]
        return bool(following) and following[0].is_word(word)
