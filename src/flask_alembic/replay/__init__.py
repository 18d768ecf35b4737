"""Tapes are played: what a revision executed on one database is executed on another one,
with the same lock, the same rows and the same transactions as if it had run there.
"""

from __future__ import annotations

from .replay import CantReplay as CantReplay
from .replay import Facts as Facts
from .replay import Replay as Replay
from .replay import Replayed as Replayed
