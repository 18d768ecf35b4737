"""Say where things stand when Ctrl-C or a signal ended a run. The exception stays what
it is: what is known goes along with it.
"""

from __future__ import annotations

import typing as t

from .run_errors import INTERRUPTION
from .run_errors import Interruption
from .run_errors import interruption_of

if t.TYPE_CHECKING:
    from .failures import Failure
    from .reports import AppliedStep

_AGAIN: t.Final = "run the same command again"


def note_step(error: BaseException, failure: Failure, unanswered: str | None) -> None:
    """Note that a revision was interrupted.

    :param error: The exception.
    :param failure: What is known.
    :param unanswered: The statement that the server may still be at work on, and that
        can't be rolled back.
    """
    message = (
        f"Revision {failure.revision} was interrupted on the database"
        f" '{failure.database}'."
    )
    _note(error, failure, message, _hint(failure, unanswered), unanswered)


def note_commit(error: BaseException, failure: Failure) -> None:
    """Note that a commit was interrupted, which may have taken effect or not.

    :param error: The exception.
    :param failure: What is known.
    """
    message = (
        f"The commit of revision {failure.revision} on the database"
        f" '{failure.database}' was interrupted, and may have taken effect."
    )
    hint = f"Run 'flask db current' to see whether it has, and {_AGAIN} to go on."
    _note(error, failure, message, hint)


def note_run(
    error: BaseException,
    applied: t.Sequence[AppliedStep],
    standing: t.Mapping[str, tuple[str, ...]],
) -> None:
    """Note that a run was interrupted between two revisions, unless more is known.

    :param error: Any exception.
    :param applied: The steps that were committed.
    :param standing: For each database the ids that it stands at.
    """
    if isinstance(error, Exception) or interruption_of(error):
        return

    message = "The run was interrupted between two revisions."
    hint = f"To go on, {_AGAIN}."
    _attach(error, Interruption(message, hint, tuple(applied), standing))


def _note(
    error: BaseException,
    failure: Failure,
    message: str,
    hint: str,
    unanswered: str | None = None,
) -> None:
    # A revision may have migrated another app, and that is what was interrupted.
    if interruption_of(error):
        return

    interruption = Interruption(
        message,
        hint,
        failure.applied,
        failure.standing,
        failure.database,
        failure.kept,
        failure.kept_of,
        unanswered,
    )
    _attach(error, interruption)


def _attach(error: BaseException, interruption: Interruption) -> None:
    vars(error)[INTERRUPTION] = interruption
    error.add_note(f"{interruption.message} {interruption.hint}")


def _hint(failure: Failure, unanswered: str | None) -> str:
    if unanswered:
        return (
            f"{failure.why_kept} It may still be at work. Look at the database, undo"
            f" by hand what was kept and {_AGAIN}."
        )

    if failure.kept:
        return f"{failure.why_kept} Undo by hand what was kept and {_AGAIN}."

    return f"Nothing of this {failure.what_is_undone} was kept. To go on, {_AGAIN}."
