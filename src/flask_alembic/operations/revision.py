"""Write revision files: revision and merge."""

from __future__ import annotations

import typing as t
from pathlib import Path

from alembic import autogenerate
from alembic.runtime.migration import MigrationContext
from alembic.script import Script
from alembic.util import asbool
from alembic.util import CommandError

from ..arguments import as_strings
from ..arguments import beyond
from ..arguments import resolve
from ..arguments import RevisionArgument
from ..databases import DEFAULT
from ..errors import EmptyMetadataError
from ..errors import FlaskAlembicError
from ..errors import HistoryError
from ..errors import MultipleHeadsError
from ..errors import OutOfDateError
from ..errors import TargetError
from ..reports import NewRevisions
from ..revision_ids import is_id
from ..revision_ids import is_label
from ..scripts import RevisionIndex
from .describe import describe
from .describe import dropped_tables
from .facade import Facade
from .facade import known_heads
from .facade import name_of

Labels = str | t.Sequence[str] | None


def revision(
    alembic: Facade,
    message: str,
    *,
    empty: bool,
    branch: str,
    parent: RevisionArgument,
    splice: bool,
    depend: RevisionArgument | None,
    label: Labels,
    path: str | Path | None,
    allow_drops: bool,
) -> NewRevisions:
    """Write a new revision.

    :param alembic: The extension.
    :param message: What it does.
    :param empty: Whether to write no operations.
    :param branch: The independent branch that it is on.
    :param parent: What it revises.
    :param splice: Whether the parent may be another than a head.
    :param depend: What else has to be applied before it.
    :param label: Its labels.
    :param path: The folder that it goes to.
    :param allow_drops: Whether an empty metadata may drop all tables.
    :return: The new revisions.
    """
    script = alembic.script_directory
    labels = _labels(label)
    parents, labels = _parents(script, branch, as_strings(parent), labels)
    depends = [resolve(text, script) for text in as_strings(depend or [])]
    context = autogenerate.RevisionContext(
        alembic.config,
        script,
        {
            "message": check_message(message),
            "sql": False,
            "head": parents,
            "splice": splice,
            "branch_label": labels,
            "version_path": _folder(alembic, branch, path),
            "rev_id": new_id(alembic, script.ids),
            "depends_on": depends or None,
        },
    )
    result = NewRevisions()

    if not empty:
        result.tables = {n: found.tables for n, found in alembic.databases.items()}

    if not empty or asbool(alembic.config.get_main_option("revision_environment")):
        work = _Comparison(alembic, context, empty=empty, allow_drops=allow_drops)
        alembic.run_migrations(work)
        result.changes = work.changes()

    result += _write(alembic, context)
    return result


def merge(
    alembic: Facade,
    revisions: RevisionArgument,
    message: str | None,
    label: Labels,
) -> Script | None:
    """Write a revision that joins several.

    :param alembic: The extension.
    :param revisions: What to join.
    :param message: What to call it.
    :param label: Its labels.
    :return: The new revision, or ``None`` if there is nothing to join.
    """
    script = alembic.script_directory
    texts = [resolve(text, script) for text in as_strings(revisions)]
    ids = [found.revision for text in texts for found in script.get_revisions(text)]
    ids = list(dict.fromkeys(ids))

    if len(ids) < 2:
        return None

    if message is None:
        message = f"merge {', '.join(ids)}"

    check_message(message)

    with script.writing(), _alembic_errors(", ".join(ids)):
        return script.generate_revision(
            revid=new_id(alembic, script.ids_on_disk()),
            message=message,
            head=ids,
            branch_labels=_labels(label) or None,
            config=alembic.config,
        )


def new_id(alembic: Facade, taken: t.Collection[str]) -> str:
    """An id that no revision has.

    :param alembic: The extension, whose ``rev_id`` may be the user's.
    :param taken: The ids that exist.
    :return: The new id.
    :raises HistoryError: If ``rev_id`` gives the same id again, or something else.
    """
    tried: set[str] = set()

    while True:
        id_ = alembic.rev_id()

        if not is_id(id_):
            raise HistoryError(
                f"rev_id() returned {id_!r}, which can't be an id.",
                hint="An id is a str of letters, digits, '_' and '.'.",
            )

        if id_ not in taken:
            return id_

        if id_ in tried:
            raise HistoryError(
                f"rev_id() returned '{id_}', which is the id of another revision.",
                hint="Let it return a new id at each call.",
            )

        tried.add(id_)


def check_message(message: str) -> str:
    """Check that a message can be written to a file and shown.

    :param message: As the user gave it.
    :return: The same message.
    :raises TargetError: If it is empty, or no valid text.
    """
    if not isinstance(message, str) or not message.strip():
        raise TargetError(
            "The message is empty.",
            target=str(message),
            hint='Say what the revision does: flask db revision "add email".',
        )

    try:
        message.encode()
    except UnicodeEncodeError as error:
        raise TargetError(
            f"The message is not valid text: {message!r}.", target=repr(message)
        ) from error

    return message


