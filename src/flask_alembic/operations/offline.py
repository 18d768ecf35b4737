"""Scripts: where each verb starts and leads to without a database to ask."""

from __future__ import annotations

import re
import typing as t

from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from .. import alembic_internals
from ..arguments import as_strings
from ..arguments import resolve
from ..arguments import RevisionArgument
from ..errors import ConfigurationError
from ..errors import TargetError
from ..history import History
from ..ranges import split_range
from .facade import alembic_errors
from .facade import Facade
from .facade import lineage_heads
from .stamp import stamp
from .upgrade import downgrade
from .upgrade import upgrade

Verb = t.Callable[[Facade, t.Any], None]

# A count of steps, which is checked when the steps are looked for.
_COUNT: t.Final = re.compile(r".*[+-]\d+")


def read_target(
    alembic: Facade, target: RevisionArgument, command: str
) -> tuple[Verb, tuple[str, ...], list[str]]:
    """Find out what a script is to hold.

    :param alembic: The extension.
    :param target: A range, or where to go from base.
    :param command: The command to write.
    :return: The verb, the ids that the databases are taken to be at, and its target.
    :raises TargetError: If the range can't be used for this.
    """
    verb = _verb(command)
    script = alembic.script_directory
    history = History(script)

    if verb is ensure_version:
        return verb, (), []

    texts = as_strings(target)
    starts, ends = split_range(texts, history, command=command)
    _check_count(texts, ends, history, command)
    heads = _heads(script, starts, history)
    _check_direction(script, heads, ends, history, command)
    return verb, heads, ends


def ensure_version(alembic: Facade, target: object = None) -> None:
    """Create the version table.

    :param alembic: The extension.
    :param target: There is none.
    """

    def work(heads: tuple[str, ...], context: MigrationContext) -> None:
        alembic_internals.ensure_version_table(context)

    alembic.run_migrations(work)


_VERBS: t.Final[dict[str, Verb]] = {
    "upgrade": upgrade,
    "downgrade": downgrade,
    "stamp": stamp,
    "ensure_version": ensure_version,
}


def _verb(command: str) -> Verb:
    name = command.replace("-", "_")

    if name not in _VERBS:
        raise ConfigurationError(
            f"There is no SQL for '{command}'.",
            hint=f"The commands are: {', '.join(_VERBS)}.",
            key="command",
            value=command,
        )

    return _VERBS[name]


def _check_count(
    texts: list[str], ends: list[str], history: History, command: str
) -> None:
    """Without a range, a count has nothing to count from."""
    if texts != ends or command == "downgrade":
        return

    for text in texts:
        if resolve(text, history, sign="+").startswith(("+", "-")):
            raise TargetError(
                f"'{text}' counts from where a database is, and a script has none.",
                target=text,
                hint="Name the start of the range:"
                f" 'flask db {command} --sql base:{text}'.",
            )


def _heads(
    script: ScriptDirectory, starts: list[str], history: History
) -> tuple[str, ...]:
    """What the version table holds at the start of a range."""
    ids = [id_ for text in starts for id_ in _ids(script, text, history)]
    return lineage_heads(script, tuple(dict.fromkeys(ids)))


def _ids(script: ScriptDirectory, text: str, history: History) -> list[str]:
    with alembic_errors(text):
        found = script.get_revisions(resolve(text, history))

    return [revision.revision for revision in found if revision is not None]


def _check_direction(
    script: ScriptDirectory,
    heads: tuple[str, ...],
    ends: list[str],
    history: History,
    command: str,
) -> None:
    """An upgrade that leads down has no steps, and would be an empty script."""
    sign = "+" if command == "upgrade" else "-"
    found = [resolve(text, history, sign=sign) for text in ends]
    is_count = any(_COUNT.fullmatch(f) and f not in history.ids for f in found)

    if command == "stamp" or is_count:
        return

    wanted = {id_ for text in ends for id_ in _ids(script, text, history)}
    lower, upper = (wanted, heads) if command == "upgrade" else (set(heads), wanted)

    if lower != set(upper) and lower <= _below(script, upper):
        other = "downgrade" if command == "upgrade" else "upgrade"
        way = "down" if command == "upgrade" else "up"
        whole = f"{','.join(heads) or 'base'}:{','.join(ends)}"
        raise TargetError(
            f"'{whole}' leads {way}.",
            target=whole,
            hint=f"Turn it round, or run 'flask db {other} --sql {whole}'.",
        )


def _below(script: ScriptDirectory, ids: t.Collection[str]) -> set[str]:
    return {
        found.revision
        for id_ in ids
        for found in script.iterate_revisions(id_, "base")
        if found.revision not in ids
    }
