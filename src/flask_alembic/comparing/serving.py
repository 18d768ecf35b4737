"""Inspectors and dialects that answer from what was read before."""

from __future__ import annotations

import functools
import typing as t

import sqlalchemy as sa

from .facts import Names
from .facts import TableKey

Stored = dict[str, dict[TableKey, t.Any]]
"""What an inspector can be asked for, to table to the answer."""

_KINDS: t.Final = (
    "columns",
    "pk_constraint",
    "foreign_keys",
    "indexes",
    "unique_constraints",
    "table_comment",
    "check_constraints",
    "table_options",
)


def serving(
    connection: sa.Connection, names: Names, stored: Stored | None = None
) -> sa.Inspector:
    """An inspector for one comparison.

    :param connection: Where it asks for what was not read before.
    :param names: The tables that it sees.
    :param stored: The answers that are there already.
    :return: The inspector.
    """
    inspector = sa.inspect(connection)

    def get_table_names(schema: str | None = None, **options: t.Any) -> list[str]:
        return list(names.get(schema, ()))

    _replace(inspector, "get_table_names", get_table_names)

    for kind in _KINDS:
        answers = dict((stored or {}).get(kind, {}))
        many = getattr(inspector, f"get_multi_{kind}")
        _replace(inspector, f"get_multi_{kind}", _many(many, names, answers))

        if answers:
            one = getattr(inspector, f"get_{kind}")
            _replace(inspector, f"get_{kind}", _one(one, answers))

    return inspector


def _replace(
    inspector: sa.Inspector, name: str, method: t.Callable[..., t.Any]
) -> None:
    # Alembic asks for the name of the method.
    setattr(inspector, name, functools.wraps(getattr(inspector, name))(method))


def _many(
    ask: t.Callable[..., t.Any], names: Names, answers: dict[TableKey, t.Any]
) -> t.Callable[..., t.Any]:
    def get_multi(
        schema: str | None = None,
        filter_names: t.Collection[str] | None = None,
        **options: t.Any,
    ) -> t.Any:
        # No names at all would mean every table.
        every = names.get(schema, [])
        wanted = set(filter_names or every)

        if not wanted <= set(every):
            return ask(schema=schema, filter_names=list(wanted), **options)

        # Older versions of Alembic ask about one table after the other.
        if not all((schema, name) in answers for name in wanted):
            answers.update(ask(schema=schema, filter_names=every, **options))

        return {
            key: answers[key] for name in wanted if (key := (schema, name)) in answers
        }

    return get_multi


def _one(
    ask: t.Callable[..., t.Any], answers: dict[TableKey, t.Any]
) -> t.Callable[..., t.Any]:
    def get(table_name: str, schema: str | None = None, **options: t.Any) -> t.Any:
        if (schema, table_name) in answers:
            return answers[schema, table_name]

        return ask(table_name, schema=schema, **options)

    return get


def answering(dialect: sa.Dialect, answers: type, **state: t.Any) -> t.Any:
    """A dialect some methods of which answer from what was read before.

    :param dialect: The dialect of a connection, which is left alone.
    :param answers: A class with these methods.
    :param state: Attributes that they need.
    :return: A copy of the dialect.
    """
    kind: t.Any = type(dialect)
    made: t.Any = object.__new__(_kind(answers, kind))
    vars(made).update(vars(dialect), **state)
    return made


@functools.cache
def _kind(answers: t.Any, dialect: t.Any) -> type:
    return type(dialect.__name__, (answers, dialect), {})
