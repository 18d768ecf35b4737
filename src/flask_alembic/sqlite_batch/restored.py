"""Revisions that were written for plain Alembic make again what batch mode lost there:
triggers, and indexes of expressions. Here they are not lost, and the revision wins.
"""

from __future__ import annotations

import re
import typing as t
from contextlib import contextmanager

from ..listening import listening

if t.TYPE_CHECKING:
    import sqlalchemy as sa
    from alembic.runtime.migration import MigrationContext

    from .inspection import Found

_RESTORED: t.Final = "flask_alembic.restored"
_CREATES: t.Final = re.compile(r"\s*CREATE\b", re.IGNORECASE)


@contextmanager
def revision_wins(context: MigrationContext) -> t.Iterator[None]:
    """While a revision runs, let it make what batch mode has put back before.

    :param context: The context of any database.
    """
    connection = context.connection

    if connection is None or context.as_sql or context.dialect.name != "sqlite":
        yield
        return

    connection.info[_RESTORED] = set()

    try:
        with listening(connection, {"before_cursor_execute": _make_room}):
            yield
    finally:
        if not connection.closed and not connection.invalidated:
            connection.info.pop(_RESTORED, None)


def note_restored(found: Found, indexes: t.Iterable[str]) -> None:
    """Note what batch mode has put back.

    :param found: The table.
    :param indexes: The names of its indexes.
    """
    from ..sqlite_ddl.tokens import folded

    names = {("INDEX", found.schema, folded(name)) for name in indexes}
    names |= {("TRIGGER", found.schema, folded(name)) for name in found.triggers}
    found.connection.info.get(_RESTORED, set()).update(names)


def _make_room(
    connection: sa.Connection, cursor: t.Any, statement: str, *args: t.Any
) -> None:
    restored = connection.info.get(_RESTORED)

    if restored and _CREATES.match(statement):
        # Only batch mode needs them.
        from ..sqlite_ddl.tokens import created
        from .inspection import qualified

        made = created(statement)

        if made is not None and made in restored:
            restored.remove(made)
            kind, schema, name = made
            target = qualified(schema, name)
            connection.exec_driver_sql(f"DROP {kind} IF EXISTS {target}")
