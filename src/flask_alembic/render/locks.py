"""Who holds a lock, as lines for people."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from ..lock_reports import Blocker


def blocker_lines(blockers: t.Iterable[Blocker]) -> list[str]:
    """The sessions that were in the way.

    :param blockers: The sessions.
    :return: A line each.
    """
    return [f"  {_line(blocker)}" for blocker in blockers]


def _line(blocker: Blocker) -> str:
    user = f"user {blocker.user}" if blocker.user else None
    parts = [f"session {blocker.session}", user, blocker.application, blocker.state]

    if blocker.seconds is not None:
        parts.append(f"for {blocker.seconds:.0f} s")

    line = ", ".join(part for part in parts if part)
    return f"{line}: {blocker.query}" if blocker.query else line
