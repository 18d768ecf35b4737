"""Where a new revision goes: its id, what it revises, its labels, its folder."""

from __future__ import annotations

import typing as t
from pathlib import Path

from ..arguments import resolve
from ..databases import DEFAULT
from ..errors import HistoryError
from ..errors import MultipleHeadsError
from ..errors import TargetError
from ..revision_ids import is_id
from ..revision_ids import is_label
from .facade import Facade

if t.TYPE_CHECKING:
    from ..history import History

Labels = str | t.Sequence[str] | None


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


def check_labels(label: Labels, history: History) -> list[str]:
    """Check the labels of a new revision.

    :param label: One, several or none.
    :param history: The revisions, which may have the label already.
    :return: A list of them.
    :raises TargetError: If one can't be a label.
    """
    labels = [label] if isinstance(label, str) else list(label or ())

    for item in labels:
        _check_label(item)

        if item in history.labels or item in history.ids:
            raise TargetError(
                f"There is a revision or branch '{item}' already.",
                target=item,
                hint="Choose another label.",
            )

    return labels


def _check_label(label: object) -> None:
    if not is_label(label):
        raise TargetError(
            f"{label!r} can't be the label of a branch.",
            target=str(label),
            hint="A label is made of letters, digits, '_', '.' and '-'.",
        )


def find_parents(
    history: History, branch: str, parents: list[str], labels: list[str]
) -> tuple[list[str], list[str]]:
    """What a new revision revises, and its labels.

    The first revision of an independent branch starts at base and bears the branch's
    label; later ones go on at the branch's head.

    :param history: The revisions.
    :param branch: The label of the independent branch, or an empty text for none.
    :param parents: What the user said it revises.
    :param labels: The labels that the user gave.
    :return: The parents and the labels.
    """
    if not branch:
        return [resolve(text, history) for text in parents], labels

    if branch in history.labels:
        named = [f"{branch}@{p}" if p in ("base", "head") else p for p in parents]
        return [resolve(text, history) for text in named], labels

    _check_label(branch)

    if branch == DEFAULT and (heads := _unlabelled_heads(history)):
        # A history that another tool began knows no label "default": go on from it.
        named = [
            _only(heads, text) if text == "head" else resolve(text, history)
            for text in parents
        ]
        return named, labels

    if parents not in (["head"], ["base"]):
        return [resolve(text, history) for text in parents], [branch, *labels]

    return ["base"], [branch, *labels]


def _unlabelled_heads(history: History) -> list[str]:
    heads = history.script.get_revisions(history.get_heads())
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


def find_folder(alembic: Facade, branch: str, path: str | Path | None) -> str:
    """The folder of a new revision.

    :param alembic: The extension.
    :param branch: The label of the independent branch.
    :param path: The folder that the user named.
    :return: An absolute path.
    :raises TargetError: If it is none of the version locations.
    """
    settings = alembic.settings
    script = alembic.script_directory
    known = [Path(location) for location in script.version_locations]
    known = known or [Path(script.dir, "versions")]

    if path:
        folder = settings.resolve(path)
    elif (named := settings.branch_folder(branch)) is not None:
        folder = named
    else:
        own = (settings.main_folder, Path(script.dir), known[0])
        folder = next(location for location in own if location in known)

    if folder not in known:
        raise TargetError(
            f"{folder} is not one of the version locations.",
            target=str(path),
            hint=f"They are {', '.join(str(location) for location in known)}. Others"
            " belong in ALEMBIC['version_locations'].",
        )

    return str(folder)
