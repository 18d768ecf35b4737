"""The tables that we keep beside the version table: what they are called, and that
comparing models to a database never sees them.
"""

from __future__ import annotations

import typing as t

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


def hide(context: MigrationContext) -> MigrationContext:
    """Let a comparison leave our tables out, and what else the user leaves out.

    :param context: The context of a database.
    :return: The same context.
    """
    given = context.opts.get("include_name")
    ours = (history_name(context), journal_name(context))

    def include_name(name: str | None, kind: str, parents: t.Any) -> bool:
        if kind == "table" and name in ours and not is_model(context, name):
            if parents.get("schema_name") in _schemas(context):
                return False

        return given is None or bool(given(name, kind, parents))

    context.opts["include_name"] = include_name
    return context


def _schemas(context: MigrationContext) -> set[str | None]:
    """What the schema of the version table may be called."""
    schema = context.version_table_schema
    default = context.dialect.default_schema_name
    return {None, default} if schema in (None, default) else {schema}
