"""Alembic's revisions become plain data, for machine-readable output."""

from __future__ import annotations

import typing as t

from alembic.script import Script
from alembic.util import to_tuple

from ..reports import RevisionInfo
from ..revisions.paths import display


def revision_info(
    script: Script, folder: str, databases: t.Iterable[str] | None = None
) -> RevisionInfo:
    """One revision as plain data.

    :param script: The revision.
    :param folder: The migrations folder.
    :param databases: The databases that are at it; ``None`` if they were not asked.
    :return: The data.
    """
    return RevisionInfo(
        revision=script.revision,
        down_revisions=to_tuple(script.down_revision, ()),
        next_revisions=tuple(sorted(script.nextrev)),
        branch_labels=tuple(sorted(script.branch_labels)),
        depends_on=to_tuple(script.dependencies, ()),
        message=" ".join((script.doc or "").split()),
        path=display(script.path, folder),
        is_head=script.is_head,
        databases=None if databases is None else tuple(databases),
    )


def databases_at(
    current: t.Mapping[str, t.Iterable[Script]],
) -> dict[str, list[str]]:
    """The databases that are at each revision.

    :param current: For each database where it is.
    :return: Id to names. A revision that no database is at is not in it.
    """
    result: dict[str, list[str]] = {}

    for name, scripts in current.items():
        for script in scripts:
            result.setdefault(script.revision, []).append(name)

    return result
