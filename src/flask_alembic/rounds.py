"""Which step of which database comes next. Pure: nothing is run or read here."""

from __future__ import annotations

import typing as t
from collections import deque

K = t.TypeVar("K", bound=t.Hashable)


def in_step(queues: t.Mapping[str, t.Sequence[K]]) -> list[tuple[K, list[str]]]:
    """Put the steps of several databases into one order, so that a revision runs on
    all databases that need it before the next revision begins.

    :param queues: For each database its steps, in the order they have to run.
    :return: Each step once in each round, with the databases to run it on. The order
        within each database is kept.
    """
    waiting = {name: deque(steps) for name, steps in queues.items() if steps}
    rounds = []

    while waiting:
        step = _next(waiting)
        names = [name for name, steps in waiting.items() if steps[0] == step]

        for name in names:
            waiting[name].popleft()

        waiting = {name: steps for name, steps in waiting.items() if steps}
        rounds.append((step, names))

    return rounds


def _next(waiting: t.Mapping[str, deque[K]]) -> K:
    """The first step that no database has to wait for; the first of all if there is
    none, which is so where two databases want two steps in opposite orders.
    """
    fronts = list(dict.fromkeys(steps[0] for steps in waiting.values()))

    for step in fronts:
        if all(steps[0] == step or step not in steps for steps in waiting.values()):
            return step

    return fronts[0]
