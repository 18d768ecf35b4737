"""Write a revision that joins several."""

from __future__ import annotations

from alembic.script import Script

from ..arguments import as_strings
from ..arguments import resolve
from ..arguments import RevisionArgument
from ..history import History
from ..scripts import ids_on_disk
from ..scripts import writing
from .facade import alembic_errors
from .facade import Facade
from .placing import check_labels
from .placing import check_message
from .placing import free_id
from .placing import Labels
from .template_args import template_args


def merge(
    alembic: Facade,
    revisions: RevisionArgument,
    message: str | None,
    label: Labels,
    *,
    rev_id: str | None,
    splice: bool,
) -> Script | None:
    """Write a revision that joins several.

    :param alembic: The extension.
    :param revisions: What to join.
    :param message: What to call it.
    :param label: Its labels.
    :param rev_id: Its id, instead of a new one.
    :param splice: Whether they may be others than heads.
    :return: The new revision, or ``None`` if there is nothing to join.
    """
    script = alembic.script_directory
    history = History(script)
    texts = [resolve(text, history) for text in as_strings(revisions)]
    ids = [found.revision for text in texts for found in script.get_revisions(text)]
    ids = list(dict.fromkeys(ids))

    if len(ids) < 2:
        return None

    if message is None:
        message = f"merge {', '.join(ids)}"

    check_message(message)
    labels = check_labels(label, history)
    taken = {*history.ids, *history.labels}

    with writing(script), alembic_errors(", ".join(ids)):
        return script.generate_revision(
            revid=free_id(alembic, rev_id, {*taken, *ids_on_disk(script)}),
            message=message,
            head=ids,
            splice=splice,
            branch_labels=labels or None,
            **{**template_args(alembic), "config": alembic.config},
        )
