"""Tapes: what a revision executed on one database, to be executed on others of its
kind, and whether that does the same. How a tape is played is not known here.
"""

from __future__ import annotations

from .recorder import kind_of as kind_of
from .recorder import Recorder as Recorder
from .tape import Kind as Kind
from .tape import Tape as Tape
from .tape import Taped as Taped
from .tape import Tapes as Tapes
