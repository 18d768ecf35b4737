"""A table of SQLite is made anew, and what hangs on it is kept. What the new table is
like is decided one floor up.

The steps are those under "Making Other Kinds Of Table Schema Changes" in
https://www.sqlite.org/lang_altertable.html.
"""

from __future__ import annotations

import typing as t
from contextlib import contextmanager
from contextlib import suppress

from sqlalchemy.exc import DBAPIError

from ..errors import FlaskAlembicError
from ..sql_words import quoted
from ..sqlite_ddl.tokens import folded
from ..sqlite_ddl.tokens import tokens
from ..sqlite_ddl.tokens import with_schema
from .inspection import broken
from .inspection import errors_of
from .inspection import Found
from .inspection import master
from .inspection import qualified
from .inspection import run

if t.TYPE_CHECKING:
    import sqlalchemy as sa

    from ..sqlite_ddl.tables import TableText

_AROUND: t.Final = "In the revision, drop it before the batch and create it after."


@contextmanager
def all_or_nothing(connection: sa.Connection) -> t.Iterator[None]:
    """Undo all if something fails, whatever transaction there is.

    :param connection: A connection to SQLite.
    """
    run(connection, "SAVEPOINT flask_alembic_batch")

    try:
        yield
    except BaseException:
        # SQLite may have rolled back by itself.
        with suppress(DBAPIError):
            run(connection, "ROLLBACK TO flask_alembic_batch")
            run(connection, "RELEASE flask_alembic_batch")

        raise

    run(connection, "RELEASE flask_alembic_batch")


@contextmanager
def renaming_tables(connection: sa.Connection, *, alone: bool) -> t.Iterator[None]:
    """Choose what SQLite does when something is renamed.

    :param connection: A connection to SQLite.
    :param alone: Whether what refers to it is left alone. Otherwise it follows, and
        SQLite refuses if something is broken.
    """
    before = run(connection, "PRAGMA legacy_alter_table")

    # SQLite before 3.26 has no such choice.
    if not before:
        yield
        return

    run(connection, f"PRAGMA legacy_alter_table={int(alone)}")

    try:
        yield
    finally:
        run(connection, f"PRAGMA legacy_alter_table={before[0][0]}")


def replace_table(
    found: Found, table: TableText, copied: t.Iterable[tuple[str, str]]
) -> None:
    """Make the table anew, with its rows and without what hangs on it.

    :param found: The table.
    :param table: What it shall be.
    :param copied: Columns, and what is copied into each.
    """
    temporary = f"_alembic_tmp_{found.name}"
    target = qualified(found.schema, temporary)
    source = qualified(found.schema, found.name)
    pairs = [(quoted(name), expression) for name, expression in copied]
    names = ", ".join(name for name, _ in pairs)
    values = ", ".join(value for _, value in pairs)
    found.run(table.create(target))

    if pairs and found.rows:
        found.run(f"INSERT INTO {target} ({names}) SELECT {values} FROM {source}")

    found.run(f"DROP TABLE {source}")
    found.run(f"ALTER TABLE {target} RENAME TO {quoted(found.name)}")


def rename_columns(found: Found, renames: t.Mapping[str, str]) -> None:
    """Rename columns, and all that refers to them.

    :param found: The table.
    :param renames: Old names to new ones.
    :raises FlaskAlembicError: If a view or a trigger would not work then.
    """
    pairs = list(renames.items())

    # Two columns may change names.
    if {folded(name) for name in renames.values()} & {folded(name) for name in renames}:
        steps = [
            (old, f"_flask_alembic_{i}", new) for i, (old, new) in enumerate(pairs)
        ]
        pairs = [(old, between) for old, between, _ in steps]
        pairs += [(between, new) for _, between, new in steps]

    target = qualified(found.schema, found.name)

    for old, new in pairs:
        change = f"RENAME COLUMN {quoted(old)} TO {quoted(new)}"

        try:
            found.run(f"ALTER TABLE {target} {change}")
        except DBAPIError as error:
            if str(error.orig).startswith("error in"):
                raise FlaskAlembicError(
                    f"The column '{old}' of '{found.name}' can't be renamed:"
                    f" {error.orig}",
                    hint=_AROUND,
                ) from error

            raise


def rowid(before: TableText, after: TableText) -> list[tuple[str, str]]:
    """What copies the numbers of the rows, where no column does. SQLite gives new ones
    otherwise, and rows without another order change places.

    :param before: The table.
    :param after: What it shall be.
    :return: One thing to copy, or none.
    """
    for table in (before, after):
        if table.has_option("WITHOUT ROWID") or table.rowid_column:
            return []

    taken = {folded(name) for name in (*before.names, *after.names)}
    free = [name for name in ("rowid", "_rowid_", "oid") if name not in taken]
    return [(free[0], free[0])] if free else []


def restore(found: Found, indexes: t.Iterable[str]) -> None:
    """Put back what hung on the table.

    :param found: The table, as it was.
    :param indexes: The names of the indexes to put back, if they are not there.
    :raises FlaskAlembicError: If something does not work any more.
    """
    _check_rows(found)
    now = {row[0] for row in found.run(f"SELECT name FROM {master(found.schema)}")}

    for name in indexes:
        if name not in now:
            found.run(with_schema(found.indexes[name], found.schema))

    _restore_sequence(found)

    for name, sql in found.triggers.items():
        found.run(with_schema(sql, found.schema))

        for error in errors_of(found.connection, found.schema, "table", found.name):
            if (found.name, error) not in found.broken:
                raise FlaskAlembicError(
                    f"The trigger '{name}' does not work with the new table"
                    f" '{found.name}': {error}",
                    hint="In the revision, drop it before the batch and create it"
                    f" after: DROP TRIGGER {quoted(name)}",
                )


def check_others(found: Found) -> None:
    """Check what else uses the table: views, and triggers of other tables.

    :param found: The table, as it was.
    :raises FlaskAlembicError: If something does not work any more.
    """
    now = broken(found.connection, found.schema)

    for name, error in sorted(now - found.broken):
        is_view = found.run(
            f"SELECT 1 FROM {master(found.schema)} WHERE type = 'view' AND name = ?",
            name,
        )
        what = f"view '{name}'" if is_view else f"table '{name}', or a trigger of it,"
        raise FlaskAlembicError(
            f"The {what} does not work with the new table '{found.name}': {error}",
            hint=_AROUND,
        )


def _check_rows(found: Found) -> None:
    source = qualified(found.schema, found.name)
    rows = found.run(f"SELECT count(*) FROM {source}")[0][0]

    if rows != found.rows:
        raise FlaskAlembicError(
            f"The table '{found.name}' had {found.rows} rows and would have {rows}."
            " Batch mode must keep them.",
            hint="Look for what deletes or adds rows while they are copied.",
        )


def _restore_sequence(found: Found) -> None:
    if found.sequence is not None and _has_sequence(found.made()):
        target = qualified(found.schema, "sqlite_sequence")
        found.run(f"DELETE FROM {target} WHERE name = ?", found.name)
        found.run(
            f"INSERT INTO {target} (name, seq) VALUES (?, ?)",
            found.name,
            found.sequence,
        )


def _has_sequence(sql: str) -> bool:
    return any(token.is_word("AUTOINCREMENT") for token in tokens(sql))
