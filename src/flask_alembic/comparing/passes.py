"""The comparison of one database: what is read, what Alembic compares, in which order
its operations come.
"""

from __future__ import annotations

import typing as t
from contextlib import contextmanager

import sqlalchemy as sa
from alembic.operations.ops import DowngradeOps
from alembic.operations.ops import MigrateOperation
from alembic.operations.ops import MigrationScript
from alembic.operations.ops import ModifyTableOps
from alembic.operations.ops import UpgradeOps

from ..alembic_comparison import AlembicComparison
from .defaults import ByMeaning
from .facts import Names as TableNames
from .facts import Reader
from .facts import TableFacts
from .facts import TableKey
from .hooks import changes_what_is_read
from .hooks import sees_objects
from .models import Models
from .names import Names
from .readers import find_reader
from .sieve import Sieve

if t.TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext

Facts = dict[TableKey, TableFacts]


def compare(context: MigrationContext) -> MigrationScript:
    """Compare the models to a database.

    :param context: The context of the database.
    :return: What Alembic would find.
    """
    upgrade_ops = UpgradeOps(_operations(context))
    downgrade_ops = DowngradeOps([])
    upgrade_ops.reverse_into(downgrade_ops)
    return MigrationScript(None, upgrade_ops, downgrade_ops)


def _operations(context: MigrationContext) -> list[MigrateOperation]:
    names = Names(context.opts.get("include_name"))
    comparison = AlembicComparison(context, names)
    is_known = comparison.is_stock and not changes_what_is_read()
    reader = find_reader(context) if is_known else None
    models = Models(context)

    if reader is None or not models.are_unique:
        connection = t.cast(sa.Connection, context.connection)
        whole = context.opts["target_metadata"]
        return comparison.run(whole, sa.inspect(connection)).ops

    return _Passes(context, comparison, names, reader, models).operations()


@contextmanager
def comparing(context: MigrationContext) -> t.Iterator[None]:
    """Let a revision have what comparing finds, as if Alembic had compared.

    Alembic's own way has no place for another comparison. The first thing that it does
    with a revision that it did not compare is to call ``process_revision_directives``.

    :param context: The context of a database, on which
        ``RevisionContext.run_no_autogenerate()`` is called meanwhile.
    """
    given = context.opts["process_revision_directives"]

    def fill(
        context: MigrationContext, revision: t.Any, directives: list[MigrationScript]
    ) -> None:
        found = compare(context)
        script = directives[-1]
        script.upgrade_ops_list[-1].ops.extend(_of(found.upgrade_ops))
        script.downgrade_ops_list[-1].ops.extend(_of(found.downgrade_ops))

        if given:
            given(context, revision, directives)

    context.opts["process_revision_directives"] = fill

    try:
        yield
    finally:
        context.opts["process_revision_directives"] = given


def _of(operations: UpgradeOps | DowngradeOps | None) -> list[MigrateOperation]:
    return list(operations.ops) if operations else []


class _Passes:
    def __init__(
        self,
        context: MigrationContext,
        comparison: AlembicComparison,
        names: Names,
        reader: Reader,
        models: Models,
    ) -> None:
        self.context = context
        self.comparison = comparison
        self.names = names
        self.reader = reader
        self.models = models
        self.inspector = sa.inspect(t.cast(sa.Connection, context.connection))

    def operations(self) -> list[MigrateOperation]:
        """What would bring the database to the models, in Alembic's order."""
        facts = self._read()
        common = facts.keys() & self.models.tables.keys()
        sieve = Sieve(self.context.dialect)
        tables = sieve.sort(
            {
                key: (facts[key], self.models.tables[key])
                for key in common
                if self.names.include_all_of(key, facts[key])
            }
        )
        skipped = frozenset() if sees_objects(self.context) else tables.waiting
        result = self._compare(
            facts.keys() - skipped, self.models.tables.keys() - skipped
        )
        rest = sieve.unproven(result, tables) & skipped
        more = self._compare(rest, rest)
        return _merged(result.ops, more.ops, common)

    def _read(self) -> Facts:
        result: Facts = {}

        for schema in self._schemas():
            every = self.inspector.get_table_names(schema=schema)
            names = [name for name in every if self._is_included((schema, name))]
            found = self.reader.read(
                schema, names, all_of_them=len(names) == len(every)
            )
            result.update({(schema, name): found[name] for name in found})

        return result

    def _schemas(self) -> list[str | None]:
        if not self.context.opts.get("include_schemas"):
            schemas: set[str | None] = {None}
        else:
            default = self.context.dialect.default_schema_name
            schemas = {*self.inspector.get_schema_names(), None}
            schemas -= {"information_schema", default}

        return [each for each in schemas if self.names.include_schema(each)]

    def _is_included(self, key: TableKey) -> bool:
        return key != self._version_table and self.names.include_table(key)

    @property
    def _version_table(self) -> TableKey:
        return self.context.version_table_schema, self.context.version_table

    def _compare(
        self, found: t.Collection[TableKey], wanted: t.Collection[TableKey]
    ) -> UpgradeOps:
        """Let Alembic compare some tables."""
        if not found and not wanted:
            return UpgradeOps([])

        self._ask_for_defaults(set(found) & set(wanted))
        names: TableNames = {}

        for schema, name in found:
            names.setdefault(schema, []).append(name)

        part = self.models.part(wanted, sort=not set(wanted) <= set(found))
        return self.comparison.run(part, self.reader.inspector(names))

    def _ask_for_defaults(self, keys: t.Collection[TableKey]) -> None:
        by_meaning = self.context.impl.compare_server_default

        if isinstance(by_meaning, ByMeaning):
            by_meaning.ask_about(
                (found, column)
                for key in keys
                for column in self.models.tables[key].columns
                if (found := self.reader.default(key, column.name)) is not None
            )


def _merged(
    first: t.Sequence[MigrateOperation],
    second: t.Sequence[MigrateOperation],
    common: t.Collection[TableKey],
) -> list[MigrateOperation]:
    """All operations, as one comparison would have them: changed tables come last, by
    their names.
    """
    if not second:
        return list(first)

    changes = {id(each): each for each in (*first, *second) if _changes(each, common)}
    rest = [each for each in first if id(each) not in changes]
    return [*rest, *sorted(changes.values(), key=_place)]


def _changes(operation: MigrateOperation, common: t.Collection[TableKey]) -> bool:
    return (
        isinstance(operation, ModifyTableOps)
        and (operation.schema, operation.table_name) in common
    )


def _place(operation: MigrateOperation) -> tuple[str, str]:
    changed = t.cast(ModifyTableOps, operation)
    return changed.schema or "", changed.table_name
