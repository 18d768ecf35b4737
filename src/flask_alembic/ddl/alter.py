"""What the clauses of ``ALTER TABLE`` leave behind. Pure."""

from __future__ import annotations

import typing as t

from .words import Effect
from .words import Effects
from .words import QualifiedName
from .words import REPEAT
from .words import Words

# Clauses that may run again. Those with a name of a thing are elsewhere.
_REPEATED: t.Final = frozenset(
    {
        "ALGORITHM",
        "AUTO_INCREMENT",
        "CHARACTER",
        "CHARSET",
        "CLUSTER",
        "COLLATE",
        "COMMENT",
        "CONVERT",
        "DEFAULT",
        "DISABLE",
        "ENABLE",
        "ENGINE",
        "FORCE",
        "LOCK",
        "OWNER",
        "REPLICA",
        "RESET",
        "ROW_FORMAT",
        "SET",
        "VALIDATE",
    }
)

# What begins something else than a column after ADD or DROP.
_NO_COLUMN: t.Final = frozenset({"CHECK", "PARTITION", "PERIOD", "SYSTEM", "("})


def read_clauses(words: Words, table: QualifiedName) -> Effects | None:
    """What the clauses of a statement leave behind, taken together.

    :param words: What stands after the name of the table.
    :param table: The table.
    :return: The effects, or ``None`` if one of them does not tell.
    """
    found = [_read_clause(clause, table) for clause in words.split()]
    known = [effects for effects in found if effects is not None]

    if len(known) < len(found):
        return None

    return Effects(
        tuple(effect for effects in known for effect in effects.seen),
        all(effects.can_repeat for effects in known),
        words.has("CASCADE"),
    )


def _read_clause(words: Words, table: QualifiedName) -> Effects | None:
    reader = _READERS.get(words.next_key)

    if reader is None:
        return REPEAT if words.next_key in _REPEATED else None

    words.at += 1
    return reader(words, table)


def _read_add(words: Words, table: QualifiedName) -> Effects | None:
    if words.take("CONSTRAINT"):
        can_repeat = words.take("IF", "NOT", "EXISTS")

        # The name may be left out.
        if words.next_key not in ("PRIMARY", "FOREIGN", "UNIQUE", "CHECK"):
            name = words.name()

            if words.take("PRIMARY", "KEY"):
                return Effects((_primary_key(table, True),))

            return _one(table, "constraint", True, name, can_repeat)

    if words.take("PRIMARY", "KEY"):
        return Effects((_primary_key(table, True),))

    if words.take("FOREIGN", "KEY"):
        return _read_foreign_key(words, table)

    kind = words.take_any("UNIQUE", "FULLTEXT", "SPATIAL")
    kind = words.take_any("INDEX", "KEY") or kind
    wanted: t.Literal["index", "column"] = "index" if kind else "column"

    if not kind:
        words.take("COLUMN")

    can_repeat = words.take("IF", "NOT", "EXISTS")

    if words.next_key in _NO_COLUMN:
        return None

    name = words.name()
    return _one(table, wanted, True, name, can_repeat)


def _read_foreign_key(words: Words, table: QualifiedName) -> Effects | None:
    """One without a name is told by its columns."""
    columns: list[str] = []

    if words.take("("):
        columns = [found.name for found in words.names()]

    if not columns or not words.take(")", "REFERENCES"):
        return None

    return Effects((table.holding("foreign key", True, ", ".join(columns)),))


def _read_drop(words: Words, table: QualifiedName) -> Effects | None:
    if words.take("PRIMARY", "KEY"):
        return Effects((_primary_key(table, False),))

    wanted: t.Literal["constraint", "index", "column"] = "column"

    if words.take("CONSTRAINT") or words.take("FOREIGN", "KEY") or words.take("CHECK"):
        wanted = "constraint"
    elif words.take_any("INDEX", "KEY"):
        wanted = "index"
    else:
        words.take("COLUMN")

    can_repeat = words.take("IF", "EXISTS")

    if words.next_key in _NO_COLUMN:
        return None

    name = words.name()
    return _one(table, wanted, False, name, can_repeat)


def _read_change(words: Words, table: QualifiedName) -> Effects | None:
    words.take("COLUMN")

    if words.take("IF", "EXISTS"):
        return None

    return _renamed(table, "column", words.name(), words.name(), _keeps_keys(words))


def _read_rename(words: Words, table: QualifiedName) -> Effects | None:
    if words.take_any("INDEX", "KEY"):
        return _renamed(table, "index", *_old_and_new(words))

    if words.take("CONSTRAINT"):
        return _renamed(table, "constraint", *_old_and_new(words))

    if words.take("COLUMN"):
        return _renamed(table, "column", *_old_and_new(words))

    if words.take_any("TO", "AS"):
        return _read_new_table(words, table)

    # PostgreSQL leaves COLUMN out, MySQL leaves TO out.
    if len(words.words) - words.at == 3:
        return _renamed(table, "column", *_old_and_new(words))

    return _read_new_table(words, table)


def _read_new_table(words: Words, table: QualifiedName) -> Effects | None:
    new = words.qualified_name()

    if new is None:
        return None

    named = QualifiedName(new.name, new.schema or table.schema)
    return Effects((table.itself(False), named.itself(True)))


def _read_modify(words: Words, table: QualifiedName) -> Effects | None:
    return REPEAT if _keeps_keys(words) else None


def _read_alter(words: Words, table: QualifiedName) -> Effects | None:
    words.take("COLUMN")
    words.name()
    repeats = (
        words.next_key in ("SET", "TYPE")
        or words.take("DROP", "DEFAULT")
        or words.take("DROP", "NOT", "NULL")
    )
    # It may count with the value that the column has.
    return REPEAT if repeats and not words.has("USING") else None


def _keeps_keys(words: Words) -> bool:
    """Whether a column is written without a key, of which MySQL makes another one."""
    return not (words.has("UNIQUE") or words.has("PRIMARY") or words.has("KEY"))


def _old_and_new(words: Words) -> tuple[str | None, str | None]:
    old = words.name()
    return old, words.name() if words.take("TO") else None


def _renamed(
    table: QualifiedName,
    kind: t.Literal["column", "index", "constraint"],
    old: str | None,
    new: str | None,
    repeats: bool = True,
) -> Effects | None:
    if old is None or new is None:
        return None

    if old.lower() == new.lower():
        return REPEAT if repeats else None

    return Effects((table.holding(kind, False, old), table.holding(kind, True, new)))


def _primary_key(table: QualifiedName, exists: bool) -> Effect:
    return table.holding("primary key", exists, "primary")


def _one(
    table: QualifiedName,
    kind: t.Literal["column", "index", "constraint"],
    exists: bool,
    name: str | None,
    can_repeat: bool,
) -> Effects | None:
    if name is None:
        return None

    return Effects((table.holding(kind, exists, name),), can_repeat)


_READERS: t.Final[dict[str, t.Callable[[Words, QualifiedName], Effects | None]]] = {
    "ADD": _read_add,
    "ALTER": _read_alter,
    "CHANGE": _read_change,
    "DROP": _read_drop,
    "MODIFY": _read_modify,
    "RENAME": _read_rename,
}
