"""Tapes are played: what a revision executed on one database is executed on another,
with the same lock and the same rows as if it had run there.
"""

from __future__ import annotations

from .replay import CantReplay as CantReplay
from .replay import Replay as Replay
from .score import Scores as Scores
