"""Compare the models to the databases: check, compare_metadata, produce_migrations."""

from __future__ import annotations

import typing as t

from alembic.operations import MigrationScript
from alembic.operations.ops import DowngradeOps
from alembic.operations.ops import UpgradeOps
from alembic.runtime.migration import MigrationContext

from ..comparing.passes import compare
from ..history import History
from ..reports import CheckReport
from ..reports import DatabaseCheck
from ..reports import Differences
from .describe import describe
from .facade import Facade
from .facade import known_heads
from .read import current_heads


def produce_migrations(alembic: Facade) -> MigrationScript:
    """The operations that would bring the databases to the models.

    :param alembic: The extension.
    :return: Alembic's script; its ``upgrade_ops_list`` has an entry a database.
    """
    scripts = [produced(context) for context in alembic.migration_contexts.values()]
    result = scripts[0]

    if len(scripts) > 1:
        # The setters take lists; the annotations say what the getters return.
        merged = t.cast(t.Any, result)
        merged.upgrade_ops = [ops for s in scripts for ops in s.upgrade_ops_list]
        merged.downgrade_ops = [ops for s in scripts for ops in s.downgrade_ops_list]

    return result


def produced(context: MigrationContext) -> MigrationScript:
    """The operations for one database, as ``process_revision_directives`` leaves them:
    a new revision would hold no others.

    :param context: The context of the database.
    :return: Alembic's script.
    """
    script = compare(context)
    directives = [script]

    if process := context.opts["process_revision_directives"]:
        process(context, context.get_current_heads(), directives)

    kept = directives[0] if directives else _empty(script)

    for upgrade_ops in kept.upgrade_ops_list:
        upgrade_ops.upgrade_token = context.opts["upgrade_token"]

    for downgrade_ops in kept.downgrade_ops_list:
        downgrade_ops.downgrade_token = context.opts["downgrade_token"]

    return kept


def _empty(script: MigrationScript) -> MigrationScript:
    return MigrationScript(script.rev_id, UpgradeOps(), DowngradeOps())


def operations_by_database(alembic: Facade) -> dict[str, UpgradeOps]:
    """The operations that would bring each database to its models.

    :param alembic: The extension.
    :return: Name to operations.
    """
    return dict(
        zip(
            alembic.migration_contexts,
            produce_migrations(alembic).upgrade_ops_list,
            strict=True,
        )
    )


def needs_revision(alembic: Facade) -> bool:
    """Whether the models differ from a database.

    :param alembic: The extension.
    :return: ``True`` if they do.
    """
    return any(not ops.is_empty() for ops in operations_by_database(alembic).values())


def compare_metadata(alembic: Facade) -> Differences:
    """The differences between the models and the databases.

    :param alembic: The extension.
    :return: Alembic's tuples.
    """
    return Differences(
        {name: ops.as_diffs() for name, ops in operations_by_database(alembic).items()}
    )


def check(alembic: Facade) -> CheckReport:
    """Whether each database is at head and the models match it.

    A database that is behind is not compared: what it lacks may be in the revisions
    that are not applied.

    :param alembic: The extension.
    :return: The report.
    """
    heads = History(alembic.script_directory).effective_heads
    current = current_heads(alembic)
    found = {}

    for name, ids in current.items():
        known_heads(alembic, name, ids)

    if any(set(ids) == set(heads) for ids in current.values()):
        found = operations_by_database(alembic)

    return CheckReport(
        tuple(
            DatabaseCheck(
                database=name,
                current=ids,
                heads=heads,
                tables=alembic.databases[name].tables,
                changes=tuple(describe(found[name], name))
                if set(ids) == set(heads)
                else (),
            )
            for name, ids in current.items()
        )
    )
