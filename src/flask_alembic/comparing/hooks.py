"""Whether an application has a hand in how columns are read and compared."""

from __future__ import annotations

import typing as t

import sqlalchemy as sa

if t.TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext


def changes_what_is_read() -> bool:
    """Whether somebody listens to columns that are read, and may change them.

    :return: ``True`` if they have to see each of them.
    """
    scratch = sa.Table("scratch", sa.MetaData())
    listeners = [
        *scratch.dispatch.column_reflect,
        *scratch.metadata.dispatch.column_reflect,
    ]
    return bool(listeners)


def sees_objects(context: MigrationContext) -> bool:
    """Whether a function of the user's is to see each object that is compared.

    :param context: The context of a database.
    :return: ``True`` if none may be left out.
    """
    compares = (
        context.opts.get("compare_type"),
        context.opts.get("compare_server_default"),
    )
    return bool(context.opts.get("include_object")) or any(map(callable, compares))
