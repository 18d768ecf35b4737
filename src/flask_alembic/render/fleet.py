"""Reports of many tenants as lines for people."""

from __future__ import annotations

import typing as t

from ..fleet_reports import FleetProgress
from ..fleet_reports import FleetReport
from ..fleet_reports import FleetStatus
from ..fleet_reports import STATES
from ..fleet_reports import TenantResult

_MINUTE: t.Final = 60


def report_lines(report: FleetReport) -> list[str]:
    """What became of the tenants: how many are in each state, and why some failed.

    :param report: The report.
    :return: Lines.
    """
    width = len(str(len(report.tenants)))
    lines = []

    for state in STATES:
        lines.append(f"{state:<13}  {report.count(state):>{width}}")

        if state == "failed":
            lines += [line for r in report.tenants for line in _failed_lines(r)]

    return lines


def _failed_lines(result: TenantResult) -> list[str]:
    if result.state != "failed":
        return []

    lines = [f"  {result.tenant}: {_one_line(result.error or '')}"]
    count = len(result.steps)

    if count:
        noun = "revision" if count == 1 else "revisions"
        lines.append(f"    {count} {noun} applied before")

    if result.hint:
        lines.append(f"    Hint: {_one_line(result.hint)}")

    return lines


def summary(report: FleetReport) -> str:
    """How it ended.

    :param report: The report.
    :return: A line.
    """
    count = len(report.tenants)
    noun = "tenant" if count == 1 else "tenants"

    if not count:
        return "There are no tenants."

    if report.ok:
        return f"{count} {noun} in {_time(report.seconds)}."

    left = report.count("failed") + report.count("not tried")
    return (
        f"{left} of {count} {noun} left, after {_time(report.seconds)}. Run the same"
        " command again when that is mended."
    )


def progress_line(progress: FleetProgress) -> str:
    """How far it is.

    :param progress: What is known.
    :return: A line.
    """
    failed = f", {progress.failed} failed" if progress.failed else ""
    left = _time(progress.seconds_left)
    return f"{progress.tried} of {progress.total} tenants{failed}, about {left} left"


def status_lines(status: FleetStatus) -> list[str]:
    """How many tenants are at which revisions.

    :param status: Where they are.
    :return: Lines.
    """
    unknown = {id_ for tenant in status.tenants for id_ in tenant.unknown}
    width = len(str(len(status.tenants)))
    lines = [
        f"{count:>{width}}  {_place(ids, status.heads, unknown)}"
        for ids, count in status.by_revision.items()
    ]

    if status.failed:
        lines.append(f"{len(status.failed):>{width}}  can't be asked:")
        lines += [f"  {t.tenant}: {_one_line(t.error or '')}" for t in status.failed]

    return lines or ["There are no tenants."]


def _place(
    ids: tuple[str, ...], heads: tuple[str, ...], unknown: t.Collection[str]
) -> str:
    names = [f"{id_} (no file has it)" if id_ in unknown else id_ for id_ in ids]
    return ", ".join(names or ["base"]) + (" (head)" if ids and ids == heads else "")


def _time(seconds: float) -> str:
    if seconds < 10:
        return f"{seconds:.1f} s"

    if seconds < 2 * _MINUTE:
        return f"{seconds:.0f} s"

    return f"{seconds / _MINUTE:.0f} min"


def _one_line(text: str) -> str:
    return " ".join(text.split())
