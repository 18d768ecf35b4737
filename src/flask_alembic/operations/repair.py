"""Find what is wrong with a database's history and what failed revisions left behind,
and mend it. How each is found and mended stands in findings.py and leftovers.py.
"""

from __future__ import annotations

import typing as t
from dataclasses import replace

from alembic.runtime.migration import MigrationContext
from sqlalchemy.exc import DBAPIError

from .. import alembic_internals
from ..descriptions import describe
from ..history_reports import Finding
from ..history_reports import RepairReport
from ..redaction import redact
from ..version_table import read_heads
from .facade import Facade
from .facade import name_of
from .findings import find_history
from .leftovers import find_leftovers

if t.TYPE_CHECKING:
    from .findings import Found

Apply = bool | t.Callable[[Finding], bool]


def repair(alembic: Facade, *, apply: Apply) -> RepairReport:
    """Find what can be mended, and mend it.

    :param alembic: The extension.
    :param apply: Whether to mend; or a function that is asked for each finding.
    :return: What was found, and done.
    """
    found = [
        item.finding
        for name, context in alembic.migration_contexts.items()
        for item in _find(alembic, name, context)
    ]
    _end_reads(alembic)
    chosen = {
        finding for finding in found if finding.cure and _is_wanted(finding, apply)
    }

    if not chosen:
        return RepairReport(tuple(found))

    done: dict[Finding, Finding] = {}

    def work(heads: tuple[str, ...], context: MigrationContext) -> None:
        # They are looked for once more, under the lock of a run.
        for item in _find(alembic, name_of(alembic, context), context):
            if item.finding in chosen:
                done[item.finding] = _mend(item, context)

    alembic.run_migrations(work)
    # What is gone meanwhile is mended.
    return RepairReport(
        tuple(done.get(f, replace(f, mended=True)) if f in chosen else f for f in found)
    )


def _is_wanted(finding: Finding, apply: Apply) -> bool:
    return apply if isinstance(apply, bool) else apply(finding)


def _end_reads(alembic: Facade) -> None:
    """Nobody waits for us while a user thinks."""
    for context in alembic.migration_contexts.values():
        _end_read(context)


def _end_read(context: MigrationContext) -> None:
    if not alembic_internals.in_external_transaction(context):
        t.cast(t.Any, context.connection).commit()


def _find(alembic: Facade, name: str, context: MigrationContext) -> list[Found]:
    heads = read_heads(context, name)
    return [
        *find_history(alembic, name, context, heads),
        *find_leftovers(alembic, name, context, heads),
    ]


def _mend(item: Found, context: MigrationContext) -> Finding:
    _end_read(context)

    try:
        item.mend()
        _end_read(context)
    except DBAPIError as error:
        connection = t.cast(t.Any, context.connection)

        if error.connection_invalidated:
            raise

        if alembic_internals.in_external_transaction(context):
            raise

        connection.rollback()
        reason = redact(describe(error), connection.engine)
        return replace(item.finding, reason=reason)

    return replace(item.finding, mended=True)
