"""What SQL statements are made of: how they end in a script, so that a database's own
client takes them, and which words are in them. Pure: texts become texts.
"""

from __future__ import annotations

import re
import typing as t

# Where a semicolon inside of a statement ends it for the client.
_DELIMITED: t.Final = frozenset({"mysql", "mariadb"})
_DELIMITERS: t.Final = ("//", "$$", ";;", "%%", "~~~", "@@@@")

_QUOTED: t.Final = r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|`[^`]*`"
_COMMENT: t.Final = r"--[^\n]*|/\*.*?\*/"
_TOKENS: t.Final = {
    # Backslashes escape; a "/*!" is run; "#" is a comment.
    **dict.fromkeys(
        _DELIMITED,
        (
            r"'(?:[^'\\]|\\.|'')*'|\"(?:[^\"\\]|\\.|\"\")*\"|`[^`]*`",
            r"--(?=\s|$)[^\n]*|\#[^\n]*|/\*(?!!).*?\*/",
        ),
    ),
    "postgresql": (
        rf"\b[eE]'(?:[^'\\]|\\.|'')*'|(?P<tag>\$\w*\$).*?(?P=tag)|{_QUOTED}",
        _COMMENT,
    ),
    "mssql": (rf"\[[^\]]*\]|{_QUOTED}", _COMMENT),
}

_NAME: t.Final = re.compile(r"[^\W\d][\w$]*")

# What Oracle runs as a block, which ends in a semicolon of its own.
_BLOCK_END: t.Final = re.compile(r"\bend\b[^;]*;\s*$", re.IGNORECASE)


def ended(statement: str, dialect: str, terminator: str) -> str:
    """A statement with one end, and no tabs that a client could take for a key.

    :param statement: The statement, as it is run online. It may end in a semicolon or
        in a comment.
    :param dialect: The name of the dialect.
    :param terminator: What ends a statement.
    :return: The statement as it stands in a script. Nothing but comments is not ended.
    """
    tokens = _read(statement, dialect)
    end = max((at for kind, _, at in tokens if kind == "code"), default=0)
    code = _without_tabs(statement[:end], dialect).strip()
    comments = [text for kind, text, at in tokens if at > end and kind == "comment"]
    rest = "\n".join(comments)

    if not code:
        return rest

    if dialect == "oracle" and _BLOCK_END.search(statement):
        code = f"{code};"

    if dialect in _DELIMITED and _has_semicolon(code, dialect):
        return _delimited(code, rest)

    return f"{code}{terminator}{_after(rest)}"


def bare(text: str, dialect: str) -> list[str]:
    """The statements in a text, as far as their keywords tell what they do.

    :param text: One statement or several.
    :param dialect: The name of the dialect.
    :return: Each of them in one line, without comments. What is quoted is ``''``.
    """
    statements = [""]

    for match in _pattern(dialect).finditer(text):
        if match["end"]:
            statements.append("")
        elif match["quoted"]:
            statements[-1] += "''"
        else:
            statements[-1] += " " if match["comment"] else match[0]

    lines = [" ".join(statement.split()) for statement in statements]
    return [line for line in lines if line]


def names_in(text: str, dialect: str) -> frozenset[str]:
    """What may be the name of a table or an index in a text.

    :param text: Statements.
    :param dialect: The name of the dialect.
    :return: All words, as the database has them, and all that is quoted as names are.
    """
    found, plain = set(), ""

    for match in _pattern(dialect).finditer(text):
        first = match[0][0]

        if match["quoted"] and first in '"`[':
            found.add(match[0][1:-1].replace(first * 2, first))

        # The body of a DO block has names in it too.
        is_code = not match["quoted"] or first == "$"
        plain += match[0] if is_code and not match["comment"] else " "

    # PostgreSQL has them in small letters.
    plain = plain.lower() if dialect == "postgresql" else plain
    return frozenset(found) | frozenset(_NAME.findall(plain))


def _read(statement: str, dialect: str) -> list[tuple[str, str, int]]:
    """The parts of a statement: code, comment or nothing; its text; where it ends."""
    return [
        (_kind(match), match[0], match.end())
        for match in _pattern(dialect).finditer(statement)
    ]


def _pattern(dialect: str) -> re.Pattern[str]:
    quoted, comment = _TOKENS.get(dialect, (_QUOTED, _COMMENT))
    return re.compile(
        rf"(?P<quoted>{quoted})|(?P<comment>{comment})|(?P<end>;)|(?P<space>\s+)"
        r"|\w+(?!')|.",
        re.DOTALL,
    )


def _kind(match: re.Match[str]) -> str:
    if match["comment"]:
        return "comment"

    return "" if match["end"] or match["space"] else "code"


def _without_tabs(code: str, dialect: str) -> str:
    return _pattern(dialect).sub(
        lambda m: m[0].replace("\t", "    ") if m["space"] else m[0], code
    )


def _has_semicolon(code: str, dialect: str) -> bool:
    return any(match["end"] for match in _pattern(dialect).finditer(code))


def _delimited(code: str, rest: str) -> str:
    delimiter = next(text for text in _DELIMITERS if text not in code)
    return f"DELIMITER {delimiter}\n{code} {delimiter}{_after(rest)}\nDELIMITER ;"


def _after(rest: str) -> str:
    return f" {rest}" if rest else ""
