"""The shop window: what users import. Alembic itself is loaded when it is needed."""

from __future__ import annotations

import importlib
import typing as t

from .extension import Alembic
from .reports import AppliedStep
from .reports import Change
from .reports import CheckReport
from .reports import DatabaseCheck
from .reports import Differences
from .reports import InitReport
from .reports import MigrationReport
from .reports import NewRevisions
from .reports import Template

if t.TYPE_CHECKING:
    from .errors import AppContextError
    from .errors import ConfigurationError
    from .errors import ConnectionFailed
    from .errors import EmptyMetadataError
    from .errors import FlaskAlembicError
    from .errors import HistoryError
    from .errors import MigrationFailed
    from .errors import MultipleHeadsError
    from .errors import OutOfDateError
    from .errors import PartialCommitError
    from .errors import RevisionFileError
    from .errors import TargetError
    from .errors import TemplateError
    from .errors import UnknownRevisionError

__all__ = [
    "Alembic",
    "AppContextError",
    "AppliedStep",
    "Change",
    "CheckReport",
    "ConfigurationError",
    "ConnectionFailed",
    "DatabaseCheck",
    "Differences",
    "EmptyMetadataError",
    "FlaskAlembicError",
    "HistoryError",
    "InitReport",
    "MigrationFailed",
    "MigrationReport",
    "MultipleHeadsError",
    "NewRevisions",
    "OutOfDateError",
    "PartialCommitError",
    "RevisionFileError",
    "TargetError",
    "Template",
    "TemplateError",
    "UnknownRevisionError",
]


def __getattr__(name: str) -> t.Any:
    # The errors are Alembic's errors too, so they are loaded when asked for.
    if name in __all__:
        return getattr(importlib.import_module(f"{__name__}.errors"), name)

    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
