"""Comparing models to a database: what is read, and which tables Alembic compares."""

from __future__ import annotations

from .passes import compare as compare
from .passes import comparing as comparing
