"""The order of revisions, by their ids alone. Pure.

Alembic's own algorithms give the same, but take a time that grows with the square of
the number of revisions where there are merges or dependencies.
"""

from __future__ import annotations

import typing as t

Down = t.Mapping[str, t.Sequence[str]]
"""The ids right below each id."""


def topological(
    heads: t.Iterable[str], todo: t.Collection[str], down: Down
) -> list[str]:
    """Bring revisions into an order in which each comes before those below it: the one
    of Alembic 1.16 to 1.20, whose ``RevisionMap`` follows one branch as far as it can.

    :param heads: Where to start, in the order of the files. All of ``todo`` is at or
        below them.
    :param todo: The ids to bring into an order. What lies between two of them is among
        them, too.
    :param down: The ids below each id. Others than those in ``todo`` are left out.
    :return: The ids, the newest first.
    """
    above = _above(todo, down)
    front = [head for head in heads if head in above]
    waiting = set(front)
    result: list[str] = []
    reached: dict[str, int] | None = None
    at = 0

    while front:
        candidate = front[at]

        if above[candidate]:
            # Once is enough: of what was above it, front keeps what has no place yet.
            if reached is None:
                bits = {id_: 1 << number for number, id_ in enumerate(above)}
                reached = _gathered(above, bits)

            found = reached[candidate]
            at = next(i for i, id_ in enumerate(front) if bits[id_] & found)
            continue

        result.append(candidate)
        del above[candidate]
        waiting.discard(candidate)
        below = [id_ for id_ in down[candidate] if id_ in above]
        added = [id_ for id_ in below if id_ not in waiting]
        waiting.update(added)

        for id_ in below:
            above[id_].remove(candidate)

        if added:
            front[at] = added[0]
            front += added[1:]
        else:
            del front[at]
            at = max(at - 1, 0)

    return result


def _above(todo: t.Iterable[str], down: Down) -> dict[str, list[str]]:
    """The ids right above each id, among some."""
    above: dict[str, list[str]] = {id_: [] for id_ in todo}

    for id_ in above:
        for other in down[id_]:
            if other in above:
                above[other].append(id_)

    return above


def children(down: Down) -> dict[str, list[str]]:
    """The same relation seen from below.

    :param down: The ids below each id.
    :return: The ids right above each id.
    """
    above: dict[str, list[str]] = {id_: [] for id_ in down}

    for id_, below in down.items():
        for other in below:
            above[other].append(id_)

    return above


def at_or_below(ids: t.Iterable[str], down: Down) -> set[str]:
    """Some revisions and all that come before.

    :param ids: Where to start.
    :param down: The ids below each id.
    :return: Their ids.
    """
    found: set[str] = set()
    waiting = list(ids)

    while waiting:
        id_ = waiting.pop()

        if id_ not in found:
            found.add(id_)
            waiting += down[id_]

    return found


def circle(down: Down) -> list[str]:
    """The revisions that lie in a circle, or between two.

    :param down: The ids below each id.
    :return: Their ids, sorted; none if there is no circle.
    """
    left = {id_: set(below) for id_, below in down.items()}

    for relation in (down, children(down)):
        above = children({id_: [d for d in relation[id_] if d in left] for id_ in left})
        counts = {id_: sum(d in left for d in relation[id_]) for id_ in left}
        free = [id_ for id_, count in counts.items() if not count]

        while free:
            id_ = free.pop()
            del left[id_]

            for other in above[id_]:
                counts[other] -= 1

                if not counts[other]:
                    free.append(other)

    return sorted(left)


def direct(down: Down, others: Down) -> dict[str, tuple[str, ...]]:
    """Of the dependencies of each revision those that none of the revisions below it
    has as well.

    :param down: The ids that each id revises.
    :param others: The ids that each id depends on besides.
    :return: The dependencies that say something new, in their order.
    """
    counts: dict[str, int] = {}

    for ids in others.values():
        for id_ in ids:
            counts[id_] = counts.get(id_, 0) + 1

    # A bit for each that is named more than once; the others can't be repeated.
    shared = [id_ for id_, count in counts.items() if count > 1]
    bits = {id_: 1 << number for number, id_ in enumerate(shared)}

    if not bits:
        return {id_: tuple(ids) for id_, ids in others.items()}

    own = {id_: sum({bits.get(d, 0) for d in others.get(id_, ())}) for id_ in down}
    below = _gathered(down, own)
    return {
        id_: tuple(d for d in ids if not bits.get(d, 0) & below[id_])
        for id_, ids in others.items()
    }


def _gathered(down: Down, bits: t.Mapping[str, int]) -> dict[str, int]:
    """The bits of all that is below each id."""
    below: dict[str, int] = {}

    for id_ in oldest_first(down):
        found = 0

        for parent in down[id_]:
            found |= below[parent] | bits[parent]

        below[id_] = found

    return below


def oldest_first(down: Down) -> list[str]:
    """All ids, each after those below it.

    :param down: The ids below each id. There is no circle.
    :return: The ids.
    """
    above = children(down)
    counts = {id_: len(below) for id_, below in down.items()}
    result = [id_ for id_, count in counts.items() if not count]

    for id_ in result:
        for other in above[id_]:
            counts[other] -= 1

            if not counts[other]:
                result.append(other)

    return result
