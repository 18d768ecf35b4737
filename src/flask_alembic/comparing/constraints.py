"""Whether indexes, unique constraints and foreign keys of a table are the same.

``False`` may mean that it can't be told here: Alembic compares such a table.
"""

from __future__ import annotations

import typing as t

import sqlalchemy as sa
from sqlalchemy.schema import conv
from sqlalchemy.sql.elements import quoted_name

if t.TYPE_CHECKING:
    from .facts import Reflected
    from .facts import TableFacts

_Columns = tuple[str, ...]
_Indexes = dict[str, tuple[bool, _Columns]]

# Names that stand in the database as they are.
_FINAL: t.Final = (str, quoted_name, conv)
_MYSQL: t.Final = frozenset({"mysql", "mariadb"})

# All that is known of what an inspector may tell. What it tells besides is not compared
# here.
_INDEX: t.Final = frozenset(
    {
        "name",
        "unique",
        "column_names",
        "include_columns",
        "dialect_options",
        "duplicates_constraint",
        "comment",
    }
)
_UNIQUE: t.Final = frozenset(
    {"name", "column_names", "duplicates_index", "dialect_options", "comment"}
)
_FOREIGN_KEY: t.Final = frozenset(
    {
        "name",
        "constrained_columns",
        "referred_schema",
        "referred_table",
        "referred_columns",
        "options",
        "comment",
    }
)
_OPTIONS: t.Final = frozenset({"onupdate", "ondelete", "deferrable", "initially"})


class _CannotTell(Exception):
    """Something is of a kind that is not compared here."""


def same_constraints(facts: TableFacts, table: sa.Table, dialect: sa.Dialect) -> bool:
    """Compare all that lies beside the columns of a table.

    :param facts: What the database has.
    :param table: What the models have.
    :param dialect: The dialect of the database.
    :return: ``True`` only if Alembic would find no difference.
    """
    try:
        return (
            _same_comment(facts, table, dialect)
            and _same_indexes(facts, table, dialect)
            and _same_foreign_keys(facts, table, dialect)
        )
    except (_CannotTell, sa.exc.SQLAlchemyError):
        return False


def _same_comment(facts: TableFacts, table: sa.Table, dialect: sa.Dialect) -> bool:
    return not dialect.supports_comments or (
        (facts.comment or None) == (table.comment or None)
    )


def _same_indexes(facts: TableFacts, table: sa.Table, dialect: sa.Dialect) -> bool:
    indexes = _reflected_indexes(facts)
    wanted = _model_indexes(table, dialect)

    if dialect.name in _MYSQL:
        # Alembic takes these for made by the server, whatever the models say.
        for name in _made_for_foreign_keys(facts, indexes):
            del indexes[name]
            wanted.pop(name, None)

    uniques = [_reflected_unique(found) for found in facts.unique_constraints]
    named, unnamed = _model_uniques(table, dialect)

    if wanted.keys() & named.keys():
        return False

    # Where a unique constraint is an index as well, the models say which it is.
    doubled = {name for name, _ in uniques if name in indexes}
    constraints = [found for found in uniques if found[0] not in wanted]

    for name in doubled - wanted.keys():
        del indexes[name]

    return indexes == wanted and _same_uniques(constraints, named, unnamed)


def _same_uniques(
    found: list[tuple[str | None, _Columns]],
    named: dict[str, _Columns],
    unnamed: set[_Columns],
) -> bool:
    """A constraint without a name in the models is found by its columns."""
    rest = {columns for name, columns in found if name not in named}
    in_database = [each for each in found if each[0] in named]
    return sorted(in_database) == sorted(named.items()) and rest == unnamed


def _reflected_indexes(facts: TableFacts) -> _Indexes:
    return {
        found["name"]: (bool(found["unique"]), tuple(found["column_names"]))
        for found in facts.indexes
        if _is_plain(found, _INDEX) and not found.get("duplicates_constraint")
    }


def _reflected_unique(found: Reflected) -> tuple[str | None, _Columns]:
    _is_plain(found, _UNIQUE)
    return found["name"], tuple(sorted(found["column_names"]))


def _is_plain(found: Reflected, known: frozenset[str]) -> bool:
    options = found.get("dialect_options", {}).values()

    # A value may be an expression, which has no truth.
    if found.keys() <= known and all(map(_is_unset, options)):
        return True

    raise _CannotTell


