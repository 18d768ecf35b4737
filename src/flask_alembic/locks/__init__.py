"""Locks that keep other runs off a database: which one a database has, and holding
those of a run. Each kind is in a room of its own.
"""

from __future__ import annotations

from .choice import find_lock as find_lock
from .held import holding as holding
from .held import Locks as Locks
from .kinds import Lock as Lock
from .patience import Patience as Patience
from .session import idle as idle
from .threads import one_thread as one_thread
