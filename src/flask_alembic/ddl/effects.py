"""What a statement leaves behind in the schema, read from its text. Pure: whether it is
there is asked elsewhere.
"""

from __future__ import annotations

import typing as t

from ..sql_words import split_words
from .alter import read_clauses
from .words import Effect
from .words import Effects
from .words import Kind
from .words import QualifiedName
from .words import REPEAT
from .words import Words

# Running one of these again, when nothing ran after it, does nothing else.
_REPEATED: t.Final = frozenset(
    {
        "ANALYZE",
        "CHECK",
        "CLUSTER",
        "COMMENT",
        "FLUSH",
        "GRANT",
        "OPTIMIZE",
        "REFRESH",
        "REINDEX",
        "REPAIR",
        "TRUNCATE",
        "VACUUM",
    }
)


def read_effects(statement: str, *, folds_names: bool) -> Effects | None:
    """What is to be seen of a statement in the schema, once it took effect.

    :param statement: The statement.
    :param folds_names: Whether the database makes names small that are not quoted, as
        PostgreSQL does.
    :return: The effects, or ``None`` if its text does not tell.
    """
    words = Words(split_words(statement), folds_names=folds_names)

    if words.has_sign(";"):
        return None  # more than one statement

    return _READERS.get(words.next_key, _read_other)(words)


def net_effects(statements: t.Iterable[Effects | None]) -> tuple[Effect, ...]:
    """What is to be seen when several statements ran, one after the other.

    :param statements: Their effects, in order; ``None`` for one that may have done
        anything to the schema.
    :return: What no later one took back, as far as that is certain.
    """
    found: dict[object, Effect] = {}

    for effects in statements:
        if effects is None or effects.spreads:
            found.clear()

        for effect in effects.seen if effects is not None else ():
            found = {k: v for k, v in found.items() if not effect.may_undo(v)}
            found[effect.key] = effect

    return tuple(found.values())


def index_of(statement: str, *, folds_names: bool) -> tuple[Effect, bool] | None:
    """The index that a statement makes.

    :param statement: The statement.
    :param folds_names: As above.
    :return: The index, and whether it is made ``CONCURRENTLY``; ``None`` for any other
        statement.
    """
    words = Words(split_words(statement), folds_names=folds_names)

    if not words.take("CREATE"):
        return None

    words.take("UNIQUE")
    found = _read_create_index(words)
    made = found.seen[0] if found is not None and found.seen else None
    return (made, words.has("CONCURRENTLY")) if made is not None else None


def _read_other(words: Words) -> Effects | None:
    return REPEAT if words.next_key in _REPEATED else None


def _read_create(words: Words) -> Effects | None:
    words.take("CREATE")
    replaces = words.take("OR", "REPLACE")
    words.take_any("UNIQUE", "FULLTEXT", "SPATIAL", "UNLOGGED")

    if words.next_key == "INDEX":
        return _read_create_index(words)

    for start, kind in _KINDS:
        if words.take(*start):
            can_repeat = words.take("IF", "NOT", "EXISTS") or replaces
            return _one(_of_its_own(kind, True, words.qualified_name()), can_repeat)

    return REPEAT if replaces else None


def _read_create_index(words: Words) -> Effects | None:
    if not words.take("INDEX"):
        return None

    _take_concurrently(words)
    can_repeat = words.take("IF", "NOT", "EXISTS")
    name = words.name()

    if words.take("USING"):
        words.name()

    if name is None or not words.take("ON"):
        return None

    words.take("ONLY")
    table = words.qualified_name()
    return _one(table and table.holding("index", True, name), can_repeat)


def _take_concurrently(words: Words) -> None:
    """Go past the keyword, which for MySQL may be the name of the index."""
    at = words.at

    if words.take("CONCURRENTLY") and words.take("ON"):
        words.at = at


def _read_drop(words: Words) -> Effects | None:
    words.take("DROP")

    if words.take("INDEX"):
        return _read_drop_index(words)

    for start, kind in _KINDS:
        if words.take(*start):
            can_repeat = words.take("IF", "EXISTS")
            spreads = words.has("CASCADE")
            names = words.names()
            found = [_of_its_own(kind, False, name) for name in names]
            seen = tuple(effect for effect in found if effect is not None)
            return Effects(seen, can_repeat, spreads) if seen else None

    return None


def _read_drop_index(words: Words) -> Effects | None:
    _take_concurrently(words)
    can_repeat = words.take("IF", "EXISTS")
    name = words.qualified_name()

    if name is None:
        return None

    if words.take("ON"):
        table = words.qualified_name()
        effect = table and table.holding("index", False, name.name)
    elif words.has_sign(","):
        return None
    else:
        effect = Effect("index", False, name.name, schema=name.schema)

    return _one(effect, can_repeat, words.has("CASCADE"))


def _read_rename(words: Words) -> Effects | None:
    words.take("RENAME")

    if not (words.take("TABLE") or words.take("TABLES")):
        return None

    seen: list[Effect] = []

    while (old := words.qualified_name()) and words.take("TO"):
        if (new := words.qualified_name()) is None:
            return None

        seen += [old.itself(False), new.itself(True)]

        if not words.take(","):
            break

    return Effects(tuple(seen)) if seen and words.is_at_end else None


def _read_alter(words: Words) -> Effects | None:
    words.take("ALTER")
    words.take("IGNORE")

    if words.take("TYPE"):
        return _read_enum_value(words)

    if not words.take("TABLE"):
        return None

    if_exists = words.take("IF", "EXISTS")
    words.take("ONLY")
    table = words.qualified_name()

    if table is None or if_exists:
        return None

    return read_clauses(words, table)


def _read_enum_value(words: Words) -> Effects | None:
    name = words.qualified_name()

    if name is None or not words.take("ADD", "VALUE"):
        return None

    can_repeat = words.take("IF", "NOT", "EXISTS")
    value = words.text()
    return _one(value and name.holding("enum value", True, value), can_repeat)


def _of_its_own(kind: Kind, exists: bool, name: QualifiedName | None) -> Effect | None:
    return None if name is None else Effect(kind, exists, name.name, schema=name.schema)


def _one(effect: object, can_repeat: bool, spreads: bool = False) -> Effects | None:
    return (
        Effects((effect,), can_repeat, spreads) if isinstance(effect, Effect) else None
    )


_KINDS: t.Final[tuple[tuple[tuple[str, ...], Kind], ...]] = (
    (("MATERIALIZED", "VIEW"), "table"),
    (("TABLE",), "table"),
    (("VIEW",), "table"),
    (("SEQUENCE",), "sequence"),
    (("SCHEMA",), "schema"),
)
_READERS: t.Final[dict[str, t.Callable[[Words], Effects | None]]] = {
    "ALTER": _read_alter,
    "CREATE": _read_create,
    "DROP": _read_drop,
    "RENAME": _read_rename,
}
