"""Whether a column's default in the database is the one in the model.

Alembic compares texts, and servers write a default in words of their own. Here both are
brought to one form first; where that doesn't settle it, Alembic goes on.
"""

from __future__ import annotations

import re
import typing as t

import sqlalchemy as sa

# A quoted text, or anything up to the next one. In MySQL and MariaDB a backslash
# escapes what follows.
_PARTS: t.Final = re.compile(r"'(?:[^']|'')*'|[^']+|'")
_PARTS_MYSQL: t.Final = re.compile(r"'(?:[^'\\]|''|\\.)*'|[^']+|'", re.DOTALL)
_ESCAPED: t.Final = re.compile(r"''|\\(.)", re.DOTALL)
_ESCAPES: t.Final = {"0": "\0", "b": "\b", "n": "\n", "r": "\r", "t": "\t", "Z": "\x1a"}
_CAST: t.Final = re.compile(r"::[\w ]+(?:\([\d,]+\))?(?:\[\])?", re.ASCII)
_MYSQL: t.Final = frozenset({"mysql", "mariadb"})
_WORDS: t.Final = {"now()": "current_timestamp", "true": "1", "false": "0"}


def differs(
    inspected_column: sa.Column[t.Any],
    metadata_column: sa.Column[t.Any],
    inspected_default: str | None,
    dialect: sa.Dialect,
) -> bool | None:
    """Compare the default of one column.

    :param inspected_column: The column as the database has it.
    :param metadata_column: The column as the model has it.
    :param inspected_default: The default that the database reports, as SQL.
    :param dialect: The database's dialect.
    :return: ``None`` if it can't be told here.
    """
    metadata_default = metadata_column.server_default

    if not isinstance(metadata_default, sa.DefaultClause) or inspected_default is None:
        return None

    created = _as_created(metadata_column, dialect)

    if _is_cut_off(inspected_default, dialect):
        return not created.startswith(inspected_default)

    is_text = isinstance(metadata_column.type, (sa.String, sa.LargeBinary))
    inspected = normalize(inspected_default, dialect=dialect.name, is_text=is_text)
    rendered = normalize(created, dialect=dialect.name, is_text=is_text)

    if inspected == rendered:
        return False

    # Alembic asks PostgreSQL about expressions, by a SELECT. What is a plain value in
    # the model is settled; for the other servers there are only the texts.
    is_value = isinstance(metadata_default.arg, str)
    return None if dialect.name == "postgresql" and not is_value else True


def normalize(default: str, *, dialect: str, is_text: bool) -> str:
    """Bring a default to one form.

    :param default: SQL, as a model or a database has it.
    :param dialect: Name of the dialect.
    :param is_text: Whether the column holds texts: ``'0'`` is a number otherwise.
    :return: A text that is equal for defaults that mean the same.
    """
    is_mysql = dialect in _MYSQL
    text = default.strip()

    if is_mysql:
        text = re.sub(r"^_\w+(?=')", "", text)

    text = _strip_parentheses(text, is_mysql)
    text = "".join(
        _quote(part, is_mysql) if part[0] == "'" else _simplify(part, dialect)
        for part in _parts(text, is_mysql)
    )
    text = _strip_parentheses(text, is_mysql)

    if not is_text and (number := re.fullmatch(r"'(-?\d+(?:\.\d+)?)'", text)):
        text = number[1]

    if re.fullmatch(r"-?\d+\.\d+", text) and not is_text:
        text = text.rstrip("0").rstrip(".")

    return _WORDS.get(text, text)


def _parts(text: str, is_mysql: bool) -> list[str]:
    return (_PARTS_MYSQL if is_mysql else _PARTS).findall(text)


def _quote(part: str, is_mysql: bool) -> str:
    """A quoted text, quoted in the one way that models are."""
    if not is_mysql or len(part) == 1:
        return part

    value = _ESCAPED.sub(_unescape, part[1:-1])
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


def _unescape(match: re.Match[str]) -> str:
    if match[1] is None:
        return "'"

    # These two keep their backslash, for patterns.
    return match[0] if match[1] in "%_" else _ESCAPES.get(match[1], match[1])


def _simplify(sql: str, dialect: str) -> str:
    if dialect == "postgresql":
        sql = _CAST.sub("", sql)

    sql = re.sub(r"\s+", " ", sql.lower())
    sql = re.sub(r" ?([(),+*/=<>|-]) ?", r"\1", sql)
    sql = re.sub(r"\b(current_(?:timestamp|date|time))\(\)", r"\1", sql)
    return sql.replace("now()", "current_timestamp")


def _strip_parentheses(text: str, is_mysql: bool) -> str:
    while text.startswith("(") and text.endswith(")") and _matches(text, is_mysql):
        text = text[1:-1].strip()

    return text


def _matches(text: str, is_mysql: bool) -> bool:
    """Whether the first parenthesis is closed by the last."""
    depth = 0

    for position, char in enumerate(_blanked(text, is_mysql), start=1):
        depth += {"(": 1, ")": -1}.get(char, 0)

        if depth == 0:
            return position == len(text)

    return False


def _blanked(text: str, is_mysql: bool) -> str:
    parts = _parts(text, is_mysql)
    return "".join(" " * len(part) if part[0] == "'" else part for part in parts)


def _is_cut_off(inspected: str, dialect: sa.Dialect) -> bool:
    """Older SQLAlchemy reads MariaDB's expressions only up to their first space."""
    sql = _blanked(inspected, is_mysql=True)
    return dialect.name in _MYSQL and sql.count("(") > sql.count(")")


def _as_created(column: sa.Column[t.Any], dialect: sa.Dialect) -> str:
    """The default as ``CREATE TABLE`` writes it."""
    # No statement is compiled: its part for a column's default is all that is needed.
    compiler = dialect.ddl_compiler(dialect, t.cast(t.Any, None))
    text = compiler.get_column_default_string(column) or ""

    # It is written for a driver that reads "%" as the mark of a parameter.
    doubled = dialect.paramstyle in {"format", "pyformat"}
    return text.replace("%%", "%") if doubled else text
