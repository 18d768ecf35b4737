"""What has to be made before what. Pure."""

from __future__ import annotations

import heapq
import typing as t
from dataclasses import dataclass
from dataclasses import field

from ..text import Statement

Key = tuple[str, int]
"""The catalog that an object is in, and its number there."""


@dataclass(frozen=True)
class Item:
    """Something to be made."""

    key: Key
    rank: int
    """Where it comes among those that need not wait for it."""

    statements: tuple[Statement, ...]
    parts: frozenset[Key] = field(default_factory=frozenset)
    """The keys of what is made with it."""

    @property
    def place(self) -> tuple[int, str]:
        """What it is sorted by."""
        return self.rank, self.statements[0].title


def ordered(
    items: t.Iterable[Item], needs: t.Iterable[tuple[Key, Key]]
) -> list[Statement]:
    """Sort what is to be made, so that what needs something comes after it, and the
    order is the same whenever that was made.

    :param items: What is to be made.
    :param needs: Pairs: what needs something, and what it needs.
    :return: The statements. Of items that need each other, the first one comes first.
    """
    by_key = {key: item for item in items for key in (item.key, *item.parts)}
    waiting = _waiting(by_key, needs)
    followers: dict[Key, set[Key]] = {key: set() for key in waiting}

    for key, needed in waiting.items():
        for other in needed:
            followers[other].add(key)

    ready = [(by_key[key].place, key) for key, needed in waiting.items() if not needed]
    heapq.heapify(ready)
    result: list[Statement] = []

    while waiting:
        if not ready:
            ready = [min((by_key[key].place, key) for key in waiting)]

        _, key = heapq.heappop(ready)
        del waiting[key]
        result += by_key[key].statements

        for other in followers[key] & waiting.keys():
            waiting[other].discard(key)

            if not waiting[other]:
                heapq.heappush(ready, (by_key[other].place, other))

    return result


def in_circles(items: t.Iterable[Item], needs: t.Iterable[tuple[Key, Key]]) -> set[Key]:
    """Of what is to be made that which needs itself by way of others, or lies between
    such.

    :param items: What is to be made.
    :param needs: Pairs: what needs something, and what it needs.
    :return: The keys of the items.
    """
    by_key = {key: item for item in items for key in (item.key, *item.parts)}
    waiting = _waiting(by_key, needs)

    while True:
        needed = {key for keys in waiting.values() for key in keys}
        free = {key for key, keys in waiting.items() if not keys or key not in needed}

        if not free:
            return set(waiting)

        waiting = {k: keys - free for k, keys in waiting.items() if k not in free}


def _waiting(
    by_key: t.Mapping[Key, Item], needs: t.Iterable[tuple[Key, Key]]
) -> dict[Key, set[Key]]:
    waiting: dict[Key, set[Key]] = {item.key: set() for item in by_key.values()}

    for one, other in needs:
        if one in by_key and other in by_key:
            first, second = by_key[one].key, by_key[other].key

            if first != second:
                waiting[first].add(second)

    return waiting
