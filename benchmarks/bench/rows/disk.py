"""Row k: an upgrade of a SQLite file on a real disk."""

from __future__ import annotations

import tempfile
import typing as t
from pathlib import Path

from bench.comparisons import against_peer
from bench.histories import linear
from bench.histories import Step
from bench.histories import table_count
from bench.histories import write
from bench.lab import check
from bench.lab import Lab
from bench.lines import Limit
from bench.lines import Line
from bench.measuring import alternate
from bench.measuring import Contestant
from bench.measuring import Sample
from tools import FLASK_ALEMBIC
from tools import OURS
from tools import Tool

ONE: t.Final = "this package, one transaction"
AS_ONE: t.Final = {"transaction_per_migration": False}


def measure(lab: Lab, wanted: t.Collection[str]) -> t.Iterator[Line]:
    """Measure it.

    :param wanted: Not needed, as there is one row.
    """
    steps = linear(lab.sizes.disk_revisions)
    write(steps, migrations := lab.place("migrations"))

    def contestant(name: str, tool: Tool, **context: t.Any) -> Contestant:
        return Contestant(name, lambda: _run(lab, tool, steps, migrations, context))

    contestants = [
        contestant(FLASK_ALEMBIC.name, FLASK_ALEMBIC),
        contestant(OURS.name, OURS),
        contestant(ONE, OURS, **AS_ONE),
    ]
    race = alternate(contestants, lab.sizes.rounds)
    work = f"upgrade, {len(steps)} revisions, SQLite on a disk, a transaction"

    for name, other, end, limit in (
        (OURS.name, ONE, "a revision", 0.6),
        (ONE, OURS.name, "a run", 0.35),
    ):
        yield against_peer(
            "k",
            f"{work} {end}",
            race.without(other),
            FLASK_ALEMBIC.name,
            Limit(limit, "of its time"),
            name=name,
        )


def _run(
    lab: Lab,
    tool: Tool,
    steps: t.Sequence[Step],
    migrations: Path,
    context: dict[str, t.Any],
) -> Sample:
    lab.disk.mkdir(parents=True, exist_ok=True)

    with tempfile.TemporaryDirectory(dir=lab.disk) as folder:
        sample = lab.work(
            tool,
            "upgrading",
            url=f"sqlite:///{folder}/data.db",
            migrations=str(migrations),
            verb="upgrade",
            context=context,
        )

    return check(sample, heads=[steps[-1].id], tables=table_count(len(steps)))
