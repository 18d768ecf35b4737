"""How values stand in a script, where SQLAlchemy has no literal for them."""

from __future__ import annotations

import typing as t

import sqlalchemy as sa
from sqlalchemy.types import NullType

_BYTES: t.Final = {
    "mssql": "0x{}",
    "oracle": "hextoraw('{}')",
    "postgresql": r"'\x{}'::bytea",
}


class _Untyped(NullType):
    """A column that a revision wrote without a type: the value has one."""

    def literal_processor(self, dialect: sa.Dialect) -> t.Callable[[t.Any], str]:
        def process(value: t.Any) -> str:
            type_ = sa.literal(value).type
            literal = (
                None
                if isinstance(type_, NullType)
                else type_.dialect_impl(dialect).literal_processor(dialect)
            )

            if literal is None:
                raise TypeError(f"no SQL for {value!r}: give its column a type")

            return literal(value)

        return process


class _Bytes(sa.LargeBinary):
    def literal_processor(self, dialect: sa.Dialect) -> t.Callable[[t.Any], str]:
        pattern = _BYTES.get(dialect.name, "X'{}'")
        return lambda value: pattern.format(bytes(value).hex())


def add_literals(dialect: sa.Dialect) -> None:
    """Let a dialect render bytes, and values of columns without a type.

    :param dialect: A dialect that nobody else uses.
    """
    dialect.colspecs = {
        **dialect.colspecs,
        NullType: _Untyped,
        sa.LargeBinary: _Bytes,
    }
