"""The user's ``include_name``, which is asked once about each name."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from .facts import TableFacts
    from .facts import TableKey

Parents = t.MutableMapping[t.Any, t.Any]


class Names:
    """Stands in for ``include_name`` during one comparison: we ask it early, and
    Alembic asks again.

    :param include_name: The user's function; ``None`` includes everything.
    """

    def __init__(self, include_name: t.Callable[..., t.Any] | None) -> None:
        self._include_name = include_name
        # To ask about each column of thousands of tables takes long.
        self._includes_whole_tables = include_name is None or getattr(
            include_name, "is_about_tables", False
        )
        self._answers: dict[tuple[t.Any, ...], bool] = {}

    def __call__(self, name: str | None, kind: str, parents: Parents) -> bool:
        """Answer as the user's function did, or ask it.

        :param name: The name of what is in the database.
        :param kind: What it is: ``table``, ``column`` and so on.
        :param parents: The schema and the table that it belongs to.
        :return: Whether it takes part.
        """
        if self._include_name is None:
            return True

        key = (name, kind, parents.get("schema_name"), parents.get("table_name"))

        if key not in self._answers:
            self._answers[key] = bool(self._include_name(name, kind, parents))

        return self._answers[key]

    def include_schema(self, schema: str | None) -> bool:
        """Whether a schema takes part.

        :param schema: Its name; ``None`` for the default one.
        :return: What the user says.
        """
        return self(schema, "schema", {})

    def include_table(self, key: TableKey) -> bool:
        """Whether a table takes part.

        :param key: The table.
        :return: What the user says.
        """
        schema, name = key
        parents = {"schema_name": schema, "schema_qualified_table_name": _full(key)}
        return self(name, "table", parents)

    def include_all_of(self, key: TableKey, facts: TableFacts) -> bool:
        """Whether everything in a table takes part.

        :param key: The table.
        :param facts: What is in it.
        :return: ``False`` if the user leaves anything out.
        """
        if self._includes_whole_tables:
            return True

        names = [(name, "column") for name in facts.columns]

        for kind, found in (
            ("unique_constraint", facts.unique_constraints),
            ("index", facts.indexes),
            ("foreign_key_constraint", facts.foreign_keys),
        ):
            names += [(each["name"], kind) for each in found]

        return all([self._include_in(key, name, kind) for name, kind in names])

    def _include_in(self, key: TableKey, name: str | None, kind: str) -> bool:
        schema, table = key
        parents = {
            "schema_name": schema,
            "table_name": table,
            "schema_qualified_table_name": _full(key),
        }
        return self(name, kind, parents)


def _full(key: TableKey) -> str:
    schema, name = key
    return f"{schema}.{name}" if schema else name
