"""What stands against making a table of SQLite anew. Nothing has been changed yet."""

from __future__ import annotations

import logging
import typing as t

from sqlalchemy.exc import DBAPIError

from ..alembic_batch import temporary_name
from ..errors import FlaskAlembicError
from ..sql_words import quoted
from ..sqlite_ddl.tokens import folded
from .inspection import Found
from .inspection import master
from .inspection import prefix
from .inspection import qualified
from .inspection import run

if t.TYPE_CHECKING:
    import sqlalchemy as sa

_log = logging.getLogger("flask_alembic")


def clear_leftover(
    connection: sa.Connection, schema: str | None, table: str, found: Found | None
) -> None:
    """Drop what batch mode left behind when it failed, without a transaction.

    :param connection: A connection to SQLite.
    :param schema: The name of an attached database; ``None`` for the main one.
    :param table: The name of the table that was to be made anew.
    :param found: The table, if there is one.
    :raises FlaskAlembicError: If it may hold the only copy of the rows.
    """
    left = temporary_name(table)
    target = qualified(schema, left)

    if not run(connection, f"SELECT 1 FROM {master(schema)} WHERE name = ?", left):
        return

    if found is None:
        raise FlaskAlembicError(
            f"There is no table '{table}', but a table '{left}', which batch mode left"
            " behind when it failed. It may hold the only copy of the rows.",
            hint=f"Rename it back: ALTER TABLE {target} RENAME TO {quoted(table)}",
        )

    if not found.rows and run(connection, f"SELECT 1 FROM {target} LIMIT 1"):
        raise FlaskAlembicError(
            f"The table '{table}' is empty, and the table '{left}', which batch mode"
            " left behind when it failed, has rows. They may be the only copy.",
            hint=f"Copy them to '{table}', then: DROP TABLE {target}",
        )

    if left.endswith(table):  # otherwise another table may have left it
        _log.warning(
            "The table '%s' is dropped: batch mode left it behind when it failed, and"
            " '%s' is still there.",
            left,
            found.name,
        )
        run(connection, f"DROP TABLE {target}")


def refuse_cascade(found: Found) -> None:
    """Make sure that dropping the table deletes no rows of others.

    :param found: The table.
    :raises FlaskAlembicError: If it would.
    """
    if not found.run("PRAGMA foreign_keys")[0][0]:
        return

    for child, columns in _references(found):
        given = " AND ".join(f"{quoted(name)} IS NOT NULL" for name in columns)
        target = qualified(found.schema, child)

        if found.run(f"SELECT 1 FROM {target} WHERE {given} LIMIT 1"):
            raise FlaskAlembicError(
                f"Rows of the table '{child}' refer to '{found.name}', which batch mode"
                " drops and makes anew. SQLite checks foreign keys, so it would delete"
                " or change them, and that can't be put off in a transaction that has"
                " begun.",
                hint="Run PRAGMA foreign_keys=OFF before the transaction begins.",
            )


def refuse_use(found: Found, column: str) -> None:
    """Make sure that no view and no trigger needs a column that is to go. SQLite tells
    what it would rename in which of them, which is exact. Where something is broken
    already it does not.

    :param found: The table.
    :param column: The name of the column.
    :raises FlaskAlembicError: If one does.
    """
    asked = f"SELECT type, name, sql FROM {master(found.schema)}"
    before = set(found.run(asked))
    found.run("SAVEPOINT flask_alembic_use")

    try:
        found.run(
            f"ALTER TABLE {qualified(found.schema, found.name)}"
            f" RENAME COLUMN {quoted(column)} TO _flask_alembic_use"
        )
        changed = set(found.run(asked)) - before
    except DBAPIError:
        changed = set()
    finally:
        found.run("ROLLBACK TO flask_alembic_use")
        found.run("RELEASE flask_alembic_use")

    for kind, name, _ in sorted(changed):
        if kind in {"trigger", "view"}:
            raise FlaskAlembicError(
                f"The {kind} '{name}' uses the column '{column}' of '{found.name}',"
                " which is dropped.",
                hint="In the revision, drop it before the batch and create it after:"
                f" DROP {kind.upper()} {quoted(name)}",
            )


def _references(found: Found) -> t.Iterator[tuple[str, list[str]]]:
    """The foreign keys of other tables, and its own: the new table has them too, while
    the old one goes.
    """
    asked = f"SELECT name FROM {master(found.schema)} WHERE type = 'table'"
    pragma = f"{prefix(found.schema)}foreign_key_list"

    for (child,) in found.run(asked):
        keys: dict[int, list[str]] = {}

        for row in found.run(f"PRAGMA {pragma}({quoted(child)})"):
            if folded(row[2]) == folded(found.name):
                keys.setdefault(row[0], []).append(row[3])

        yield from ((child, columns) for columns in keys.values())
