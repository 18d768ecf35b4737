"""SQL as SQLite reads it, in tokens: a text in quotes, a comment or what stands in
parentheses is never taken for anything else. Pure.
"""

from __future__ import annotations

import re
import string
import typing as t
from dataclasses import dataclass
from itertools import pairwise

from ..sql_words import quoted

# A character from U+0080 on belongs to a name, even if Unicode says that it is a space:
# https://www.sqlite.org/src/file?name=src/tokenize.c
_TOKENS: t.Final = re.compile(
    r"""
      (?P<space> [ \t\n\f\r\ufeff]+ | --[^\n]* | /\*.*?(?:\*/|\Z) )
    | (?P<value> [xX]?'(?:[^']|'')*' | \.?[0-9](?:[0-9A-Za-z_.]|(?<=[eE])[+-])* )
    | (?P<quoted> "(?:[^"]|"")*" | `(?:[^`]|``)*` | \[[^\]]*\] )
    | (?P<word> [A-Za-z_\x80-\U0010ffff][A-Za-z0-9_$\x80-\U0010ffff]* )
    | (?P<sign> . )
    """,
    re.VERBOSE | re.DOTALL,
)

_FOLDED: t.Final = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)

# After these stands the name of a type or of a collation.
_NO_COLUMN_FOLLOWS: t.Final = ("AS", "COLLATE")


@dataclass(frozen=True, slots=True)
class Token:
    """One piece of a statement.

    :param kind: ``value``, ``quoted``, ``word``, ``sign`` or ``group``, which is all
        from one parenthesis to the other.
    :param text: As it stands there.
    :param start: Where it begins in the text that was read.
    """

    kind: str
    text: str
    start: int

    @property
    def end(self) -> int:
        """Where it ends."""
        return self.start + len(self.text)

    @property
    def inner(self) -> str:
        """What stands in the parentheses of a group."""
        return self.text[1:-1]

    def is_word(self, *words: str) -> bool:
        """Whether it is one of some keywords.

        :param words: The keywords, in capitals.
        :return: ``True`` if it is.
        """
        return self.kind == "word" and self.text.upper() in words


class UnreadableSQL(ValueError):
    """A text is not what was expected. SQLite knows more than is read here."""


def tokens(text: str) -> list[Token]:
    """Read a text.

    :param text: Any SQL.
    :return: Its tokens, without spaces and comments, and without groups.
    """
    return [
        Token(t.cast(str, match.lastgroup), match.group(), match.start())
        for match in _TOKENS.finditer(text)
        if match.lastgroup != "space"
    ]


def grouped_tokens(text: str) -> list[Token]:
    """Read a text, with one token for each pair of parentheses.

    :param text: Any SQL.
    :return: Its tokens.
    :raises UnreadableSQL: If a parenthesis has no other.
    """
    result: list[Token] = []
    opened: list[Token] = []

    for token in tokens(text):
        if token.text == "(":
            opened.append(token)
        elif token.text == ")":
            if not opened:
                raise UnreadableSQL(text)

            first = opened.pop()

            if not opened:
                group = text[first.start : token.end]
                result.append(Token("group", group, first.start))
        elif not opened:
            result.append(token)

    if opened:
        raise UnreadableSQL(text)

    return result


def folded(name: str) -> str:
    """A name to compare by. SQLite ignores the case of ASCII letters, and of no others.

    :param name: A name.
    :return: The name in small letters.
    """
    return name.translate(_FOLDED)


def unquoted(text: str) -> str:
    """The name that a token means.

    :param text: The text of a token.
    :return: The name.
    """
    mark = text[:1]

    if mark == "[":
        return text[1:-1]

    if mark in {'"', "`", "'"}:
        return text[1:-1].replace(mark * 2, mark)

    return text


def mentioned(text: str, names: t.Iterable[str]) -> set[str]:
    """Which columns an expression uses.

    :param text: The expression, or a list of some.
    :param names: The columns that it may use.
    :return: Those of them that it does use.
    """
    by_folded = {folded(name): name for name in names}
    found = tokens(text)
    before = [None, *found]
    after = [*found[1:], None]
    return {
        by_folded[name]
        for last, token, following in zip(before, found, after, strict=False)
        if token.kind in {"word", "quoted"}
        and not (last and last.is_word(*_NO_COLUMN_FOLLOWS))
        # What stands before these is a function or a table.
        and not (following and following.text in {"(", "."})
        and (name := folded(unquoted(token.text))) in by_folded
    }


def with_schema(statement: str, schema: str | None) -> str:
    """Let what makes an index or a trigger make it in an attached database. SQLite does
    not store where it was made.

    :param statement: A ``CREATE INDEX`` or ``CREATE TRIGGER``, as SQLite has stored it.
    :param schema: The name of the database; ``None`` for the main one.
    :return: The statement.
    """
    if schema is None:
        return statement

    name = next(
        token
        for last, token in pairwise(tokens(statement))
        if last.is_word("INDEX", "TRIGGER")
    )
    return f"{statement[: name.start]}{quoted(schema)}.{statement[name.start :]}"


def expressions_of_index(statement: str) -> str:
    """What an index is of, with its condition.

    :param statement: A ``CREATE INDEX``.
    :return: The part behind the table.
    """
    found = grouped_tokens(statement)
    at = next(i for i, token in enumerate(found) if token.is_word("ON"))
    return statement[found[at + 2].start :]


def created(statement: str) -> tuple[str, str | None, str] | None:
    """What a statement makes, if that is an index or a trigger that must not be there.

    :param statement: Any statement.
    :return: ``INDEX`` or ``TRIGGER``, the database, and the name to compare by.
    """
    found = tokens(statement)[:6]
    at = 2 if found[1:2] and found[1].is_word("UNIQUE") else 1

    if len(found) < at + 3 or not found[at].is_word("INDEX", "TRIGGER"):
        return None

    kind, *name = found[at:]

    if name[0].is_word("IF"):
        return None

    parts = [folded(unquoted(token.text)) for token in name]
    has_schema = parts[1] == "." and len(parts) > 2
    schema, last = (parts[0], parts[2]) if has_schema else (None, parts[0])
    return kind.text.upper(), schema, last
