"""Revisions become plain data, for machine-readable output."""

from __future__ import annotations

import typing as t

from ..reports import RevisionInfo
from ..revisions.graph import as_ids
from ..revisions.paths import display

if t.TYPE_CHECKING:
    from alembic.script import Script

    from ..revisions.graph import Revision


def revision_info(
    script: Script | Revision, folder: str, databases: t.Iterable[str] | None = None
) -> RevisionInfo:
    """One revision as plain data.

    :param script: The revision.
    :param folder: The migrations folder.
    :param databases: The databases that are at it; ``None`` if they were not asked.
    :return: The data.
    """
    return RevisionInfo(
        revision=script.revision,
        down_revisions=as_ids(script.down_revision),
        next_revisions=tuple(sorted(script.nextrev)),
        branch_labels=tuple(sorted(script.branch_labels)),
        depends_on=as_ids(script.dependencies),
        message=" ".join((script.doc or "").split()),
        path=display(script.path, folder),
        is_head=script.is_head,
        databases=None if databases is None else tuple(databases),
    )
