"""Reads PostgreSQL, whose tables SQLAlchemy reads all at once."""

from __future__ import annotations

import re
import typing as t

import sqlalchemy as sa
from sqlalchemy import Inspector
from sqlalchemy.dialects.postgresql import BIGINT
from sqlalchemy.dialects.postgresql import INTEGER

from .facts import Names
from .facts import TableFacts
from .facts import TableKey
from .freezing import frozen
from .freezing import frozen_state
from .freezing import Kinds
from .serving import serving
from .serving import Stored

_READ: t.Final = (
    "columns",
    "indexes",
    "unique_constraints",
    "foreign_keys",
    "table_comment",
)
# What a column may have that is understood here: none is computed.
_COLUMN: t.Final = frozenset(
    {"name", "type", "nullable", "default", "autoincrement", "comment", "identity"}
)
_SEQUENCE: t.Final = re.compile(r"nextval\('([^']+)'::regclass\)")

# The columns that own a sequence. Alembic asks this of each of them.
_OWNERS: t.Final = sa.text(
    "SELECT names.name, a.attname"
    " FROM unnest(string_to_array(:names, chr(10))) AS names(name)"
    " JOIN pg_class c ON c.oid = CAST(names.name AS regclass) AND c.relkind = 'S'"
    " JOIN pg_depend d ON d.objid = c.oid AND d.classid = 'pg_class'::regclass"
    " AND d.refclassid = 'pg_class'::regclass"
    " JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid"
)


class PostgreSQLReader:
    """Reads a PostgreSQL database.

    :param connection: The connection to read on.
    """

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self._stored: Stored = {kind: {} for kind in _READ}
        self._defaults: dict[TableKey, dict[str, str]] = {}
        self._kinds = Kinds()

    @classmethod
    def find(cls, connection: sa.Connection) -> PostgreSQLReader:
        """Make a reader.

        :param connection: The connection to read on.
        :return: The reader.
        """
        return cls(connection)

    def read(
        self, schema: str | None, names: t.Sequence[str], *, all_of_them: bool
    ) -> dict[str, TableFacts]:
        """Read tables; see :class:`.facts.Reader`."""
        if not names:
            return {}

        inspector = sa.inspect(self._connection)

        for kind in _READ:
            read = getattr(inspector, f"get_multi_{kind}")
            filter_names = None if all_of_them else names
            self._stored[kind].update(read(schema=schema, filter_names=filter_names))

        self._leave_out_serials(schema, names)
        return {
            name: self._facts((schema, name))
            for name in names
            if (schema, name) in self._stored["columns"]
        }

    def inspector(self, names: Names) -> Inspector:
        """What Alembic reflects with; see :class:`.facts.Reader`."""
        return serving(self._connection, names, self._stored)

    def default(self, key: TableKey, column: str) -> str | None:
        """The server default of a column; see :class:`.facts.Reader`."""
        return self._defaults.get(key, {}).get(column)

    def _facts(self, key: TableKey) -> TableFacts:
        columns = self._stored["columns"][key]
        self._defaults[key] = {
            each["name"]: each["default"] for each in columns if each["default"]
        }
        return TableFacts(
            columns={each["name"]: self._kinds.one(_frozen(each)) for each in columns},
            indexes=self._stored["indexes"].get(key, ()),
            unique_constraints=self._stored["unique_constraints"].get(key, ()),
            foreign_keys=self._stored["foreign_keys"].get(key, ()),
            comment=self._stored["table_comment"].get(key, {}).get("text"),
        )

    def _leave_out_serials(self, schema: str | None, names: t.Sequence[str]) -> None:
        """Take the defaults of SERIAL columns away, as Alembic does."""
        columns = [
            (column, found[1])
            for name in names
            for column in self._stored["columns"].get((schema, name), ())
            if isinstance(column["type"], (INTEGER, BIGINT))
            and (found := _SEQUENCE.match(column["default"] or ""))
        ]
        owners = self._owners({sequence for _, sequence in columns})

        for column, sequence in columns:
            if owners.get(sequence) == column["name"]:
                column["default"] = None

    def _owners(self, sequences: t.Collection[str]) -> dict[str, str]:
        if not sequences:
            return {}

        rows = self._connection.execute(_OWNERS, {"names": "\n".join(sequences)})
        return {name: column for name, column in rows}


def _frozen(column: t.Mapping[str, t.Any]) -> t.Hashable:
    if not column.keys() <= _COLUMN:
        return None

    try:
        key = (
            frozen_state(column["type"]),
            column["nullable"],
            column["default"],
            column.get("autoincrement"),
            column.get("comment"),
            frozen(column.get("identity")),
        )
        hash(key)
    except TypeError:
        return None

    return key