class _Comparison:
    """The work of comparing, which is asked once for each database."""

    def __init__(
        self,
        alembic: Facade,
        context: autogenerate.RevisionContext,
        *,
        empty: bool,
        allow_drops: bool,
    ) -> None:
        self.alembic = alembic
        self.context = context
        self.empty = empty
        self.allow_drops = allow_drops
        self.names: list[str] = []

    def __call__(
        self, heads: tuple[str, ...], context: MigrationContext
    ) -> list[t.Any]:
        name = name_of(self.alembic, context)

        if self.empty:
            self.context.run_no_autogenerate(heads, context)
            return []

        _check_at_head(self.alembic, name, heads)

        if not self.names:
            # A retry begins anew, and must not append to what the first try found.
            self.context.generated_revisions = self.context.generated_revisions[:1]

        self.names.append(name)
        self.context.run_autogenerate(heads, context)

        if not self.allow_drops:
            self._check_drops(name)

        return []

    def changes(self) -> tuple[t.Any, ...]:
        """What was found, in words."""
        if self.empty:
            return ()

        return tuple(
            change
            for script in self.context.generated_revisions
            for name, ops in zip(self.names, script.upgrade_ops_list, strict=False)
            for change in describe(ops, name)
        )

    def _check_drops(self, name: str) -> None:
        script = self.context.generated_revisions[-1]
        tables = dropped_tables(script.upgrade_ops_list[-1])

        if tables and not self.alembic.databases[name].tables:
            raise EmptyMetadataError(
                f"The metadata of '{name}' has no tables, so the revision would drop"
                f" all {len(tables)} of the database: {', '.join(sorted(tables)[:5])}"
                f"{', …' if len(tables) > 5 else ''}.",
                database=name,
                tables=tables,
                hint="Is the module with your models imported? If the tables are to"
                " go: flask db revision --allow-drops.",
            )


def _check_at_head(alembic: Facade, name: str, heads: tuple[str, ...]) -> None:
    known_heads(alembic, name, heads)
    wanted = alembic.script_directory.effective_heads

    if set(heads) != set(wanted):
        at = ", ".join(sorted(heads)) or "base"
        raise OutOfDateError(
            f"The database '{name}' is behind: it is at {at}, and the newest revision"
            f" is {', '.join(sorted(wanted)) or 'none'}.",
            database=name,
            hint="Run 'flask db upgrade' first.",
        )


def _write(
    alembic: Facade, context: autogenerate.RevisionContext
) -> list[Script | None]:
    script = alembic.script_directory
    target = ", ".join(context.command_args["head"])

    # Another process may have taken the id since.
    with script.writing(), _alembic_errors(target):
        taken = script.ids_on_disk()

        for generated in context.generated_revisions:
            if generated.rev_id in taken:
                generated.rev_id = new_id(alembic, taken)

        return list(context.generate_scripts())


class _alembic_errors:
    """Alembic's errors about what a new revision revises, in our words."""

    def __init__(self, target: str) -> None:
        self.target = target

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, tb: object) -> None:
        if isinstance(error, CommandError) and not isinstance(error, FlaskAlembicError):
            raise beyond(self.target, up=True, reason=str(error)) from error


def _labels(label: Labels) -> list[str]:
    labels = [label] if isinstance(label, str) else list(label or ())

    for item in labels:
        _check_label(item)

    return labels


def _check_label(label: object) -> None:
    if not is_label(label):
        raise TargetError(
            f"{label!r} can't be the label of a branch.",
            target=str(label),
            hint="A label is made of letters, digits, '_', '.' and '-'.",
        )


def _parents(
    script: RevisionIndex, branch: str, parents: list[str], labels: list[str]
) -> tuple[list[str], list[str]]:
    """What a new revision revises, and its labels.

    The first revision of an independent branch starts at base and bears the branch's
    label; later ones go on at the branch's head.
    """
    if not branch:
        return [resolve(text, script) for text in parents], labels

    _check_label(branch)

    if branch in script.labels:
        named = [f"{branch}@{p}" if p in ("base", "head") else p for p in parents]
        return [resolve(text, script) for text in named], labels

    if branch == DEFAULT and (heads := _unlabelled_heads(script)):
        # A history that another tool began knows no label "default": go on from it.
        named = [
            _only(heads, text) if text == "head" else resolve(text, script)
            for text in parents
        ]
        return named, labels

    if parents not in (["head"], ["base"]):
        return [resolve(text, script) for text in parents], [branch, *labels]

    return ["base"], [branch, *labels]


def _unlabelled_heads(script: RevisionIndex) -> list[str]:
    heads = script.get_revisions(script.get_heads())
    return [head.revision for head in heads if not head.branch_labels]


def _only(heads: list[str], text: str) -> str:
    if len(heads) > 1:
        raise MultipleHeadsError(
            f"The new revision could revise any of {len(heads)} heads:"
            f" {', '.join(sorted(heads))}.",
            target=text,
            heads=sorted(heads),
            hint="Join them with 'flask db merge', or name one: --parent"
            f" {sorted(heads)[0]}.",
        )

    return heads[0]


def _folder(alembic: Facade, branch: str, path: str | Path | None) -> str:
    settings = alembic.settings
    script = alembic.script_directory

    if path:
        folder = settings.resolve(path)
    else:
        folder = settings.branch_folder(branch) or Path(script.dir)

    if folder not in [Path(known) for known in script.version_locations]:
        known = ", ".join(script.version_locations)
        raise TargetError(
            f"{folder} is not one of the version locations.",
            target=str(path),
            hint=f"They are {known}. Others belong in ALEMBIC['version_locations'].",
        )

    return str(folder)
