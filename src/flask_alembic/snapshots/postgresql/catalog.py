"""What the questions to PostgreSQL's catalogs have in common."""

from __future__ import annotations

import typing as t
from contextlib import contextmanager
from contextlib import suppress

from sqlalchemy.exc import SQLAlchemyError

from ..kinds import ask
from ..kinds import execute
from ..kinds import text_literal

if t.TYPE_CHECKING:
    import sqlalchemy as sa

# With no schema in the path, all names are told with theirs. The rest is how values
# are told.
_READING: t.Final = {
    "search_path": "",
    "datestyle": "ISO",
    "intervalstyle": "postgres",
    "timezone": "UTC",
    "bytea_output": "hex",
    "extra_float_digits": "1",
    "row_security": "off",
    "quote_all_identifiers": "off",
}

# As pg_dump sets them: a function may use what comes later.
_LOADING: t.Final = {
    "search_path": "",
    "datestyle": "ISO",
    "intervalstyle": "postgres",
    "timezone": "UTC",
    "check_function_bodies": "off",
    "row_security": "off",
    "default_tablespace": "",
    "default_table_access_method": "heap",
}

FIRST_OID: t.Final = 16384
"""What users make has at least this number. PostgreSQL keeps the others."""

# A type of ranges comes with some of these.
_MADE_WITH_TYPES: t.Final = ("pg_cast", "pg_proc")


COLUMN_OPTIONS: t.Final = """ARRAY(
    SELECT option FROM unnest(a.attoptions) AS option WHERE option LIKE 'n\\_distinct%'
    ORDER BY option
)"""
"""The options of a column that users can set. A patched server may keep more there."""


def users(catalog: str, alias: str, schema: str = "") -> str:
    """What is neither PostgreSQL's nor an extension's, as a condition.

    :param catalog: The catalog.
    :param alias: What it is called in the query.
    :param schema: The column of the schema, where it has one.
    :return: SQL.
    """
    kinds = "'e', 'i'" if catalog in _MADE_WITH_TYPES else "'e'"
    condition = (
        f"{alias}.oid >= {FIRST_OID} AND NOT EXISTS (SELECT FROM pg_depend AS ext"
        f" WHERE ext.classid = '{catalog}'::regclass AND ext.objid = {alias}.oid"
        f" AND ext.deptype IN ({kinds}))"
    )

    if not schema:
        return condition

    # Those of temporary tables are of a session, and gone with it.
    return (
        f"{condition} AND {alias}.{schema} NOT IN (SELECT oid FROM pg_namespace"
        " WHERE nspname LIKE 'pg\\_%' OR nspname = 'information_schema')"
    )


def name_of(alias: str, name: str, schema: str) -> str:
    """A name with its schema, quoted where it has to be, as SQL.

    :param alias: What the catalog is called in the query.
    :param name: The column of the name.
    :param schema: The column of the schema.
    :return: SQL.
    """
    # Not format(): it fails where there is no such row.
    return (
        "((SELECT quote_ident(nspname) FROM pg_namespace"
        f" WHERE oid = {alias}.{schema}) || '.' || quote_ident({alias}.{name}))"
    )


@contextmanager
def reading(connection: sa.Connection) -> t.Iterator[None]:
    """Let all be told in the one way that does not depend on settings.

    :param connection: A connection.
    """
    with _settings(connection, _READING):
        yield


@contextmanager
def loading(connection: sa.Connection) -> t.Iterator[None]:
    """Let statements mean what they did where they were told.

    :param connection: A connection.
    """
    with _settings(connection, _LOADING):
        yield


@contextmanager
def _settings(
    connection: sa.Connection, settings: t.Mapping[str, str]
) -> t.Iterator[None]:
    shown = ", ".join(f"current_setting('{name}')" for name in settings)
    before = ask(connection, f"SELECT {shown}")[0]
    _set(connection, settings)

    try:
        yield
    finally:
        # After an error in a transaction nothing is done, until a rollback restores
        # them. A connection that is lost has none.
        with suppress(SQLAlchemyError):
            _set(connection, dict(zip(settings, before, strict=True)))


def _set(connection: sa.Connection, settings: t.Mapping[str, str]) -> None:
    calls = ", ".join(
        f"set_config('{name}', {text_literal(value)}, false)"
        for name, value in settings.items()
    )
    execute(connection, f"SELECT {calls}")
