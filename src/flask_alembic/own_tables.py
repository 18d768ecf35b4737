"""The tables that we keep beside the version table: what they are called, what both
have in common, and that comparing models to a database never sees them.
"""

from __future__ import annotations

import typing as t
from datetime import datetime
from datetime import UTC

import sqlalchemy as sa

if t.TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext


def history_name(context: MigrationContext) -> str:
    """The name of the table of applied revisions.

    :param context: The context of a database.
    :return: The name, without a schema.
    """
    return f"{context.version_table}_history"


def journal_name(context: MigrationContext) -> str:
    """The name of the table of statements that can't be rolled back.

    :param context: The context of a database.
    :return: The name, without a schema.
    """
    return f"{context.version_table}_journal"


def own_names(context: MigrationContext) -> set[str]:
    """The names of both that are ours on a database.

    :param context: The context of the database.
    :return: The names. One that the models have is the user's.
    """
    names = {history_name(context), journal_name(context)}
    return {name for name in names if not is_model(context, name)}


def is_model(context: MigrationContext, name: str) -> bool:
    """Whether the models have a table of that name beside the version table.

    :param context: The context of a database.
    :param name: The name.
    :return: ``True`` if they have.
    """
    found = context.opts.get("target_metadata")
    metadatas = [found] if isinstance(found, sa.MetaData) else found or []
    schemas = _schemas(context)
    return any(
        table.name == name and table.schema in schemas
        for metadata in metadatas
        for table in metadata.tables.values()
    )


def utc_now() -> datetime:
    """The time as our tables hold it.

    :return: The time in UTC, without a zone.
    """
    return datetime.now(UTC).replace(tzinfo=None)


def table_options(dialect: str, **others: str) -> dict[str, t.Any]:
    """What makes rows of a table be rolled back with those of the version table, on
    MariaDB and MySQL.

    :param dialect: The name of the dialect.
    :param others: More options there, without the name of the dialect before theirs.
    :return: Arguments for the table; none on another dialect, as SQLAlchemy loads each
        dialect whose options are given.
    """
    if dialect not in ("mariadb", "mysql"):
        return {}

    options = {"engine": "InnoDB", "charset": "utf8mb4", **others}
    return {f"{dialect}_{name}": value for name, value in options.items()}


def hide(context: MigrationContext) -> MigrationContext:
    """Let a comparison leave our tables out, and what else the user leaves out.

    :param context: The context of a database.
    :return: The same context.
    """
    context.opts["include_name"] = _Hiding(context, context.opts.get("include_name"))
    return context


class _Hiding:
    """An ``include_name`` that leaves our tables out, and what the user's leaves out.

    :param context: The context of a database.
    :param given: The user's function.
    """

    def __init__(
        self, context: MigrationContext, given: t.Callable[..., t.Any] | None
    ) -> None:
        self._context = context
        self._given = given
        self._ours = (history_name(context), journal_name(context))
        self.is_about_tables: bool = given is None
        """Whether what belongs to a table is always included with it."""

    def __call__(self, name: str | None, kind: str, parents: t.Any) -> bool:
        if kind == "table" and name in self._ours and self._hides(name, parents):
            return False

        return self._given is None or bool(self._given(name, kind, parents))

    def _hides(self, name: str, parents: t.Any) -> bool:
        is_beside = parents.get("schema_name") in _schemas(self._context)
        return is_beside and not is_model(self._context, name)


def _schemas(context: MigrationContext) -> set[str | None]:
    """What the schema of the version table may be called."""
    schema = context.version_table_schema
    default = context.dialect.default_schema_name
    return {None, default} if schema in (None, default) else {schema}
