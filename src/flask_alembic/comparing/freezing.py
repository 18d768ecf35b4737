"""Types and server defaults as values that are equal where Alembic can't tell them
apart.
"""

from __future__ import annotations

import typing as t

import sqlalchemy as sa
from sqlalchemy.sql.elements import False_
from sqlalchemy.sql.elements import Null
from sqlalchemy.sql.elements import TextClause
from sqlalchemy.sql.elements import True_
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeEngine

# What SQLAlchemy notes on an object, and what belongs to one object alone.
_NOTES: t.Final = frozenset(
    {"dispatch", "column", "_static_cache_key", "_type_affinity", "_object_lookup"}
)
_CONSTANTS: t.Final = (True_, False_, Null)


class Kinds:
    """Keeps one of all values that are equal. Thousands of columns are of few kinds,
    and what is thrown away at once costs the garbage collector nothing.
    """

    def __init__(self) -> None:
        self._kept: dict[t.Hashable, t.Hashable] = {}

    def one(self, value: t.Hashable) -> t.Hashable:
        """Take the value that is kept.

        :param value: Any value.
        :return: An equal one.
        """
        return self._kept.setdefault(value, value)


def frozen(value: t.Any) -> t.Hashable:
    """Make a value of an object's state.

    :param value: A type, or what one is made of.
    :return: A value that is equal for equal states.
    :raises TypeError: If something in it has no hash.
    """
    if isinstance(value, (str, int, type(None))):
        return value

    if isinstance(value, (TypeEngine, sa.Identity)):
        return frozen_state(value)

    if isinstance(value, (list, tuple)):
        return tuple(map(frozen, value))

    if isinstance(value, t.Mapping):
        return tuple((frozen(key), frozen(each)) for key, each in value.items())

    hash(value)
    return t.cast("t.Hashable", value)


def frozen_state(value: object) -> t.Hashable:
    """Make a value of all that an object holds.

    :param value: The object.
    :return: A value that is equal for equal states of one class.
    :raises TypeError: If something in it has no hash.
    """
    state = vars(value)
    return value.__class__, *(
        (name, frozen(state[name])) for name in state if name not in _NOTES
    )


def frozen_default(default: t.Any, dialect: sa.Dialect) -> t.Hashable:
    """Make a value of a column's server default in the models.

    :param default: What ``Column.server_default`` holds.
    :param dialect: The dialect that it is compared on.
    :return: A value that is equal for equal defaults.
    :raises TypeError: If it is of a kind that takes part in more than its column.
    """
    if default is None:
        return None

    if type(default) is sa.Identity:
        return frozen(default)

    if type(default) is not sa.DefaultClause:
        raise TypeError(default)

    return _frozen_clause(default.arg, dialect)


def _frozen_clause(clause: t.Any, dialect: sa.Dialect) -> t.Hashable:
    if isinstance(clause, str):
        return str, clause

    if type(clause) in _CONSTANTS:
        return t.cast("t.Hashable", type(clause))

    # Compiling is slow, and most defaults are texts, or functions like now().
    if type(clause) is TextClause and ":" not in clause.text:
        return TextClause, clause.text

    if isinstance(clause, FunctionElement) and not len(clause.clauses):
        return clause.__class__, getattr(clause, "name", None), _packages(clause)

    return "sql", _compiled(clause, dialect)


def _packages(function: t.Any) -> tuple[str, ...]:
    return tuple(getattr(function, "packagenames", ()))


def _compiled(clause: sa.ClauseElement, dialect: sa.Dialect) -> str:
    try:
        return str(
            clause.compile(dialect=dialect, compile_kwargs={"literal_binds": True})
        )
    except sa.exc.SQLAlchemyError as error:
        raise TypeError(clause) from error
