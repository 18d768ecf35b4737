"""The only place that knows Alembic's classes for batch mode, which it does not promise
to keep. ``tests/test_alembic_internals.py`` shows that each name still exists.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from alembic.operations.batch import ApplyBatchImpl
from alembic.util import sqla_compat

if t.TYPE_CHECKING:
    import sqlalchemy as sa
    from alembic.ddl.impl import DefaultImpl
    from alembic.operations import BatchOperations
    from alembic.operations.batch import BatchOperationsImpl

Step = tuple[str, tuple[t.Any, ...], dict[str, t.Any]]
"""An operation: what it is called, and its arguments."""


@dataclass(frozen=True)
class Batch:
    """What a revision does to one table in batch mode. Alembic does it at the end.

    :param batch: What Alembic gathers.
    :param by_alembic: Alembic's way to do it.
    """

    batch: BatchOperationsImpl
    by_alembic: t.Callable[[], None]

    @property
    def impl(self) -> DefaultImpl:
        """What runs single operations."""
        return self.batch.impl

    @property
    def steps(self) -> list[Step]:
        """The operations, as a list that may be changed."""
        return self.batch.batch

    @property
    def options(self) -> dict[str, t.Any]:
        """The arguments of ``batch_alter_table()``."""
        return vars(self.batch)


def batch_by(batch_op: BatchOperations, do: t.Callable[[Batch], None]) -> None:
    """Let a function do what a batch asks for, if it takes a new table.

    :param batch_op: What the revision calls.
    :param do: The function.
    """
    batch = batch_op.impl
    by_alembic = batch.flush

    def flush() -> None:
        if batch._should_recreate():
            do(Batch(batch, by_alembic))
        else:
            by_alembic()

    batch.flush = flush  # type: ignore[method-assign]


def temporary_name(table: str) -> str:
    """What batch mode calls the new table, until it takes the place of the old one.

    :param table: The name of the table.
    :return: The name, which may be cut off.
    """
    return str(ApplyBatchImpl._calc_temp_name(table))


def is_type_bound(constraint: sa.Constraint) -> bool:
    """Whether a constraint belongs to the type of a column, as that of an ``Enum``.

    :param constraint: The constraint.
    :return: ``True`` if it does.
    """
    return bool(sqla_compat._is_type_bound(constraint))
