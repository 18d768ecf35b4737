"""Whether what a statement leaves behind is there."""

from __future__ import annotations

import typing as t

import sqlalchemy as sa
from sqlalchemy.exc import NoSuchTableError

from ..invalid_indexes import schema_of_invalid
from ..own_statements import own
from ..sql_words import quoted

if t.TYPE_CHECKING:
    from sqlalchemy.engine.reflection import Inspector

    from ..ddl.words import Effect
    from ..ddl.words import Effects

# PostgreSQL cuts longer names, by bytes.
_LONGEST_NAME: t.Final = 63


def folds_names(connection: sa.Connection) -> bool:
    """Whether a database makes names small that are not quoted."""
    return connection.dialect.name == "postgresql"


def took_effect(connection: sa.Connection, effects: Effects) -> bool | None:
    """Whether a statement took effect, by what is there now.

    :param connection: The connection.
    :param effects: What it leaves behind.
    :return: ``None`` if that does not tell: some of it is there, some is not.
    """
    found = {is_so(connection, effect) for effect in effects.seen}
    return found.pop() if len(found) == 1 else None


def is_so(connection: sa.Connection, effect: Effect) -> bool:
    """Whether a thing is there, or is not, as a statement left it.

    :param connection: The connection.
    :param effect: The thing.
    :return: ``True`` if it is so.
    """
    try:
        with own():
            find = _FINDERS[effect.kind]
            is_there = find(sa.inspect(connection), connection, effect)
    except NoSuchTableError:
        is_there = False

    return is_there == effect.exists


def _table(inspector: Inspector, connection: sa.Connection, effect: Effect) -> bool:
    return inspector.has_table(effect.name, schema=effect.schema)


def _sequence(inspector: Inspector, connection: sa.Connection, effect: Effect) -> bool:
    return inspector.has_sequence(effect.name, schema=effect.schema)


def _schema(inspector: Inspector, connection: sa.Connection, effect: Effect) -> bool:
    return inspector.has_schema(effect.name)


def _column(inspector: Inspector, connection: sa.Connection, effect: Effect) -> bool:
    columns = inspector.get_columns(str(effect.table), schema=effect.schema)
    return _is_among(connection, effect.name, [column["name"] for column in columns])


def _index(inspector: Inspector, connection: sa.Connection, effect: Effect) -> bool:
    if effect.table is None:
        return _index_anywhere(connection, effect)

    if not _is_among(connection, effect.name, _keys(inspector, effect)):
        return False

    is_postgresql = connection.dialect.name == "postgresql"
    return not (is_postgresql and schema_of_invalid(connection, effect))


def _index_anywhere(connection: sa.Connection, effect: Effect) -> bool:
    """An index without its table, as some databases drop it."""
    inspector = sa.inspect(connection)
    names = inspector.get_table_names(schema=effect.schema)
    found = [
        index["name"]
        for name in names
        for index in inspector.get_indexes(name, schema=effect.schema)
    ]
    return _is_among(connection, effect.name, found)


def _constraint(
    inspector: Inspector, connection: sa.Connection, effect: Effect
) -> bool:
    return _is_among(connection, effect.name, _keys(inspector, effect))


def _keys(inspector: Inspector, effect: Effect) -> list[str | None]:
    """The names of all indexes and constraints of a table."""
    table, schema = str(effect.table), effect.schema
    found: list[t.Any] = [
        *inspector.get_indexes(table, schema=schema),
        *inspector.get_unique_constraints(table, schema=schema),
        *inspector.get_foreign_keys(table, schema=schema),
        *inspector.get_check_constraints(table, schema=schema),
        inspector.get_pk_constraint(table, schema=schema),
    ]
    return [item.get("name") for item in found]


def _primary_key(
    inspector: Inspector, connection: sa.Connection, effect: Effect
) -> bool:
    found = inspector.get_pk_constraint(str(effect.table), schema=effect.schema)
    return bool(found["constrained_columns"])


def _foreign_key(
    inspector: Inspector, connection: sa.Connection, effect: Effect
) -> bool:
    keys = inspector.get_foreign_keys(str(effect.table), schema=effect.schema)
    found = [", ".join(key["constrained_columns"]) for key in keys]
    return _is_among(connection, effect.name, found)


def _enum_value(
    inspector: Inspector, connection: sa.Connection, effect: Effect
) -> bool:
    rows = connection.execute(
        sa.text(
            "SELECT 1 FROM pg_catalog.pg_enum e JOIN pg_catalog.pg_type t"
            " ON t.oid = e.enumtypid WHERE t.oid = to_regtype(:type)"
            " AND e.enumlabel = :value"
        ),
        {"type": quoted(effect.schema, effect.table), "value": effect.name},
    )
    return rows.first() is not None


def _is_among(
    connection: sa.Connection, name: str, names: t.Iterable[str | None]
) -> bool:
    if connection.dialect.name == "postgresql":
        cut = name.encode()[:_LONGEST_NAME].decode(errors="ignore")
        return cut in names

    return name.lower() in [found.lower() for found in names if found]


_FINDERS: t.Final[dict[str, t.Callable[[Inspector, sa.Connection, Effect], bool]]] = {
    "column": _column,
    "constraint": _constraint,
    "enum value": _enum_value,
    "foreign key": _foreign_key,
    "index": _index,
    "primary key": _primary_key,
    "schema": _schema,
    "sequence": _sequence,
    "table": _table,
}
