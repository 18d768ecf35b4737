"""What the code of a revision can reach, found out without running it. A function that
reaches nothing but Alembic's operations, SQLAlchemy and its own constants does the same
on every database that answers it the same.
"""

from __future__ import annotations

import builtins
import datetime
import decimal
import dis
import enum
import types
import typing as t
import uuid

# What leads from an operation to the connection and so to one database, and what opens
# another one.
_DOORS: t.Final = frozenset(
    {
        "Session",
        "_proxy",
        "context",
        "create_async_engine",
        "create_engine",
        "engine_from_config",
        "get_bind",
        "get_context",
        "implementation_for",
        "migration_context",
        "register_operation",
        "run_async",
        "sessionmaker",
    }
)

# Alembic's own operations. An app may add others, which do what it likes.
_OPERATIONS: t.Final = frozenset(
    {
        "add_column",
        "alter_column",
        "batch_alter_table",
        "bulk_insert",
        "create_check_constraint",
        "create_exclude_constraint",
        "create_foreign_key",
        "create_index",
        "create_primary_key",
        "create_table",
        "create_table_comment",
        "create_unique_constraint",
        "drop_column",
        "drop_constraint",
        "drop_index",
        "drop_table",
        "drop_table_comment",
        "execute",
        "f",
        "inline_literal",
        "rename_table",
    }
)

_BUILTINS: t.Final = frozenset(
    """
    abs all any ascii bin bool bytes chr complex dict divmod enumerate filter float
    format frozenset hex int isinstance issubclass iter len list map max min next
    oct ord pow range repr reversed round set slice sorted str sum tuple type zip
    """.split()
)

_PLAIN: t.Final = (
    types.NoneType,
    bool,
    bytes,
    complex,
    datetime.date,
    datetime.time,
    datetime.timedelta,
    datetime.tzinfo,
    decimal.Decimal,
    enum.Enum,
    float,
    int,
    str,
    uuid.UUID,
)
_COLLECTIONS: t.Final = (dict, frozenset, list, set, tuple)


def beyond(function: t.Any) -> str | None:
    """What a function reaches that may differ from one database to another, or from one
    moment to another: a clock, chance, the app, the connection.

    :param function: ``upgrade`` or ``downgrade`` of a revision.
    :return: Its name; ``None`` if there is nothing of that kind.
    """
    if not isinstance(function, types.FunctionType):
        return repr(function)

    return _Search(function.__globals__).of(function)


class _Search:
    """The functions of one file, each looked at once."""

    def __init__(self, names: dict[str, t.Any]) -> None:
        self._names = names
        self._seen: set[int] = set()

    def of(self, function: types.FunctionType) -> str | None:
        if id(function) in self._seen:
            return None

        self._seen.add(id(function))
        cells = [cell.cell_contents for cell in function.__closure__ or ()]
        defaults = function.__defaults__ or ()
        values = [*cells, *defaults, *(function.__kwdefaults__ or {}).values()]
        found = (self._value(repr(value), value) for value in values)
        return next(filter(None, found), None) or self._code(function.__code__)

    def _code(self, code: types.CodeType) -> str | None:
        for name in code.co_names:
            if name in _DOORS or _is_added(name):
                return name

        for instruction in dis.get_instructions(code):
            if found := self._instruction(instruction):
                return found

        inner = (const for const in code.co_consts if isinstance(const, types.CodeType))
        return next(filter(None, map(self._code, inner)), None)

    def _instruction(self, instruction: dis.Instruction) -> str | None:
        name = str(instruction.argval)

        if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            return self._global(name)

        if instruction.opname == "IMPORT_NAME":
            return None if _root(name) == "sqlalchemy" else name

        is_written = instruction.opname in ("STORE_GLOBAL", "DELETE_GLOBAL")
        return name if is_written else None

    def _global(self, name: str) -> str | None:
        if name in self._names:
            return self._value(name, self._names[name])

        is_safe = name in _BUILTINS or _is_error(getattr(builtins, name, None))
        return None if is_safe else name

    def _value(self, name: str, value: object) -> str | None:
        if isinstance(value, types.FunctionType) and value.__globals__ is self._names:
            return self.of(value)

        if isinstance(value, _COLLECTIONS):
            items = value.items() if isinstance(value, dict) else value
            found = (self._value(name, item) for item in items)
            return next(filter(None, found), None)

        return None if isinstance(value, _PLAIN) or _is_known(value) else name


def _is_known(value: object) -> bool:
    """Whether a value is of SQLAlchemy, or ``op``."""
    if isinstance(value, types.ModuleType):
        return value.__name__ == "alembic.op" or _root(value.__name__) == "sqlalchemy"

    if isinstance(value, (type, types.FunctionType, types.MethodType)):
        module = value.__module__
        is_operation = module == "alembic.op" and value.__name__ in _OPERATIONS
        return is_operation or _root(module) == "sqlalchemy"

    return _root(type(value).__module__) == "sqlalchemy"


def _is_added(name: str) -> bool:
    """Whether it may be an operation that is not Alembic's."""
    import alembic.op

    return name not in _OPERATIONS and callable(getattr(alembic.op, name, None))


def _is_error(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, Exception)


def _root(module: str) -> str:
    return module.partition(".")[0]
