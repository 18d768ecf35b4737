"""What is known of revisions that ran, as long as their files are the same: tenants
that come later get it too.
"""

from __future__ import annotations

import threading
import typing as t
from weakref import WeakKeyDictionary

from ..replay import Scores
from ..tapes import Recorder
from ..tapes import Tapes

if t.TYPE_CHECKING:
    from alembic.script import ScriptDirectory


class Library:
    """Tapes of the revisions of one script directory. Threads share them."""

    def __init__(self) -> None:
        self.tapes: Tapes = Tapes()
        self.scores: Scores = Scores()
        self.recorder: Recorder = Recorder(self.tapes)
        self.turn: threading.Lock = threading.Lock()
        """For running a revision: one at a time, and nobody's patience ends."""


_libraries: t.Final[WeakKeyDictionary[ScriptDirectory, Library]] = WeakKeyDictionary()
_lock: t.Final = threading.Lock()


def library_of(script: ScriptDirectory) -> Library:
    """The library of some revisions. Where a file changed, they are others.

    :param script: The revisions.
    :return: The library.
    """
    with _lock:
        return _libraries.setdefault(script, Library())
