"""The only place that names Alembic's underscored API, besides the subclass in
scripts.py, and alembic_batch.py. ``tests/test_alembic_internals.py`` shows that each
name still exists.
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
from sqlalchemy.schema import CreateTable

if t.TYPE_CHECKING:
    import sqlalchemy as sa
    from alembic.runtime.migration import MigrationContext
    from alembic.runtime.migration import RevisionStep

# The dialects that know ``CREATE TABLE IF NOT EXISTS``.
_IF_NOT_EXISTS: t.Final = frozenset({"mariadb", "mysql", "postgresql", "sqlite"})


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
    if context.as_sql:
        return _WrittenTransaction(context)

    per_migration = (
        bool(context._transaction_per_migration)
        if context.impl.transactional_ddl
        else True
    )
    transaction = context.begin_transaction(_per_migration=per_migration)
    if not hasattr(transaction, "rollback"):
        return None
    return t.cast("LogicalTransaction", transaction)


class _WrittenTransaction:
    """``BEGIN`` and ``COMMIT`` in a script. They are there where ``BEGIN`` makes a
    transaction of data alone, too; Alembic leaves them out there.

    :param context: The context to begin it on.
    """

    def __init__(self, context: MigrationContext) -> None:
        self.impl = context.impl
        is_chosen = context.opts.get("transactional_ddl") is not None
        self.is_written = context.impl.transactional_ddl or not is_chosen

        if self.is_written:
            self.impl.emit_begin()

    def commit(self) -> None:
        if self.is_written:
            self.impl.emit_commit()

    def rollback(self) -> None:
        """Do nothing: the script is thrown away."""


def in_external_transaction(context: MigrationContext) -> bool:
    """Whether the connection was in a transaction before the context was made, or is
    none at all.

    :param context: The context to ask.
    :return: ``True`` if somebody else will commit.
    """
    return context.as_sql or context._in_external_transaction


def ensure_version_table(context: MigrationContext) -> None:
    """Create the version table if it doesn't exist.

    :param context: The context to create it on.
    """
    if context.as_sql:
        exists = context.dialect.name in _IF_NOT_EXISTS
        context.execute(CreateTable(context._version, if_not_exists=exists))
    else:
        context._ensure_version_table()


def write_by(
    context: MigrationContext,
    write: t.Callable[..., None],
    connection: t.Any,
) -> None:
    """Let a function write what is run on a context with ``as_sql``. Alembic's own way
    ends a statement that has ended, and replaces tabs in data.

    :param context: The context.
    :param write: Called with what is to be executed.
    :param connection: What stands in for the connection.
    """
    context.connection = context.impl.connection = connection
    t.cast(t.Any, context.impl)._exec = write

    # A connection would tell. It is so unless a server was set up strangely.
    if context.dialect.name == "postgresql":
        t.cast(t.Any, context.dialect)._backslash_escapes = False
    elif context.dialect.name == "mssql":
        context.dialect.default_schema_name = "dbo"


def version_column(context: MigrationContext) -> sa.Column[str]:
    """The column that holds the revision ids.

    :param context: The context whose table it is.
    :return: Its column, as Alembic would create it.
    """
    return context._version.c.version_num


class PurgeStep(StampStep):
    """A stamp that empties the version table, whatever is in it, and writes it anew. It
    is for a table that Alembic's own steps can't lead away from.

    :param script: The revisions.
    :param ids: The ids to stand at.
    :param heads: The ids in the table.
    :param kept: Those of them that no file has and that are written again.
    :param asked_for: Whether the user wants the table emptied, not only mended.
    """

    def __init__(
        self,
        script: ScriptDirectory,
        ids: t.Iterable[str],
        heads: t.Collection[str],
        kept: t.Iterable[str] = (),
        *,
        asked_for: bool = False,
    ) -> None:
        # Callbacks of the user's may ask for the revisions of these.
        files = {found.revision for found in script.walk_revisions()} if heads else ()
        known = tuple(id_ for id_ in heads if id_ in files)
        super().__init__(known, tuple(ids), True, True, script.revision_map)
        self.kept: tuple[str, ...] = tuple(kept)
        self.asked_for: bool = asked_for
        self.removed: tuple[str, ...] = tuple(
            sorted(set(heads) - {*self.to_revisions, *self.kept})
        )


class Maintainer(HeadMaintainer):
    """What writes the version table when a step was applied.

    :param context: The context to write to.
    :param heads: The ids in the table that a file has; they follow the steps.
    :param skipped: The other ids in it, which are left alone. Alembic can't place them.
    """

    def __init__(
        self,
        context: MigrationContext,
        heads: t.Collection[str],
        skipped: t.Collection[str] = (),
    ) -> None:
        super().__init__(context, heads)
        self.skipped: tuple[str, ...] = tuple(skipped)

    @property
    def rows(self) -> tuple[str, ...]:
        """All ids that are in the table."""
        return tuple(sorted({*self.heads, *self.skipped}))

    def update_to_step(self, step: RevisionStep | StampStep) -> None:
        """Write what a step leads to.

        :param step: The step that was applied.
        """
        if not isinstance(step, PurgeStep):
            super().update_to_step(step)
            return

        self.context.execute(self.context._version.delete())
        self.heads.clear()

        for id_ in (*step.to_revisions, *step.kept):
            self._insert_version(id_)

        self.heads -= {*step.kept}
        self.skipped = step.kept


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


@contextmanager
def proxies(operations: Operations) -> t.Iterator[None]:
    """Let ``from alembic import op`` mean these operations for a while, and ``from
    alembic import context`` the environment that they belong to.

    There is one of each in a process: hold the lock of :mod:`.locks.threads` around
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
