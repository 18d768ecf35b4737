"""The only place that knows how Alembic compares inside: what takes part, and how to
let it see a part of the tables.
"""

from __future__ import annotations

import copy
import typing as t

from alembic.autogenerate import comparators
from alembic.autogenerate.api import AutogenContext
from alembic.autogenerate.compare import _populate_migration_script
from alembic.operations.ops import DowngradeOps
from alembic.operations.ops import MigrationScript
from alembic.operations.ops import UpgradeOps

if t.TYPE_CHECKING:
    import sqlalchemy as sa
    from alembic.runtime.migration import MigrationContext

_MODULE: t.Final = "alembic.autogenerate.compare"

# What Alembic compares, in all supported versions. What a newer one compares besides is
# not known to the package that leaves tables out.
_KNOWN: t.Final = frozenset(
    {
        "_autogen_for_tables",
        "_compare_column_comment",
        "_compare_computed_default",
        "_compare_foreign_keys",
        "_compare_identity_default",
        "_compare_indexes_and_uniques",
        "_compare_nullable",
        "_compare_server_default",
        "_compare_table_comment",
        "_compare_type",
        "_dialect_impl_compare_server_default",
        "_dialect_impl_compare_type",
        "_produce_net_changes",
        "_setup_autoincrement",
        "_user_compare_server_default",
        "_user_compare_type",
    }
)


class AlembicComparison:
    """Alembic's comparison of a database, which may be run on some tables at a time.

    :param context: The context of the database.
    :param include_name: What says which names take part, instead of the option.
    """

    def __init__(
        self, context: MigrationContext, include_name: t.Callable[..., bool]
    ) -> None:
        self.context: MigrationContext = context
        self.whole: AutogenContext = AutogenContext(
            context,
            context.opts["target_metadata"],
            {**context.opts, "include_name": include_name},
        )

    @property
    def is_stock(self) -> bool:
        """Whether all that takes part is Alembic's own, and known here."""
        # Up to Alembic 1.17 there is one registry for the process.
        registry = getattr(self.whole, "comparators", comparators)._registry
        functions = [entry for entries in registry.values() for entry in entries]
        return self.has_own_dialect and all(map(_is_known, functions))

    @property
    def has_own_dialect(self) -> bool:
        """Whether Alembic's own class for the dialect compares."""
        return type(self.context.impl).__module__.startswith("alembic.ddl.")

    def run(self, metadata: sa.MetaData, inspector: sa.Inspector) -> UpgradeOps:
        """Compare.

        :param metadata: The models.
        :param inspector: What shows the tables of the database.
        :return: What would bring the database to the models.
        """
        part = copy.copy(self.whole)
        part.metadata = metadata
        t.cast(t.Any, part).inspector = inspector
        result = UpgradeOps([])
        script = MigrationScript(None, result, DowngradeOps([]))
        _populate_migration_script(part, script)
        return result


def _is_known(entry: t.Any) -> bool:
    # Since Alembic 1.18 there is the name of a group beside the function.
    function = entry[0] if isinstance(entry, tuple) else entry
    module = f"{getattr(function, '__module__', '')}."
    return (
        module.startswith(f"{_MODULE}.")
        and getattr(function, "__qualname__", "") in _KNOWN
    )
