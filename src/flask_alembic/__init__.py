"""The shop window: what users import. Alembic itself is loaded when it is needed."""

from __future__ import annotations

import importlib
import typing as t

from .extension import Alembic

if t.TYPE_CHECKING:
    from .adopt_reports import AdoptedDatabase
    from .adopt_reports import AdoptedFolder
    from .adopt_reports import AdoptReport
    from .adopt_reports import Customised
    from .adopt_reports import Verification
    from .errors import AppContextError
    from .errors import ConfigurationError
    from .errors import ConnectionFailed
    from .errors import EmptyMetadataError
    from .errors import FlaskAlembicError
    from .errors import HistoryError
    from .errors import MultipleHeadsError
    from .errors import OutOfDateError
    from .errors import RevisionFileError
    from .errors import SchemaMismatchError
    from .errors import TargetError
    from .errors import TemplateError
    from .errors import UnknownRevisionError
    from .fleet_reports import FleetProgress
    from .fleet_reports import FleetReport
    from .fleet_reports import FleetStatus
    from .fleet_reports import TenantResult
    from .fleet_reports import TenantStatus
    from .history_reports import ChangedRevision
    from .history_reports import Finding
    from .history_reports import HistoryEntry
    from .history_reports import RepairReport
    from .lock_reports import Blocker
    from .lock_reports import LockHolder
    from .reports import AppliedStep
    from .reports import Change
    from .reports import CheckReport
    from .reports import CurrentRevisions
    from .reports import DatabaseCheck
    from .reports import Differences
    from .reports import InitReport
    from .reports import MigrationReport
    from .reports import NewRevisions
    from .reports import Template
    from .reports import VersionTable
    from .run_errors import ChangedRevisionError
    from .run_errors import ChangedStatementError
    from .run_errors import ConnectionLost
    from .run_errors import HalfDoneError
    from .run_errors import LockLost
    from .run_errors import MigrationFailed
    from .run_errors import PartialCommitError
    from .run_errors import ProtectedDatabaseError
    from .run_errors import RunLocked
    from .run_errors import TableLocked
    from .run_errors import UndecidedError
    from .snapshot_reports import DatabaseSnapshot
    from .snapshot_reports import DatabaseSnapshotCheck
    from .snapshot_reports import PreparedDatabase
    from .snapshot_reports import PrepareReport
    from .snapshot_reports import SnapshotCheck
    from .snapshot_reports import SnapshotReport
    from .tenants import Tenant

__all__ = [
    "AdoptReport",
    "AdoptedDatabase",
    "AdoptedFolder",
    "Alembic",
    "AppContextError",
    "AppliedStep",
    "Blocker",
    "Change",
    "ChangedRevision",
    "ChangedRevisionError",
    "ChangedStatementError",
    "CheckReport",
    "ConfigurationError",
    "ConnectionFailed",
    "ConnectionLost",
    "CurrentRevisions",
    "Customised",
    "DatabaseCheck",
    "DatabaseSnapshot",
    "DatabaseSnapshotCheck",
    "Differences",
    "EmptyMetadataError",
    "Finding",
    "FlaskAlembicError",
    "FleetProgress",
    "FleetReport",
    "FleetStatus",
    "HalfDoneError",
    "HistoryEntry",
    "HistoryError",
    "InitReport",
    "LockHolder",
    "LockLost",
    "MigrationFailed",
    "MigrationReport",
    "MultipleHeadsError",
    "NewRevisions",
    "OutOfDateError",
    "PartialCommitError",
    "PrepareReport",
    "PreparedDatabase",
    "ProtectedDatabaseError",
    "RepairReport",
    "RevisionFileError",
    "RunLocked",
    "SchemaMismatchError",
    "SnapshotCheck",
    "SnapshotReport",
    "TableLocked",
    "TargetError",
    "Template",
    "TemplateError",
    "Tenant",
    "TenantResult",
    "TenantStatus",
    "UndecidedError",
    "UnknownRevisionError",
    "Verification",
    "VersionTable",
]


# What a web worker does not need is loaded when it is asked for. The errors are
# Alembic's errors too.
_LAZY: t.Final = (
    "run_reports",
    "reports",
    "errors",
    "run_errors",
    "adopt_reports",
    "fleet_reports",
    "history_reports",
    "lock_reports",
    "tenants",
    "snapshot_reports",
)


def __getattr__(name: str) -> t.Any:
    for module in _LAZY if name in __all__ else ():
        found = importlib.import_module(f"{__name__}.{module}")

        if hasattr(found, name):
            return getattr(found, name)

    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
