"""Where Flask-Alembic 2 had the group, and applications still import it from."""

from __future__ import annotations

from .group import shared as cli

__all__ = ["cli"]
