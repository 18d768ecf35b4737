"""The rows of a table on MariaDB or MySQL, as statements."""

from __future__ import annotations

import typing as t

from ..kinds import ask
from ..kinds import insert_statements
from ..kinds import text_literal
from .session import quoted
from .session import session
from .session import UTC

if t.TYPE_CHECKING:
    import sqlalchemy as sa

    from ..text import Statement

_HEX: t.Final = "IF(LENGTH({0}) = 0, '''''', CONCAT('0x', HEX({0})))"
_PLAIN: t.Final = "CAST({0} AS CHAR)"
_LITERALS: t.Final = {
    **dict.fromkeys(
        ("tinyint", "smallint", "mediumint", "int", "bigint", "decimal", "year"), _PLAIN
    ),
    "double": _PLAIN,
    # As it is stored, which is not as it is shown.
    "float": "CAST({0} + 0e0 AS CHAR)",
    "bit": "CONCAT('0x', HEX({0}))",
    **dict.fromkeys(
        ("binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob"), _HEX
    ),
    **dict.fromkeys(
        (
            *("geometry", "point", "linestring", "polygon", "multipoint"),
            *("multilinestring", "multipolygon", "geometrycollection"),
        ),
        _HEX,
    ),
}
_TEXT: t.Final = "QUOTE(CAST({0} AS CHAR))"


def row_statements(connection: sa.Connection, table: str) -> list[Statement]:
    """What writes the rows of a table.

    :param connection: A connection.
    :param table: The table.
    :return: Statements.
    """
    found = ask(
        connection,
        "SELECT column_name, data_type, column_key FROM information_schema.columns"
        f" WHERE table_schema = DATABASE() AND table_name = {text_literal(table)}"
        " AND COALESCE(generation_expression, '') = '' ORDER BY ordinal_position",
    )
    columns = [quoted(name) for name, _, _ in found]
    literals = ", ".join(_literal(quoted(name), kind) for name, kind, _ in found)
    keys = [quoted(name) for name, _, key in found if key == "PRI"]
    order = ", ".join(keys or columns)

    with session(connection, UTC):
        query = f"SELECT {literals} FROM {quoted(table)} ORDER BY {order}"
        rows = ask(connection, query)

    return [*insert_statements(f"rows {table}", quoted(table), columns, rows)]


def _literal(column: str, kind: str) -> str:
    return f"IFNULL({_LITERALS.get(kind, _TEXT).format(column)}, 'NULL')"
