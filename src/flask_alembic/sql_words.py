"""What kind of statement an SQL text is, by its words. Pure: nothing is run here."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

_COMMENTS: t.Final = r"(?:\s|--[^\n]*\n|#[^\n]*\n|/\*.*?\*/)*"
_FLAGS: t.Final = re.IGNORECASE | re.DOTALL

# MariaDB and MySQL commit before and after these, and so all that ran before them.
# https://mariadb.com/kb/en/sql-statements-that-cause-an-implicit-commit/
COMMITS: t.Final = re.compile(
    _COMMENTS
    + r"(?:alter|analyze|create|drop|grant|optimize|rename|revoke|truncate)\b",
    _FLAGS,
)
# One statement that defines something.
DDL: t.Final = re.compile(
    _COMMENTS + r"(?:alter|comment|create|drop)\b[^;]*(?:;\s*)?\Z", _FLAGS
)
READS: t.Final = re.compile(
    _COMMENTS + r"(?:begin|desc|describe|explain|pragma|select|set|show)\b", _FLAGS
)

# What is of the session or of the transaction, and gone with it.
_PASSING: t.Final = re.compile(
    _COMMENTS
    + r"(?:begin|checkpoint|close|commit|deallocate|declare|desc|describe|discard|end"
    r"|explain|fetch|help|listen|lock|move|notify|pragma|prepare|release|reset|rollback"
    r"|savepoint|select|set|show|start|table|unlisten|unlock|use|values|\(+\s*select)\b",
    _FLAGS,
)
_WITH: t.Final = re.compile(_COMMENTS + r"with\b", _FLAGS)
_WRITES: t.Final = re.compile(r"\b(?:insert|update|delete|merge|replace)\b", _FLAGS)
_DATA: t.Final = re.compile(
    _COMMENTS + r"(?:insert|update|delete|load|merge|replace|with)\b", _FLAGS
)
_COMMIT: t.Final = re.compile(_COMMENTS + r"(?:commit|end)\b", _FLAGS)
_ROLLBACK: t.Final = re.compile(_COMMENTS + r"(?:rollback|abort)\b(?!\s+to\b)", _FLAGS)

_NAME: t.Final = r"(?P<name>(?:[\w$]+|\"[^\"]+\"|`[^`]+`))"
_TEMPORARY: t.Final = re.compile(
    _COMMENTS + r"create\s+(?:or\s+replace\s+)?(?:(?:local|global)\s+)?temp(?:orary)?"
    r"\s+table\s+(?:if\s+not\s+exists\s+)?" + _NAME,
    _FLAGS,
)
_TARGET: t.Final = re.compile(
    _COMMENTS + r"(?:insert\s+(?:ignore\s+)?into|replace\s+into|update|delete\s+from"
    r"|truncate(?:\s+table)?|alter\s+table|drop\s+(?:temporary\s+)?table"
    r"|create\s+(?:unique\s+)?index\s+\S+\s+on)\s+(?:if\s+exists\s+)?" + _NAME,
    _FLAGS,
)


class Temporary:
    """The temporary tables of a session, which are gone with it: a statement on them
    has nothing that lasts.
    """

    def __init__(self) -> None:
        self._names: set[str] = set()

    def takes(self, statement: str) -> bool:
        """Whether a statement makes such a table, or writes to one.

        :param statement: The statement.
        :return: ``True`` if it does.
        """
        if made := _TEMPORARY.match(statement):
            self._names.add(_plain(made["name"]))
            return True

        found = _TARGET.match(statement)
        return found is not None and _plain(found["name"]) in self._names


def is_passing(statement: str) -> bool:
    """Whether a statement reads, or sets what is gone with the session.

    :param statement: The statement.
    :return: ``True`` if nothing of it lasts.
    """
    if _WITH.match(statement):
        return not _WRITES.search(statement)

    return _PASSING.match(statement) is not None


def is_data(statement: str) -> bool:
    """Whether a statement changes rows, which any database can roll back.

    :param statement: The statement.
    :return: ``True`` if it does.
    """
    return _DATA.match(statement) is not None


def is_commit(statement: str) -> bool:
    """Whether a text commits, as ``COMMIT`` does."""
    return _COMMIT.match(statement) is not None


def is_rollback(statement: str) -> bool:
    """Whether a text rolls all back, as ``ROLLBACK`` does."""
    return _ROLLBACK.match(statement) is not None


def returns_rows(statement: str) -> bool:
    """Whether a statement that writes also answers with rows."""
    return any(word.key == "RETURNING" for word in split_words(statement))


def _plain(name: str) -> str:
    return name.strip('"`').lower()


@dataclass(frozen=True)
class Word:
    """A piece of a statement: a word, a quoted name, a text, or a sign."""

    text: str
    is_quoted: bool = False
    is_text: bool = False

    @property
    def key(self) -> str:
        """What it is as a keyword; a quoted name is none."""
        return "" if self.is_quoted or self.is_text else self.text.upper()


_WORDS: t.Final = re.compile(
    r"\s+|--(?=\s|$)[^\n]*|/\*(?!!).*?\*/"
    r"|(?P<name>\"(?:[^\"]|\"\")*\"|`(?:[^`]|``)*`)"
    r"|(?P<text>'(?:[^'\\]|''|\\.)*')"
    r"|(?P<dollar>\$(?P<tag>\w*)\$.*?\$(?P=tag)\$)"
    r"|(?P<word>[\w$]+)|(?P<sign>.)",
    re.DOTALL,
)


def split_words(statement: str) -> list[Word]:
    """Take a statement apart, without comments and without the semicolon at its end.

    :param statement: The statement.
    :return: Its words.
    """
    words = [word for found in _WORDS.finditer(statement) if (word := _word(found))]

    while words and words[-1].key == ";":
        words.pop()

    return words


def _word(found: re.Match[str]) -> Word | None:
    if name := found["name"]:
        quote = name[0]
        return Word(name[1:-1].replace(quote * 2, quote), is_quoted=True)

    if text := found["text"]:
        return Word(text[1:-1].replace("''", "'"), is_text=True)

    if dollar := found["dollar"]:
        return Word(dollar, is_text=True)

    plain = found["word"] or found["sign"]
    return Word(plain) if plain else None


def quoted(*names: str | None) -> str:
    """Names as standard SQL quotes them, joined by dots.

    :param names: The names, of which some may be missing.
    :return: The text.
    """
    return ".".join('"' + name.replace('"', '""') + '"' for name in names if name)
