"""What is noted of the statements of a revision that no transaction covers, so that the
next run goes on where one failed or was killed.
"""

from __future__ import annotations

from .journal import Journal as Journal
from .journal import mark as mark
from .journal import open_journal as open_journal
from .table import HalfDone as HalfDone
