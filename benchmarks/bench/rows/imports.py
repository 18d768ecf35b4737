"""Row c: what the extension costs a web worker that never migrates."""

from __future__ import annotations

import typing as t
from statistics import median

from bench.comparisons import seconds
from bench.lab import check
from bench.lab import Lab
from bench.lines import Limit
from bench.lines import Line
from bench.lines import number
from bench.measuring import alternate
from bench.measuring import Contestant
from bench.measuring import Sample
from bench.processes import run_worker
from tools import Environment
from tools import FLASK_MIGRATE
from tools import OURS

ROUNDS: t.Final = 7
"""It takes a second a round."""


def measure(lab: Lab, wanted: t.Collection[str]) -> t.Iterator[Line]:
    """Measure it.

    :param wanted: Not needed, as there is one row.
    """
    rounds = ROUNDS if lab.sizes.rounds > 1 else 1
    contestants = [_contestant(lab, each) for each in lab.environments.values()]
    race = alternate(contestants, rounds, warm_up=True)
    shares = {name: _share(samples) for name, samples in race.samples.items()}
    yield Line(
        "c",
        "import and init_app, share of Flask + Flask-SQLAlchemy",
        {
            name: f"{number(share)} % ({seconds(race, name, 'cpu')})"
            for name, share in shares.items()
        },
        value=shares.get(OURS.name),
        limit=Limit(1, "%"),
        quantity="cpu",
        race=race,
    )


def _contestant(lab: Lab, environment: Environment) -> Contestant:
    tool = environment.tool
    is_migrate = tool is FLASK_MIGRATE
    folder = lab.place("imports")
    task = {
        "module": "flask_migrate" if is_migrate else "flask_alembic",
        "extension": "Migrate" if is_migrate else "Alembic",
    }

    def run() -> Sample:
        sample = run_worker(environment, "importing", folder, **task)
        return check(sample, has_alembic=False) if tool is OURS else sample

    return Contestant(tool.name, run)


def _share(samples: t.Sequence[Sample]) -> float:
    """The median share, in percent, of what else the app imports."""
    return 100 * median(each.cpu / float(each.facts["base"]["cpu"]) for each in samples)
