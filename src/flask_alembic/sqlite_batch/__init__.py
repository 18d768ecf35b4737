"""Batch mode on SQLite, which makes a table anew and loses nothing that hangs on it."""

from __future__ import annotations

from .batch import make_anew as make_anew
from .restored import revision_wins as revision_wins
