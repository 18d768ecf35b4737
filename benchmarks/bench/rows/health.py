"""Row d: ``needs_upgrade()`` as a health check."""

from __future__ import annotations

import typing as t
from statistics import median

from bench.histories import rotating
from bench.histories import write
from bench.lab import check
from bench.lab import Lab
from bench.lines import duration
from bench.lines import Limit
from bench.lines import Line
from bench.lines import number
from bench.measuring import alternate
from bench.measuring import Contestant
from bench.measuring import Race
from bench.measuring import Sample
from servers import Server
from tools import OURS
from tools import Tool


def measure(lab: Lab, wanted: t.Collection[str]) -> t.Iterator[Line]:
    """Measure it on all servers.

    :param wanted: Not needed, as there is one row.
    """
    steps = rotating(lab.sizes.revisions)
    migrations = lab.place("migrations")
    write(steps, migrations)

    for server in lab.servers:
        with lab.database(server) as url:
            task = {"url": url, "migrations": str(migrations)}
            check(
                lab.work(OURS, "upgrading", verb="stamp", **task),
                heads=[steps[-1].id],
            )
            yield from _lines(server, _calls(lab, task), lab.sizes.revisions)
            yield _at_once(server, _threads(lab, task))


def _calls(lab: Lab, task: dict[str, t.Any]) -> Race:
    def contestant(tool: Tool) -> Contestant:
        def run() -> Sample:
            sample = lab.work(
                tool, "health", calls=lab.sizes.calls, threads=False, **task
            )
            return check(sample, wrong=False)

        return Contestant(tool.name, run)

    contestants = [contestant(each.tool) for each in lab.extensions]
    return alternate(contestants, lab.sizes.rounds)


def _threads(lab: Lab, task: dict[str, t.Any]) -> Race:
    """Once is enough, and some hang."""

    def contestant(tool: Tool) -> Contestant:
        return Contestant(
            tool.name,
            lambda: lab.work(
                tool, "health", calls=lab.sizes.calls, threads=True, **task
            ),
        )

    return alternate([contestant(each.tool) for each in lab.extensions], 1)


def _lines(server: Server, race: Race, revisions: int) -> t.Iterator[Line]:
    yield _warm(server, race)
    yield _opened(server, race)
    yield _first(race, "first", f"first call, {revisions} revisions, {server.name}")
    yield _first(race, "second", f"the same, all modules loaded, {server.name}")


def _warm(server: Server, race: Race) -> Line:
    ratios = {
        name: median(each.wall / each.facts["select"]["wall"] for each in samples)
        for name, samples in race.samples.items()
    }
    return Line(
        "d",
        f"needs_upgrade() in a request, {server.name}",
        {
            name: f"{number(ratio)} ({duration(race.median(name, 'wall') or 0)})"
            for name, ratio in ratios.items()
        },
        value=ratios.get(OURS.name),
        limit=Limit(1.5, "× SELECT"),
        race=race,
    )


def _opened(server: Server, race: Race) -> Line:
    """What is opened in all calls of a round. Nothing is to be."""
    opened = {
        name: (race.fact(name, "connections"), race.fact(name, "files"))
        for name in race.samples
    }
    own = opened.get(OURS.name)
    return Line(
        "d",
        f"opened meanwhile: connections, files, {server.name}",
        {name: f"{one}, {other}" for name, (one, other) in opened.items()},
        value=None if own is None else float(sum(own)),
        limit=Limit(0, "opened"),
        race=race,
    )


def _at_once(server: Server, race: Race) -> Line:
    answers = {name: race.fact(name, "threads") for name in race.samples}
    answers |= race.problems
    own = answers.get(OURS.name)
    return Line(
        "d",
        f"8 threads at once, {server.name}",
        answers,
        value=None if own is None else float(own != "ok"),
        limit=Limit(0, "wrong"),
        race=race,
    )


def _first(race: Race, fact: str, work: str) -> Line:
    took = {
        name: median(each.facts[fact]["wall"] for each in samples)
        for name, samples in race.samples.items()
    }
    own = took.get(OURS.name)
    return Line(
        "d",
        work,
        {name: duration(seconds) for name, seconds in took.items()},
        value=None if own is None else own * 1000,
        limit=Limit(60, "ms"),
        race=race,
    )
