"""What a snapshot of PostgreSQL can't hold is an error, as nothing is to be lost."""

from __future__ import annotations

import typing as t

from ...errors import FlaskAlembicError
from ..kinds import ask
from .catalog import FIRST_OID
from .catalog import users

if t.TYPE_CHECKING:
    import sqlalchemy as sa

_CATALOGS: t.Final = (
    "pg_am",
    "pg_cast",
    "pg_conversion",
    "pg_default_acl",
    "pg_event_trigger",
    "pg_foreign_data_wrapper",
    "pg_foreign_server",
    "pg_language",
    "pg_opclass",
    "pg_operator",
    "pg_opfamily",
    "pg_publication",
    "pg_transform",
    "pg_ts_config",
    "pg_ts_dict",
    "pg_ts_parser",
    "pg_ts_template",
)

_SOME: t.Final = "SELECT '{0}'::regclass AS catalog, x.oid FROM {0} AS x WHERE {1}"
_PARTS: t.Final = (
    *(_SOME.format(name, users(name, "x")) for name in _CATALOGS),
    _SOME.format("pg_proc", f"x.prokind = 'a' AND {users('pg_proc', 'x')}"),
    _SOME.format(
        "pg_class",
        f"(x.relkind = 'f' OR x.reloftype <> 0) AND {users('pg_class', 'x')}",
    ),
    _SOME.format(
        "pg_class",
        "x.oid IN (SELECT indexrelid FROM pg_index WHERE NOT indisvalid)"
        " AND x.relkind = 'i'",
    ),
    _SOME.format("pg_largeobject_metadata", f"x.oid >= {FIRST_OID}"),
)
_QUESTION: t.Final = (
    "SELECT pg_describe_object(catalog, oid, 0) FROM ("
    + " UNION ALL ".join(_PARTS)
    + ") AS found ORDER BY 1"
)


def refuse_uncovered(connection: sa.Connection) -> None:
    """Look for what can't be written.

    :param connection: A connection that tells names with their schemas.
    :raises FlaskAlembicError: If there is something.
    """
    if found := [row[0] for row in ask(connection, _QUESTION)]:
        more = f" and {len(found) - 1} more" if len(found) > 1 else ""
        raise FlaskAlembicError(
            f"A snapshot can't hold {found[0]}{more}.",
            hint="Do without a snapshot of this database: 'flask db prepare' replays"
            " its revisions then.",
        )
