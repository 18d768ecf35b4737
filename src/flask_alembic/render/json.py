"""Reports as JSON for machines. Keys stay as they are: scripts rely on them."""

from __future__ import annotations

import json
import typing as t
from dataclasses import asdict

from ..history_reports import HistoryEntry
from ..reports import CheckReport
from ..reports import RevisionInfo


def revisions_json(revisions: t.Iterable[RevisionInfo]) -> str:
    """Some revisions.

    :param revisions: The revisions.
    :return: A document.
    """
    return document({"revisions": [asdict(info) for info in revisions]})


def current_json(
    databases: t.Mapping[str, t.Iterable[RevisionInfo]],
    unknown: t.Mapping[str, t.Sequence[str]],
) -> str:
    """Where each database is.

    :param databases: Name to revisions.
    :param unknown: Name to the ids that no file has.
    :return: A document.
    """
    found = [
        {
            "name": name,
            "revisions": [asdict(info) for info in revisions],
            "unknown": unknown.get(name, ()),
        }
        for name, revisions in databases.items()
    ]
    return document({"databases": found})


def check_json(report: CheckReport) -> str:
    """What a check found.

    :param report: The report.
    :return: A document.
    """
    found = [
        {
            "name": database.database,
            "current": database.current,
            "heads": database.heads,
            "ok": database.ok,
            "changes": [change.text for change in database.changes],
        }
        for database in report.databases
    ]
    return document({"ok": report.ok, "databases": found})


def applied_json(databases: t.Mapping[str, t.Iterable[HistoryEntry]]) -> str:
    """What was applied to each database.

    :param databases: Name to entries.
    :return: A document. Times are in UTC, in ISO 8601.
    """
    found = [
        {"name": name, "applied": [_entry(entry) for entry in entries]}
        for name, entries in databases.items()
    ]
    return document({"databases": found})


def _entry(entry: HistoryEntry) -> dict[str, t.Any]:
    facts = {**asdict(entry), "applied_at": entry.applied_at.isoformat()}
    del facts["database"]
    return facts


def document(content: t.Any) -> str:
    """Anything as JSON.

    :param content: Plain data.
    :return: A document.
    """
    # ASCII, so that it can be written in any locale.
    return json.dumps(content, indent=2)
