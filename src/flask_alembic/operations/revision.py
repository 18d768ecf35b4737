"""Write a new revision, with what comparing the models to the databases finds."""

from __future__ import annotations

import typing as t
from pathlib import Path

from alembic import autogenerate
from alembic.runtime.migration import MigrationContext
from alembic.script import Script
from alembic.util import asbool

from ..arguments import as_strings
from ..arguments import resolve
from ..arguments import RevisionArgument
from ..comparing.passes import comparing
from ..errors import EmptyMetadataError
from ..errors import HistoryError
from ..errors import OutOfDateError
from ..history import History
from ..reports import Change
from ..reports import NewRevisions
from ..scripts import ids_on_disk
from ..scripts import RevisionIndex
from ..scripts import writing
from .describe import describe
from .describe import dropped_tables
from .describe import summary
from .facade import alembic_errors
from .facade import Facade
from .facade import known_heads
from .facade import name_of
from .placing import check_labels
from .placing import check_message
from .placing import find_folder
from .placing import find_parents
from .placing import free_id
from .placing import Labels
from .template_args import template_args


def revision(
    alembic: Facade,
    message: str | None,
    *,
    empty: bool,
    branch: str,
    parent: RevisionArgument,
    splice: bool,
    depend: RevisionArgument | None,
    label: Labels,
    path: str | Path | None,
    allow_drops: bool,
    rev_id: str | None,
    skip_empty: bool,
) -> NewRevisions:
    """Write a new revision.

    :param alembic: The extension.
    :param message: What it does. Without one it tells what was found.
    :param empty: Whether to write no operations.
    :param branch: The independent branch that it is on.
    :param parent: What it revises.
    :param splice: Whether the parent may be another than a head.
    :param depend: What else has to be applied before it.
    :param label: Its labels.
    :param path: The folder that it goes to.
    :param allow_drops: Whether an empty metadata may drop all tables.
    :param rev_id: Its id, instead of a new one.
    :param skip_empty: Whether to write no file if nothing changed.
    :return: The new revisions.
    """
    script = alembic.script_directory
    history = History(script)
    labels = check_labels(label, history)
    parents, labels = find_parents(history, branch, as_strings(parent), labels)
    depends = [resolve(text, history) for text in as_strings(depend or [])]
    arguments = {
        "message": check_message(message),
        "sql": False,
        "head": parents,
        "splice": splice,
        "branch_label": labels,
        "version_path": find_folder(alembic, branch, path),
        "rev_id": free_id(alembic, rev_id, {*history.ids, *history.labels}),
        "depends_on": depends or None,
    }
    work = _Comparison(alembic, arguments, empty=empty, allow_drops=allow_drops)
    result = NewRevisions()

    if not empty or asbool(alembic.config.get_main_option("revision_environment")):
        alembic.run_migrations(work)
        result.changes = work.changes()

    if not empty:
        result.tables = {name: alembic.databases[name].tables for name in work.names}

    if skip_empty and not empty and work.found_nothing():
        result.skipped = True
        return result

    work.name_by(result.changes)
    result += _write(alembic, work.context, chosen=rev_id)
    return result


