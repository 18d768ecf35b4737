"""The history of databases as lines, at most 80 columns wide."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from ..history_reports import Finding
    from ..history_reports import HistoryEntry

from .text import shorten

_WIDTH: t.Final = 80

_WORDS: t.Final = {
    "edited": "revision {name} was edited after it was applied: {detail}.",
    "moved": "revision {name} was moved after it was applied: {detail}.",
    "forgotten": "revision {name} is noted as applied, but neither a file nor the"
    " version table has it.",
    "overlap": "is at {name}, and at {detail}, which comes after it.",
    "unknown": "is at {name}, which no file has.",
    "journal": "statements of the {detail} of {name} are noted, and nobody goes on with"
    " them.",
    "invalid index": "the index {name} of {detail} is not valid: its building failed.",
    "temporary table": "the table {name} was left when {detail} was changed.",
}
_CURES: t.Final = {
    ("edited", "accept"): "Take the file for what was applied",
    ("moved", "accept"): "Take the file for what was applied",
    ("forgotten", "forget"): "Forget that it was applied",
    ("overlap", "remove"): "Remove {name} from the version table",
    ("journal", "forget"): "Forget these statements",
    ("invalid index", "drop"): "Drop the index",
    ("invalid index", "reindex"): "Build the index again",
    ("temporary table", "drop"): "Drop {name}",
}
_DONE: t.Final = {
    "accept": "accepted",
    "forget": "forgotten",
    "remove": "removed",
    "drop": "dropped",
    "reindex": "built again",
}
_BY_HAND: t.Final = {
    "unknown": "Restore the file, or deploy the newer code. If it is lost, run 'flask"
    " db stamp --purge' with the revision that the tables match.",
    "temporary table": 'There is no "{detail}": the rows may be in this table. If they'
    ' are, run ALTER TABLE "{name}" RENAME TO "{detail}".',
    "invalid index": "Run 'flask db repair' outside of a transaction.",
}


def entry_lines(
    databases: t.Mapping[str, t.Sequence[HistoryEntry]], *, verbose: bool
) -> list[str]:
    """What was applied to each database.

    :param databases: Name to entries.
    :param verbose: Whether to tell all of each.
    :return: Lines. The databases are named where there are several.
    """
    lines = []

    for name, entries in databases.items():
        if not entries:
            lines.append(f"{name}: nothing is noted.")
        elif len(databases) > 1:
            lines.append(f"{name}:")

        lines += map(_block, entries) if verbose else _columns(entries)

    return lines


def _columns(entries: t.Sequence[HistoryEntry]) -> t.Iterator[str]:
    ids = max((len(entry.revision) for entry in entries), default=0)
    times = max((len(_duration(entry)) for entry in entries), default=0)

    for entry in entries:
        facts = (
            _time(entry),
            f"{entry.revision:<{ids}}",
            f"{entry.direction:<9}",
            f"{_duration(entry):>{times}}",
            f"{_who(entry)} ({entry.version})",
        )
        line = "  ".join(facts)
        yield line if len(line) <= _WIDTH else f"{line[: _WIDTH - 1]}…"


def _duration(entry: HistoryEntry) -> str:
    seconds = entry.seconds
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def _time(entry: HistoryEntry) -> str:
    return f"{entry.applied_at:%Y-%m-%d %H:%M:%S}"


def _who(entry: HistoryEntry) -> str:
    return f"{entry.run_by}@{entry.host}" if entry.run_by else entry.host


def _block(entry: HistoryEntry) -> str:
    facts = {
        "Rev": entry.revision,
        "Direction": entry.direction,
        "Parent": ", ".join(entry.parents) or "<base>",
        "Applied": f"{_time(entry)} UTC, in {_duration(entry)}",
        "By": f"{_who(entry)}, process {entry.pid}",
        "Version": entry.version,
        "Checksum": entry.checksum or "",
    }
    return "".join(f"{name}: {fact}\n" for name, fact in facts.items() if fact)


def finding_line(finding: Finding) -> str:
    """What was found.

    :param finding: What it is.
    :return: A line.
    """
    words = _WORDS[finding.kind].format(name=finding.name, detail=finding.detail)
    return f"{finding.database}: {words}"


def by_hand(finding: Finding) -> str:
    """What a user can do about what can't be mended.

    :param finding: What it is.
    :return: A line.
    """
    words = _BY_HAND[finding.kind].format(name=finding.name, detail=finding.detail)
    return f"  {words}"


def question(finding: Finding) -> str:
    """What would mend it.

    :param finding: What was found, which can be mended.
    :return: The question.
    """
    words = _CURES[finding.kind, finding.cure]
    return f"  {words.format(name=finding.name, detail=finding.detail)}?"


def outcome(finding: Finding) -> str:
    """What became of it.

    :param finding: What was to be mended.
    :return: A line.
    """
    if finding.mended:
        return f"{finding.database}: {finding.name} {_DONE[finding.cure]}."

    what = shorten(finding.reason, 300)
    return f"{finding.database}: {finding.name} could not be mended: {what}"
