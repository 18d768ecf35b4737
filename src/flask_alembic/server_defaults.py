"""Whether a column's default in the database is the one in the model.

Alembic compares texts, and servers write a default in words of their own. Here both are
brought to one form first; where that doesn't settle it, Alembic goes on.
"""

from __future__ import annotations

import re
import typing as t

import sqlalchemy as sa

if t.TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext

# A quoted text, or anything up to the next one.
_PARTS: t.Final = re.compile(r"'(?:[^'\\]|''|\\.)*'|[^']+|'", re.DOTALL)
_CAST: t.Final = re.compile(r"(?<=['\w)])::[\w ]+(?:\([\d,]+\))?(?:\[\])?", re.ASCII)
_WORDS: t.Final = {"now()": "current_timestamp", "true": "1", "false": "0"}


def compare_server_default(
    context: MigrationContext,
    inspected_column: sa.Column[t.Any],
    metadata_column: sa.Column[t.Any],
    inspected_default: str | None,
    metadata_default: t.Any,
    rendered_metadata_default: str | None,
) -> bool | None:
    """Alembic's hook: compare the default of one column.

    :param context: The context that compares.
    :param inspected_column: The column as the database has it.
    :param metadata_column: The column as the model has it.
    :param inspected_default: The default that the database reports, as SQL.
    :param metadata_default: The default in the model.
    :param rendered_metadata_default: The default in the model, as SQL.
    :return: ``False`` if they are the same, ``True`` if they differ, ``None`` if
        Alembic is to decide.
    """
    if inspected_default is None or rendered_metadata_default is None:
        return None

    if _is_computed(inspected_column) or _is_computed(metadata_column):
        return None

    dialect = context.dialect.name
    quoted = _is_text(metadata_column)
    inspected = normalize(inspected_default, dialect=dialect, is_text=quoted)
    rendered = normalize(rendered_metadata_default, dialect=dialect, is_text=quoted)

    if inspected == rendered:
        return False

    # Alembic asks PostgreSQL itself, by a SELECT. The others have only the texts.
    return None if dialect == "postgresql" and not _is_json(metadata_column) else True


def normalize(default: str, *, dialect: str, is_text: bool) -> str:
    """Bring a default to one form.

    :param default: SQL, as a model or a database has it.
    :param dialect: Name of the dialect.
    :param is_text: Whether the column holds texts: ``'0'`` is a number otherwise.
    :return: A text that is equal for defaults that mean the same.
    """
    text = default.strip()

    if dialect == "postgresql":
        text = _outside_quotes(text, lambda part: _CAST.sub("", part))

    if dialect in {"mysql", "mariadb"}:
        text = re.sub(r"^_\w+(?=')", "", text).replace("\\'", "''")

    text = _strip_parentheses(text)
    text = _outside_quotes(text, _simplify)
    text = _strip_parentheses(text)

    if not is_text and (number := re.fullmatch(r"'(-?\d+(?:\.\d+)?)'", text)):
        text = number[1]

    if re.fullmatch(r"-?\d+\.\d+", text) and not is_text:
        text = text.rstrip("0").rstrip(".")

    return _WORDS.get(text, text)


def _outside_quotes(text: str, change: t.Callable[[str], str]) -> str:
    return "".join(
        part if part[0] == "'" else change(part) for part in _PARTS.findall(text)
    )


def _simplify(sql: str) -> str:
    sql = re.sub(r"\s+", " ", sql.lower())
    sql = re.sub(r" ?([(),+*/=<>|-]) ?", r"\1", sql)
    return re.sub(r"\b(current_(?:timestamp|date|time))\(\)", r"\1", sql).replace(
        "now()", "current_timestamp"
    )


def _strip_parentheses(text: str) -> str:
    while text.startswith("(") and text.endswith(")") and _matches(text):
        text = text[1:-1].strip()

    return text


def _matches(text: str) -> bool:
    """Whether the first parenthesis is closed by the last."""
    depth = 0
    unquoted = _outside_quotes(text, lambda part: part)
    parts = [" " * len(p) if p[0] == "'" else p for p in _PARTS.findall(unquoted)]

    for position, char in enumerate("".join(parts), start=1):
        depth += {"(": 1, ")": -1}.get(char, 0)

        if depth == 0:
            return position == len(text)

    return False


def _is_text(column: sa.Column[t.Any]) -> bool:
    return isinstance(column.type, (sa.String, sa.LargeBinary))


def _is_json(column: sa.Column[t.Any]) -> bool:
    return isinstance(column.type, sa.JSON)


def _is_computed(column: sa.Column[t.Any]) -> bool:
    return isinstance(column.server_default, (sa.Computed, sa.Identity))
