"""The order in which the steps of several databases run."""

from __future__ import annotations

import typing as t
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_alembic.rounds import in_step

Queues = dict[str, list[int]]

steps = st.integers(min_value=0, max_value=12)
any_queues = st.dictionaries(st.sampled_from("abcde"), st.lists(steps, unique=True))


@st.composite
def agreeing_queues(draw: st.DrawFn) -> Queues:
    """Queues that each leave out some steps of one order."""
    order = draw(st.permutations(range(12)))
    chosen = st.sets(st.sampled_from(order))
    subsets = draw(st.dictionaries(st.sampled_from("abcde"), chosen))
    return {
        name: [step for step in order if step in subset]
        for name, subset in subsets.items()
    }


def replay(rounds: t.Iterable[tuple[int, list[str]]], queues: Queues) -> Queues:
    """What each database does, one step after the other."""
    done: Queues = {name: [] for name in queues}

    for step, names in rounds:
        for name in names:
            done[name].append(step)

    return done


@given(any_queues)
def test_each_database_does_its_steps_in_order(queues: Queues) -> None:
    """Every database does each of its steps once, and in its own order, whatever the
    others do.
    """
    assert replay(in_step(queues), queues) == queues


@given(any_queues)
def test_no_round_is_empty(queues: Queues) -> None:
    """A round is for at least one database, and for none of them twice."""
    for _, names in in_step(queues):
        assert names
        assert len(set(names)) == len(names)


@given(agreeing_queues())
def test_shared_step_runs_in_one_round(queues: Queues) -> None:
    """Where no two databases want steps in opposite orders, a step has one round, for
    all databases that need it.
    """
    rounds = in_step(queues)
    counted = Counter(step for step, _ in rounds)
    assert set(counted.values()) <= {1}

    for step, names in rounds:
        assert set(names) == {name for name, queue in queues.items() if step in queue}


@given(any_queues)
def test_queues_are_left_alone(queues: Queues) -> None:
    """The arguments are not changed."""
    before = {name: list(queue) for name, queue in queues.items()}
    in_step(queues)
    assert queues == before


@pytest.mark.parametrize(
    ("queues", "expected"),
    [
        ({}, []),
        ({"a": []}, []),
        ({"a": [1, 2], "b": [1, 2]}, [(1, ["a", "b"]), (2, ["a", "b"])]),
        # One was left behind by an earlier failure: it catches up first.
        ({"a": [2], "b": [1, 2]}, [(1, ["b"]), (2, ["a", "b"])]),
        ({"a": [1, 3], "b": [2, 3]}, [(1, ["a"]), (2, ["b"]), (3, ["a", "b"])]),
        # Opposite orders can't be joined, and end all the same.
        ({"a": [1, 2], "b": [2, 1]}, [(1, ["a"]), (2, ["a", "b"]), (1, ["b"])]),
    ],
)
def test_examples(queues: Queues, expected: list[tuple[int, list[str]]]) -> None:
    """A revision runs on all databases that need it before the next one begins."""
    assert in_step(queues) == expected
