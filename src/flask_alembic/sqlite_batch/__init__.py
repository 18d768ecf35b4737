"""Batch mode on SQLite, which makes a table anew and loses nothing that hangs on it."""

from __future__ import annotations

from .restored import revision_wins as revision_wins