def _is_unset(option: t.Any) -> bool:
    return option is None or option is False or isinstance(option, list) and not option


def _made_for_foreign_keys(facts: TableFacts, indexes: _Indexes) -> list[str]:
    of_columns: dict[str, set[str]] = {}

    for key in facts.foreign_keys:
        for column in key["constrained_columns"]:
            of_columns.setdefault(column, set()).add(key["name"])

    return [
        name
        for name, (unique, columns) in indexes.items()
        if not unique
        and any(name == c or name in of_columns.get(c, ()) for c in columns)
    ]


def _model_indexes(table: sa.Table, dialect: sa.Dialect) -> _Indexes:
    result = {}

    for index in table.indexes:
        name = _name_of(index, dialect)

        if name is None or name in result:
            raise _CannotTell

        result[name] = (bool(index.unique), tuple(map(_column_name, index.expressions)))

    return result


def _column_name(expression: t.Any) -> str:
    if isinstance(expression, sa.Column):
        return expression.name

    raise _CannotTell


def _model_uniques(
    table: sa.Table, dialect: sa.Dialect
) -> tuple[dict[str, _Columns], set[_Columns]]:
    named: dict[str, _Columns] = {}
    unnamed: set[_Columns] = set()

    for constraint in table.constraints:
        if not isinstance(constraint, sa.UniqueConstraint):
            continue

        name = _name_of(constraint, dialect)
        columns = tuple(sorted(column.name for column in constraint.columns))

        if name is None:
            unnamed.add(columns)
        elif name in named:
            raise _CannotTell
        else:
            named[name] = columns

    return named, unnamed


def _name_of(item: sa.Index | sa.Constraint, dialect: sa.Dialect) -> str | None:
    """The name in the database."""
    if item.dialect_kwargs:
        raise _CannotTell

    if item.name is None:
        return None

    # A convention may still have to make the name, and a long one is cut off.
    name = str(item.name)

    if type(item.name) not in _FINAL or len(name) > _longest(dialect):
        raise _CannotTell

    return name


def _longest(dialect: sa.Dialect) -> int:
    lengths = (
        dialect.max_identifier_length,
        getattr(dialect, "max_index_name_length", None),
        getattr(dialect, "max_constraint_name_length", None),
    )
    return min(length for length in lengths if length)


def _same_foreign_keys(facts: TableFacts, table: sa.Table, dialect: sa.Dialect) -> bool:
    found = {_reflected_key(key) for key in facts.foreign_keys}
    wanted = {_model_key(key, dialect) for key in table.foreign_key_constraints}

    # The schema of the table itself takes part in Alembic's comparison.
    same_schema = not wanted or table.schema != dialect.default_schema_name
    return found == wanted and same_schema


def _reflected_key(key: Reflected) -> t.Hashable:
    options = key.get("options")

    if options is None or not (
        key.keys() <= _FOREIGN_KEY and options.keys() <= _OPTIONS
    ):
        raise _CannotTell

    return (
        tuple(key["constrained_columns"]),
        key["referred_schema"],
        key["referred_table"],
        tuple(key["referred_columns"]),
        *_actions(options.get("onupdate"), options.get("ondelete")),
        _deferred(options.get("deferrable"), options.get("initially")),
    )


def _model_key(key: sa.ForeignKeyConstraint, dialect: sa.Dialect) -> t.Hashable:
    actions = _actions(key.onupdate, key.ondelete)
    target: t.Any = key.elements[0].column.table

    if dialect.name in _MYSQL:
        # These servers don't tell of their default.
        actions = tuple(None if each == "restrict" else each for each in actions)

    return (
        tuple(element.parent.name for element in key.elements),
        target.schema,
        target.name,
        tuple(element.column.name for element in key.elements),
        *actions,
        _deferred(key.deferrable, key.initially),
    )


def _actions(*actions: str | None) -> tuple[str | None, ...]:
    lower = (action.lower() if action else None for action in actions)
    return tuple(None if action == "no action" else action for action in lower)


def _deferred(deferrable: bool | None, initially: str | None) -> str | None:
    if initially and initially.lower() == "deferred":
        return "initially"

    return "deferrable" if deferrable else None
