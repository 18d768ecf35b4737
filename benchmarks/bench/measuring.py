"""How things are compared: in turns, by medians, and by ratios within a turn. What is
measured is not known here.
"""

from __future__ import annotations

import statistics
import typing as t
from dataclasses import dataclass
from dataclasses import field

Quantity = t.Literal["cpu", "wall", "peak"]


class Missing(Exception):
    """What is to be measured does not exist, or does not work."""


@dataclass(frozen=True)
class Sample:
    """What one run took."""

    wall: float
    """Seconds until it had ended."""

    cpu: float
    """Seconds of all its threads, of the program and of the kernel for it."""

    peak: float = 0.0
    """The most memory that it held, in MiB; 0 where it was not asked."""

    facts: t.Mapping[str, t.Any] = field(default_factory=dict)
    """What else it found."""

    def get(self, quantity: Quantity) -> float:
        """One of the three."""
        return float(getattr(self, quantity))


@dataclass(frozen=True)
class Contestant:
    """Who takes part in a comparison."""

    name: str
    run: t.Callable[[], Sample]
    rounds: int | None = None
    """In how many rounds at most, where all of them would take too long."""


class Race:
    """What a comparison gave: the samples of each contestant, in turns."""

    def __init__(self) -> None:
        self.samples: dict[str, list[Sample]] = {}
        self.problems: dict[str, str] = {}
        """Why those have no samples that have none."""

    def median(self, name: str, quantity: Quantity) -> float | None:
        """The median of a contestant, if it has any samples."""
        samples = self.samples.get(name)

        if not samples:
            return None

        return statistics.median(sample.get(quantity) for sample in samples)

    def ratio(self, name: str, base: str, quantity: Quantity) -> float | None:
        """How many times as much as another one a contestant took: the median of what
        it was in each round. The speed of a machine drifts, but less within a round.
        """
        pairs = zip(
            self.samples.get(name, ()), self.samples.get(base, ()), strict=False
        )
        ratios = [ours.get(quantity) / theirs.get(quantity) for ours, theirs in pairs]
        return statistics.median(ratios) if ratios else None

    def without(self, name: str) -> Race:
        """The same, but for one contestant."""
        race = Race()
        race.samples = {n: s for n, s in self.samples.items() if n != name}
        race.problems = {n: p for n, p in self.problems.items() if n != name}
        return race

    def fact(self, name: str, key: str) -> t.Any:
        """What a contestant found in its last round, or ``None``."""
        samples = self.samples.get(name)
        return samples[-1].facts.get(key) if samples else None


def alternate(
    contestants: t.Sequence[Contestant], rounds: int, *, warm_up: bool = False
) -> Race:
    """Run contestants in turns: A B C A B C ...

    :param contestants: Who takes part. One that raises :class:`Missing` is out.
    :param rounds: How often.
    :param warm_up: Whether a round comes before that does not count.
    :return: What it gave.
    """
    race = Race()
    taken = {
        each.name: rounds if each.rounds is None else each.rounds
        for each in contestants
    }

    for number in range(-1 if warm_up else 0, rounds):
        for each in contestants:
            if each.name in race.problems or number >= taken[each.name]:
                continue

            try:
                sample = each.run()
            except Missing as error:
                race.problems[each.name] = str(error)
                continue

            if number >= 0:
                race.samples.setdefault(each.name, []).append(sample)

    return race