class _Comparison:
    """The work of comparing, which is asked once for each database."""

    def __init__(
        self,
        alembic: Facade,
        arguments: dict[str, t.Any],
        *,
        empty: bool,
        allow_drops: bool,
    ) -> None:
        self.alembic = alembic
        self.arguments = arguments
        self.empty = empty
        self.allow_drops = allow_drops
        self.begin()

    def begin(self) -> None:
        """Forget what was found so far."""
        self.names: list[str] = []
        self.context = autogenerate.RevisionContext(
            self.alembic.config, self.alembic.script_directory, self.arguments
        )
        # Not in the options of a migration context: an empty revision has none.
        self.context.template_args = {
            **template_args(self.alembic),
            **self.context.template_args,
        }

    def __call__(
        self, heads: tuple[str, ...], context: MigrationContext
    ) -> list[t.Any]:
        name = name_of(self.alembic, context)

        if name in self.names:
            # A retry, which must not add to what the first try found.
            self.begin()

        self.names.append(name)

        if self.empty:
            self.context.run_no_autogenerate(heads, context)
            return []

        _check_at_head(self.alembic, name, heads)

        with comparing(context):
            self.context.run_no_autogenerate(heads, context)

        if not self.allow_drops:
            self._check_drops(name)

        return []

    def changes(self) -> tuple[Change, ...]:
        """What was found, in words."""
        if self.empty:
            return ()

        return tuple(
            change
            for script in self.context.generated_revisions
            for name, ops in zip(self.names, script.upgrade_ops_list, strict=False)
            for change in describe(ops, name)
        )

    def found_nothing(self) -> bool:
        """Whether the revision would do nothing. That a hook left none is another
        matter.
        """
        scripts = self.context.generated_revisions
        found = [ops for script in scripts for ops in script.upgrade_ops_list]
        return bool(scripts) and all(ops.is_empty() for ops in found)

    def name_by(self, changes: t.Sequence[Change]) -> None:
        """Let a revision without message tell what was found."""
        for script in self.context.generated_revisions:
            script.message = script.message or summary(changes)

    def _check_drops(self, name: str) -> None:
        # A hook may have emptied the list, or put other scripts in it.
        scripts = self.context.generated_revisions[-1:]
        tables = [
            table
            for script in scripts
            for operations in script.upgrade_ops_list[-1:]
            for table in dropped_tables(operations)
        ]

        if tables and not self.alembic.databases[name].tables:
            raise EmptyMetadataError(
                f"The metadata of '{name}' has no tables, so the revision would drop"
                f" {_all(sorted(tables))}.",
                database=name,
                tables=tables,
                hint="Is the module with your models imported? If the tables are to"
                " go: flask db revision --allow-drops.",
            )


def _check_at_head(alembic: Facade, name: str, heads: tuple[str, ...]) -> None:
    known_heads(alembic, name, heads)
    wanted = History(alembic.script_directory).effective_heads

    if set(heads) != set(wanted):
        at = ", ".join(sorted(heads)) or "base"
        raise OutOfDateError(
            f"The database '{name}' is behind: it is at {at}, and the newest revision"
            f" is {', '.join(sorted(wanted)) or 'none'}.",
            database=name,
            hint="Run 'flask db upgrade' first.",
        )


def _write(
    alembic: Facade, context: autogenerate.RevisionContext, *, chosen: str | None
) -> list[Script | None]:
    script = alembic.script_directory
    target = ", ".join(context.command_args["head"])

    # Another process may have taken the id since.
    with writing(script), alembic_errors(target):
        taken = ids_on_disk(script)
        _check_labels_on_disk(alembic, context.command_args["branch_label"], taken)

        for generated in context.generated_revisions:
            if generated.rev_id in taken:
                generated.rev_id = free_id(alembic, chosen, taken)

        return list(context.generate_scripts())


def _check_labels_on_disk(
    alembic: Facade, labels: t.Sequence[str], ids: set[str]
) -> None:
    """Check that no process has begun the same branch since the files were read: two
    revisions with one label are no history.
    """
    if not labels or ids <= set(History(alembic.script_directory).ids):
        return

    now = History(RevisionIndex(alembic.config))

    if taken := sorted(set(labels) & now.labels):
        raise HistoryError(
            f"Another process has just begun the branch '{taken[0]}'.",
            hint="Run the command again: it goes on from there.",
        )


def _all(tables: list[str]) -> str:
    if len(tables) == 1:
        return f"the only table of the database, {tables[0]}"

    rest = ", …" if len(tables) > 5 else ""
    return f"all {len(tables)} tables of the database: {', '.join(tables[:5])}{rest}"
