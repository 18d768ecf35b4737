"""What may be wrong with the version table, the history and the journal, and what mends
each.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from functools import partial

import sqlalchemy as sa
from alembic.runtime.migration import MigrationContext
from alembic.script import Script
from alembic.script import ScriptDirectory

from .. import alembic_internals
from ..applied_log import what_file
from ..applied_table import find
from ..applied_table import has_table
from ..applied_table import Noted
from ..applied_table import read_newest
from ..history import History
from ..history_reports import ChangedRevision
from ..history_reports import Finding
from ..own_tables import is_model
from ..own_tables import journal_name
from .edited import changes_of
from .facade import Facade
from .facade import lineage_heads

Heads = tuple[str, ...]


@dataclass(frozen=True)
class Found:
    """A finding, and what mends it."""

    finding: Finding
    mend: t.Callable[[], object]


def find_history(
    alembic: Facade, name: str, context: MigrationContext, heads: Heads
) -> t.Iterator[Found]:
    """Look at the version table, the history and the journal.

    :param alembic: The extension.
    :param name: Name of a database.
    :param context: Its context.
    :param heads: The ids in its version table.
    :return: What was found.
    """
    script = alembic.script_directory
    unknown = History(script).unknown(heads)
    known = tuple(head for head in heads if head not in unknown)

    for id_ in unknown:
        yield Found(Finding(name, "unknown", id_), _nothing)

    yield from _overlaps(script, name, context, known)

    if alembic.settings.run.history:
        yield from _noted(script, name, context, heads)

    yield from _journal(script, name, context, heads, known)


def _nothing() -> None:
    """Nothing can be done."""


def _overlaps(
    script: ScriptDirectory, name: str, context: MigrationContext, known: Heads
) -> t.Iterator[Found]:
    last = lineage_heads(script, known)

    for id_ in sorted(set(known) - set(last)):
        after = next(head for head in last if id_ in below(script, (head,)))
        yield Found(
            Finding(name, "overlap", id_, after, cure="remove"),
            partial(_delete, context, alembic_internals.version_column(context), id_),
        )


def below(script: ScriptDirectory, heads: Heads) -> set[str]:
    """The revisions that a database has.

    :param script: The revisions.
    :param heads: Ids in its version table that a file has.
    :return: Their ids, and those of all that come before.
    """
    return {
        found.revision
        for head in heads
        for found in script.iterate_revisions(head, "base")
    }


def _noted(
    script: ScriptDirectory, name: str, context: MigrationContext, heads: Heads
) -> t.Iterator[Found]:
    noted = read_newest(context)
    files = {found.revision: found for found in script.walk_revisions()}

    for change in changes_of(script, name, heads, noted):
        if change.kind != "missing":
            id_ = change.revision
            yield Found(
                Finding(name, change.kind, id_, _detail(change), "accept"),
                partial(_accept, context, noted[id_], files[id_], change.kind),
            )

    column = find(context).table.c.revision

    for id_, row in noted.items():
        if row.is_applied and id_ not in {*files, *heads, "base"}:
            yield Found(
                Finding(name, "forgotten", id_, cure="forget"),
                partial(_delete, context, column, id_),
            )


def _detail(change: ChangedRevision) -> str:
    if change.kind == "edited":
        return str(change.path)

    now, before = (", ".join(ids) or "nothing" for ids in (change.now, change.before))
    return f"{change.path} revises {now}, not {before}"


def _journal(
    script: ScriptDirectory,
    name: str,
    context: MigrationContext,
    heads: Heads,
    known: Heads,
) -> t.Iterator[Found]:
    """The statements of a revision that is done, or that no file has: nobody goes on
    with them.
    """
    table = _journal_table(context)
    connection = t.cast(sa.Connection, context.connection)

    if table is None:
        return

    columns = table.c.revision, table.c.direction
    rows = connection.execute(sa.select(*columns).distinct().order_by(*columns)).all()
    applied = {*below(script, known), *heads}
    unknown = History(script).unknown({id_ for id_, _ in rows})

    for id_, direction in rows:
        if direction == "snapshot" and not heads:
            continue  # 'prepare' goes on with it

        is_done = (id_ in applied) == (direction != "downgrade")

        if is_done or id_ in unknown:
            yield Found(
                Finding(name, "journal", id_, direction, cure="forget"),
                partial(_delete, context, table.c.revision, id_, direction),
            )


def _journal_table(context: MigrationContext) -> sa.TableClause | None:
    connection = t.cast(sa.Connection, context.connection)
    name, schema = journal_name(context), find(context).table.schema

    if is_model(context, name):
        return None

    if not has_table(connection, name, schema):
        return None

    columns = sa.column("revision", sa.String), sa.column("direction", sa.String)
    return sa.table(name, *columns, schema=schema)


def _delete(
    context: MigrationContext,
    column: sa.ColumnElement[str],
    id_: str,
    direction: str | None = None,
) -> None:
    table = t.cast(t.Any, column).table
    statement = sa.delete(table).where(column == id_)

    if direction is not None:
        statement = statement.where(table.c.direction == direction)

    t.cast(sa.Connection, context.connection).execute(statement)


def _accept(context: MigrationContext, row: Noted, file: Script, kind: str) -> None:
    table = find(context).table
    values = what_file(file)
    kept = values.pop("parents")

    if kind == "moved":
        values = {"parents": kept}

    statement = sa.update(table).where(table.c.id == row.id).values(values)
    t.cast(sa.Connection, context.connection).execute(statement)
