"""Which player a database has."""

from __future__ import annotations

import typing as t

from .. import alembic_internals
from .postgresql import PostgreSQLPlayer
from .sqlite import SQLitePlayer

if t.TYPE_CHECKING:
    import sqlalchemy as sa
    from alembic.runtime.migration import MigrationContext

    from .player import Player

_PLAYERS: t.Final[dict[tuple[str, str], type[Player]]] = {
    ("postgresql", "psycopg"): PostgreSQLPlayer,
    ("postgresql", "psycopg2"): PostgreSQLPlayer,
    ("sqlite", "pysqlite"): SQLitePlayer,
}


def find_player(context: MigrationContext) -> type[Player] | None:
    """What plays on a database.

    :param context: The context of the database.
    :return: The player; ``None`` where revisions have to run, because Alembic is told
        to do something else than it usually does, or listeners want to see statements.
    """
    dialect, connection = context.dialect, context.connection

    if connection is None or alembic_internals.in_external_transaction(context):
        return None

    is_usual = (
        context.impl.transactional_ddl
        and context.opts.get("transaction_per_migration") is not False
        and not context.on_version_apply_callbacks
        and not _is_listened_to(connection)
        and _begins_plainly(connection)
        and not connection.get_execution_options().get("schema_translate_map")
        # That would be another file.
        and not (_is_sqlite(connection) and context.version_table_schema)
    )
    return _PLAYERS.get((dialect.name, dialect.driver)) if is_usual else None


def _is_listened_to(connection: sa.Connection) -> bool:
    """Whether somebody besides us may change statements, or look at them."""
    own = {"after_cursor_execute": 1, "before_cursor_execute": _is_sqlite(connection)}
    dispatch: t.Any = connection.dispatch
    return any(
        len(tuple(getattr(dispatch, name))) > own.get(name, 0)
        for name in ("before_execute", "after_execute", *own)
    )


def _is_sqlite(connection: sa.Connection) -> bool:
    return connection.dialect.name == "sqlite"


def _begins_plainly(connection: sa.Connection) -> bool:
    """Whether ``BEGIN`` begins what the driver would."""
    driver: t.Any = connection.connection.dbapi_connection

    if _is_sqlite(connection):
        return True

    names = ("read_only", "readonly", "deferrable")
    is_set = any(getattr(driver, name, None) is not None for name in names)
    return not driver.autocommit and not is_set and _has_usual_level(connection)


def _has_usual_level(connection: sa.Connection) -> bool:
    driver: t.Any = connection.connection.dbapi_connection
    level = driver.isolation_level
    # After an autocommit_block() it has the server's default, and not none.
    name = str(getattr(level, "name", level)).replace("_", " ")
    return level is None or name == connection.dialect.default_isolation_level
