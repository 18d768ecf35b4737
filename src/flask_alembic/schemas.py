"""Lets a connection work in one schema of a database."""

from __future__ import annotations

import typing as t

import sqlalchemy as sa

if t.TYPE_CHECKING:
    from .databases import Database

# One that is not there would be no error.
_ENTER: t.Final = sa.text(
    "SELECT set_config('search_path', quote_ident(:name), false)"
    " FROM pg_catalog.pg_namespace WHERE nspname = :name"
)


def enter_schema(connection: sa.Connection, database: Database) -> None:
    """Let unqualified names mean the schema of a database, if it is in one.

    :param connection: A new connection to it.
    :param database: The database.
    :raises FlaskAlembicError: If there is no such schema.
    :raises ConfigurationError: If databases of this kind have none.
    """
    if database.schema_translate_map:
        options = {"schema_translate_map": dict(database.schema_translate_map)}
        connection.execution_options(**options)

    if database.schema is None:
        return

    if connection.dialect.name == "postgresql":
        _enter_postgresql(connection, database.schema)
    elif connection.dialect.name in ("mariadb", "mysql"):
        quote = connection.dialect.identifier_preparer.quote_identifier
        connection.exec_driver_sql(f"USE {quote(database.schema)}".replace("%", "%%"))
    else:
        from .errors import ConfigurationError

        raise ConfigurationError(
            f"The database '{database.name}' is in the schema '{database.schema}', but"
            f" {connection.dialect.name} has none.",
            hint="Give each tenant a URL.",
            key="tenants",
            value=database.schema,
        )


def _enter_postgresql(connection: sa.Connection, name: str) -> None:
    if connection.execute(_ENTER, {"name": name}).one_or_none() is None:
        from .errors import FlaskAlembicError

        raise FlaskAlembicError(
            f"There is no schema '{name}'.",
            hint=f'Create it first: CREATE SCHEMA "{name}".',
        )


def in_version_schema(
    options: dict[str, t.Any], database: Database
) -> dict[str, t.Any]:
    """Let the version table follow a map of schemas, as Alembic looks for it without.

    :param options: The arguments of Alembic's ``configure()``.
    :param database: The database.
    :return: The same, with the schema where that table is.
    """
    translated = database.schema_translate_map or {}
    schema = options.get("version_table_schema")
    found = translated.get(schema, schema)
    return options if found == schema else {**options, "version_table_schema": found}
