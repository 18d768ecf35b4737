"""One step is run on one database: what watches the connection meanwhile, and who is
told. Transactions are not known here.
"""

from __future__ import annotations

import typing as t
from contextlib import contextmanager
from contextlib import ExitStack

from . import alembic_internals
from .async_operations import make_operations
from .invalid_indexes import dropping
from .sqlite_batch import revision_wins

if t.TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext
    from alembic.runtime.migration import MigrationStep

    from .journal import Journal
    from .kept import StatementLog
    from .tapes import Recorder


@contextmanager
def watched(
    context: MigrationContext,
    step: MigrationStep,
    log: StatementLog,
    journal: Journal | None,
    standing: t.Collection[str],
    recorder: Recorder | None = None,
) -> t.Iterator[list[str]]:
    """Watch the connection while a step runs.

    :param context: The context of the database.
    :param step: The step.
    :param log: What notes which statements last.
    :param journal: What notes which were done, for the next run.
    :param standing: The ids in the version table.
    :param recorder: What makes a tape of it, for other databases.
    :return: The statements that were skipped, as an earlier run had done them.
    """
    connection, skipped = context.connection, list[str]()

    with ExitStack() as stack:
        if connection is not None and not context.as_sql:
            # In this order: the log has to see what the journal replaces.
            stack.enter_context(log.listening(connection))

            if journal is not None:
                guard = stack.enter_context(journal.guarding(step, standing))
                skipped = guard.skipped

            stack.enter_context(dropping(connection))
            stack.enter_context(revision_wins(context))

            if recorder is not None:
                # After all that executes something of its own.
                stack.enter_context(recorder.recording(context, step, skipped))

        stack.enter_context(alembic_internals.proxies(make_operations(context)))
        yield skipped


def tell_callbacks(
    context: MigrationContext,
    step: MigrationStep,
    heads: t.Collection[str],
    kwargs: t.Mapping[str, t.Any],
) -> None:
    """Call what the user registered as ``on_version_apply``.

    :param context: The context of the database.
    :param step: The step that was applied.
    :param heads: Where it leads.
    :param kwargs: What the function of the revision got.
    """
    for callback in context.on_version_apply_callbacks:
        callback(
            ctx=context,
            step=t.cast(t.Any, step).info,
            heads=set(heads),
            run_args=dict(kwargs),
        )
