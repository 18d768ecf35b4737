"""The only place that names Alembic's underscored API, besides the subclass in
scripts.py. ``tests/test_alembic_internals.py`` shows that each name still exists.
"""

from __future__ import annotations

import typing as t
from contextlib import contextmanager
from types import ModuleType

import alembic.context
import alembic.op
from alembic.operations import Operations
from alembic.runtime.migration import HeadMaintainer
from alembic.runtime.migration import MigrationStep
from alembic.runtime.migration import StampStep
from alembic.script import ScriptDirectory

if t.TYPE_CHECKING:
    import sqlalchemy as sa
    from alembic.runtime.migration import MigrationContext


class LogicalTransaction(t.Protocol):
    """What Alembic hands out for a transaction: it follows ``autocommit_block()``,
    which ends one real transaction and begins another.
    """

    def commit(self) -> None: ...

    def rollback(self) -> None: ...


def begin_transaction(context: MigrationContext) -> LogicalTransaction | None:
    """Begin a transaction for one revision.

    Alembic begins it, so that ``autocommit_block()`` finds it. Whether Alembic would
    begin here depends on ``transaction_per_migration``; we always do.

    :param context: The context to begin it on.
    :return: The transaction, or ``None`` where somebody else's surrounds us.
    """
    per_migration = (
        bool(context._transaction_per_migration)
        if context.impl.transactional_ddl
        else True
    )
    transaction = context.begin_transaction(_per_migration=per_migration)
    if not hasattr(transaction, "rollback"):
        return None
    return t.cast("LogicalTransaction", transaction)


def in_external_transaction(context: MigrationContext) -> bool:
    """Whether the connection was in a transaction before the context was made.

    :param context: The context to ask.
    :return: ``True`` if somebody else will commit.
    """
    return context._in_external_transaction


def ensure_version_table(context: MigrationContext) -> None:
    """Create the version table if it doesn't exist.

    :param context: The context to create it on.
    """
    context._ensure_version_table()


def version_column(context: MigrationContext) -> sa.Column[str]:
    """The column that holds the revision ids.

    :param context: The context whose table it is.
    :return: Its column, as Alembic would create it.
    """
    return context._version.c.version_num


def head_maintainer(
    context: MigrationContext, heads: t.Collection[str]
) -> HeadMaintainer:
    """What writes the version table when a step was applied.

    :param context: The context to write to.
    :param heads: The ids that are in the table now.
    :return: The maintainer; its ``heads`` follow the steps.
    """
    return HeadMaintainer(context, heads)


def upgrade_steps(
    script: ScriptDirectory, target: str | list[str], heads: tuple[str, ...]
) -> list[MigrationStep]:
    """The steps from some heads up to a target.

    :param script: The revisions.
    :param target: What Alembic takes: ids, ``head``, ``+1``.
    :param heads: Where the database stands.
    :return: The steps in the order they run.
    """
    # Annotated as str in Alembic, which resolves both arguments as collections.
    return t.cast(
        "list[MigrationStep]",
        script._upgrade_revs(t.cast(str, target), t.cast(str, heads)),
    )


def downgrade_steps(
    script: ScriptDirectory, target: str, heads: tuple[str, ...]
) -> list[MigrationStep]:
    """The steps from some heads down to a target.

    :param script: The revisions.
    :param target: What Alembic takes: an id, ``base``, ``-1``, ``label@-1``.
    :param heads: Where the database stands.
    :return: The steps in the order they run.
    """
    return t.cast(
        "list[MigrationStep]", script._downgrade_revs(target, t.cast(str, heads))
    )


def stamp_steps(
    script: ScriptDirectory, target: list[str], heads: tuple[str, ...]
) -> list[MigrationStep]:
    """The steps that only write the version table.

    :param script: The revisions.
    :param target: The ids to stand at, or ``base``, ``heads``.
    :param heads: Where the database stands.
    :return: The steps.
    """
    return t.cast("list[MigrationStep]", script._stamp_revs(tuple(target), heads))


def overwrite_steps(
    script: ScriptDirectory, target: list[str], heads: tuple[str, ...]
) -> list[MigrationStep]:
    """The steps that empty the version table and write it anew, for one that holds a
    revision and one that comes before: Alembic's own steps leave that as it is.

    :param script: The revisions.
    :param target: The ids to stand at, or ``base``, ``heads``.
    :param heads: Where the database stands.
    :return: The steps.
    """
    revision_map = script.revision_map
    wanted = [found.revision for found in script.get_revisions(tuple(target)) if found]
    gone = [StampStep(h, None, False, True, revision_map) for h in heads]
    new = [StampStep((), id_, True, True, revision_map) for id_ in wanted]
    return [*gone, *new]


@contextmanager
def proxies(operations: Operations) -> t.Iterator[None]:
    """Let ``from alembic import op`` mean these operations for a while, and ``from
    alembic import context`` the environment that they belong to.

    There is one of each in a process: hold the process lock of :mod:`.runner` around
    this.

    :param operations: What ``op`` is to mean.
    """
    environment = operations.migration_context.environment_context

    with _installed(alembic.op, operations):
        if environment is None:  # a subclass made the migration context alone
            yield
        else:
            with _installed(alembic.context, environment):
                yield


@contextmanager
def _installed(module: ModuleType, proxy: t.Any) -> t.Iterator[None]:
    """Alembic's own context manager leaves the proxy behind after an exception, and
    forgets the one that was there before.
    """
    before = getattr(module, "_proxy", None)
    proxy._install_proxy()

    try:
        yield
    finally:
        proxy._remove_proxy()

        if before is not None:
            before._install_proxy()
