"""How values stand in a script, where SQLAlchemy would render none, or another one."""

from __future__ import annotations

import json
import typing as t

import sqlalchemy as sa
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.sql import visitors
from sqlalchemy.types import NullType

_Literal = t.Callable[[t.Any], str]

_BYTES: t.Final = {
    "mssql": "0x{}",
    "oracle": "hextoraw('{}')",
    "postgresql": r"'\x{}'::bytea",
}


class _Untyped(NullType):
    """A column that a revision wrote without a type: the value has one."""

    def literal_processor(self, dialect: sa.Dialect) -> _Literal:
        def process(value: t.Any) -> str:
            type_ = sa.literal(value).type
            is_known = not isinstance(type_, NullType)
            literal = _literal(type_, dialect) if is_known else None

            if literal is None:
                raise TypeError(f"no SQL for {type(value)}: give its column a type")

            return literal(value)

        return process


class _Bytes(sa.LargeBinary):
    def literal_processor(self, dialect: sa.Dialect) -> _Literal:
        pattern = _BYTES.get(dialect.name, "X'{}'")
        return lambda value: pattern.format(bytes(value).hex())


class _Json(sa.JSON):
    def literal_processor(self, dialect: sa.Dialect) -> _Literal:
        quote = t.cast(_Literal, _literal(sa.String(), dialect))
        return lambda value: quote(json.dumps(None if value is self.NULL else value))


_TYPES: t.Final[dict[t.Any, t.Any]] = {
    NullType: _Untyped,
    sa.LargeBinary: _Bytes,
    sa.JSON: _Json,
}


def add_literals(dialect: sa.Dialect) -> None:
    """Let a dialect render what it can't, or only as a driver wants it.

    :param dialect: A dialect that nobody else uses.
    """
    others = {
        known: own
        for known, own in dialect.colspecs.items()
        if not issubclass(known, tuple(_TYPES))
    }
    dialect.colspecs = {**others, **_TYPES}


def with_values(construct: t.Any, dialect: sa.Dialect) -> t.Any:
    """A statement with the values that SQLAlchemy adds when it runs one.

    :param construct: The statement.
    :param dialect: What it is rendered for.
    :return: The statement, with the defaults of its columns.
    :raises TypeError: If a value is missing.
    """
    if isinstance(construct, sa.Insert):
        # Nobody asks for the new primary key.
        construct = _with_defaults(construct.inline(), dialect, "default")
    elif isinstance(construct, sa.Update):
        construct = _with_defaults(construct, dialect, "onupdate")

    for part in visitors.iterate(construct):
        if isinstance(part, sa.BindParameter):
            _complete(part)

    return construct


def _complete(parameter: sa.BindParameter[t.Any]) -> None:
    if parameter.required:
        raise TypeError(f"a value is required for '{parameter.key}'")

    # A literal would be SQL's NULL, where a driver gets JSON's.
    is_json = isinstance(parameter.type, sa.JSON)

    if parameter.value is None and is_json and parameter.type.should_evaluate_none:
        parameter.value = sa.JSON.NULL


def with_parameters(statement: t.Any, row: t.Mapping[str, t.Any]) -> t.Any:
    """A statement with the parameters that it is executed with.

    :param statement: The statement.
    :param row: Name to value. What is no parameter is a column.
    :return: A new statement.
    """
    columns = dict(row)

    def replace(parameter: t.Any) -> None:
        if parameter.key in row:
            parameter.value = row[parameter.key]
            parameter.required = False
            columns.pop(parameter.key, None)

    statement = visitors.cloned_traverse(statement, {}, {"bindparam": replace})
    return statement.values(columns) if columns else statement


def _with_defaults(construct: t.Any, dialect: sa.Dialect, attribute: str) -> t.Any:
    columns = construct.compile(dialect=dialect).prefetch
    defaults = {column.key: getattr(column, attribute) for column in columns}

    if not defaults:
        return construct

    values = {
        key: default.arg(None) if default.is_callable else default.arg
        for key, default in defaults.items()
    }

    try:
        result = construct.values(values)
        result.compile(dialect=dialect)
        return result
    except InvalidRequestError as error:
        raise TypeError(
            f"a script has no default of the column '{next(iter(values))}' for several"
            " rows: give its value"
        ) from error


def _literal(type_: sa.types.TypeEngine[t.Any], dialect: sa.Dialect) -> _Literal | None:
    return type_.dialect_impl(dialect).literal_processor(dialect)
