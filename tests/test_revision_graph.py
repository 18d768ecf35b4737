"""The graph of the revisions gives what Alembic's own script directory gives."""

from __future__ import annotations

import itertools
import tempfile
import typing as t
import warnings
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.runtime.migration import HeadMaintainer
from alembic.runtime.migration import MigrationContext
from alembic.script import Script
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from hypothesis import assume
from hypothesis import given
from hypothesis import HealthCheck
from hypothesis import settings
from hypothesis import strategies as st

from flask_alembic.revisions.graph import Revision
from flask_alembic.revisions.graph import RevisionGraph
from flask_alembic.revisions.header import Header
from flask_alembic.revisions.order import circle
from flask_alembic.scripts import RevisionIndex
from flask_alembic.version_rows import Maintainer

Node = tuple[str, tuple[str, ...], tuple[str, ...], tuple[str, ...]]
"""Id, what it revises, what it depends on, its labels."""

IDS: t.Final = tuple(f"{letter}{n}a0" for n in range(4) for letter in "mdxbka")
LABELS: t.Final = ("users", "billing", "stock")

each_history: t.Final = settings(
    deadline=None,
    max_examples=30,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


@st.composite
def histories(draw: st.DrawFn) -> list[Node]:
    """Revisions with merges, several bases, dependencies by id and by label."""
    ids = draw(st.permutations(IDS))[: draw(st.integers(1, 12))]
    labels = list(draw(st.permutations(LABELS)))
    used: list[str] = []
    nodes: list[Node] = []

    for number, id_ in enumerate(ids):
        older = st.sampled_from(ids[:number]) if number else st.nothing()
        down = _some(draw, older, most=2 if draw(st.booleans()) else 1)
        named = [name for name in used if name]
        others = st.one_of(older, st.sampled_from(named)) if named else older
        depends = _some(draw, others, most=2) if draw(st.booleans()) else ()
        own = (labels.pop(),) if labels and draw(st.integers(0, 5)) == 0 else ()
        used += own
        nodes.append((id_, *_without_repeats(nodes, down, depends), own))

    return nodes


def _without_repeats(
    nodes: list[Node], down: tuple[str, ...], depends: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Of some ids and labels those that come before no other of them. With others
    Alembic loses count of the version table's rows.
    """
    labels = {label: id_ for id_, _, _, own in nodes for label in own}
    below: dict[str, set[str]] = {}

    for id_, parents, others, _ in nodes:
        direct = {labels.get(name, name) for name in (*parents, *others)}
        below[id_] = direct.union(*(below[d] for d in direct))

    named = [labels.get(name, name) for name in (*down, *depends)]
    repeated = set().union(*(below[id_] for id_ in named))
    kept = [id_ for id_ in down if id_ not in repeated]
    return tuple(kept), tuple(
        d
        for d in depends
        if labels.get(d, d) not in repeated and labels.get(d, d) not in kept
    )


def _some(
    draw: st.DrawFn, ids: st.SearchStrategy[str], *, most: int
) -> tuple[str, ...]:
    if ids.is_empty:
        return ()

    return tuple(draw(st.lists(ids, max_size=most, unique=True)))


def write(folder: Path, nodes: t.Iterable[Node]) -> None:
    """Write the files of some revisions."""
    for number, (id_, down, depends, labels) in enumerate(nodes):
        place = folder / ("one", "two/deep")[number % 2]
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{id_}_.py").write_text(
            f'"""message of {id_}\n\nmore\n"""\n\n'
            f"revision = {id_!r}\n"
            f"down_revision = {down or None!r}\n"
            f"branch_labels = {labels or None!r}\n"
            f"depends_on = {depends or None!r}\n\n"
            "def upgrade(): pass\n\n"
            "def downgrade(): pass\n"
        )


def both(folder: Path) -> tuple[RevisionIndex, ScriptDirectory]:
    """Ours and Alembic's of the same files."""
    config = Config()
    config.set_main_option("script_location", str(folder))
    config.set_main_option("path_separator", "newline")
    config.set_main_option("version_locations", f"{folder}/one\n{folder}/two")
    config.set_main_option("recursive_version_locations", "true")
    ours, theirs = RevisionIndex(config), ScriptDirectory.from_config(config)

    # Alembic takes them in the order of a set, which is another one in each process.
    for script in t.cast(t.Any, theirs.revision_map)._revision_map.values():
        if script is not None:
            kept = script._normalized_resolved_dependencies
            script._normalized_resolved_dependencies = tuple(
                id_ for id_ in script._resolved_dependencies if id_ in kept
            )

    return ours, theirs


def answer(ask: t.Callable[[], t.Any]) -> object:
    """What asking gives, in a form to compare."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = _steps(ask())
    # Some name ids in the order of a set; where Alembic has but an assertion we raise.
    except (AssertionError, CommandError):
        return "error"

    if isinstance(found, Script):
        return found.revision

    if isinstance(found, str) or found is None:
        return found

    return [getattr(item, "revision", item) for item in found]


def questions(
    script: ScriptDirectory, ids: list[str], heads: tuple[str, ...]
) -> t.Iterator[tuple[str, object]]:
    """What is asked of a script directory, with the answers."""
    asked: dict[str, t.Callable[[], t.Any]] = {
        "heads": script.get_heads,
        "bases": script.get_bases,
        "current head": script.get_current_head,
        "walk": lambda: list(script.walk_revisions()),
        "all current": lambda: sorted(
            s.revision for s in script.get_all_current(heads)
        ),
    }
    texts = [
        *("head", "heads", "base", "+1", "+2", "-1", "heads-1", "head-1", "base+1"),
        *(f"{label}@{end}" for label in LABELS for end in ("head", "base", "+1", "-1")),
        *ids,
        *(id_[:3] for id_ in ids[:2]),
        *(f"{id_[:4]}{count}" for id_ in ids[:3] for count in ("+1", "-1")),
    ]

    plans = t.cast(t.Any, script)

    for text in texts:
        asked[f"get {text}"] = partial(script.get_revisions, text)
        asked[f"one {text}"] = partial(script.get_revision, text)
        asked[f"up {text}"] = partial(plans._upgrade_revs, text, heads)
        asked[f"down {text}"] = partial(plans._downgrade_revs, text, heads)
        asked[f"stamp {text}"] = partial(plans._stamp_revs, text, heads)

    for one, other in itertools.product(ids[:4], repeat=2):
        asked[f"walk {one}:{other}"] = partial(script.walk_revisions, one, other)

    for name, ask in asked.items():
        yield name, answer(ask)


def _steps(found: t.Any) -> t.Any:
    """The ids of steps; anything else as it is."""
    if isinstance(found, Iterator):
        return list(found)

    if isinstance(found, list):
        return [
            (type(item).__name__, item.from_revisions, item.to_revisions)
            if hasattr(item, "from_revisions")
            else item
            for item in found
        ]

    return found


def state(wanted: t.Collection[str], script: RevisionIndex) -> t.Any:
    """The heads of a database where some revisions and all they need are applied."""
    try:
        steps = script._upgrade_revs(t.cast(t.Any, list(wanted)), t.cast(t.Any, ()))
    except CommandError:
        assume(False)  # one of them is below another

    context = MigrationContext.configure(
        dialect_name="sqlite", opts={"as_sql": True, "output_buffer": _Nowhere()}
    )
    maintainer = Maintainer(context, ())

    for step in steps:
        maintainer.update_to_step(t.cast(t.Any, step))

    return tuple(sorted(maintainer.heads))


class _Nowhere:
    """Takes the SQL that nobody reads."""

    def write(self, text: str) -> None: ...

    def flush(self) -> None: ...


@each_history
@given(nodes=histories(), data=st.data())
def test_same_answers(nodes: list[Node], data: st.DataObject) -> None:
    """Heads, walks, plans, partial and relative ids are the same."""
    ids = [id_ for id_, *_ in nodes]

    with tempfile.TemporaryDirectory() as name:
        write(Path(name), nodes)
        ours, theirs = both(Path(name))
        wanted = data.draw(st.lists(st.sampled_from(ids), max_size=3, unique=True))
        heads = state(wanted, ours)
        expected = dict(questions(theirs, ids, heads))
        assert dict(questions(ours, ids, heads)) == expected

        for script in theirs.walk_revisions():
            found = ours.get_revision(script.revision)

            for attribute in (
                "branch_labels",
                "dependencies",
                "doc",
                "down_revision",
                "is_base",
                "is_branch_point",
                "is_head",
                "is_merge_point",
                "longdoc",
                "nextrev",
                "path",
                "_all_nextrev",
                "_normalized_down_revisions",
            ):
                assert getattr(found, attribute) == getattr(script, attribute)


@each_history
@given(nodes=histories(), data=st.data())
def test_same_rows(nodes: list[Node], data: st.DataObject) -> None:
    """The version table holds the same ids after each step up and down."""
    ids = [id_ for id_, *_ in nodes]

    with tempfile.TemporaryDirectory() as name:
        write(Path(name), nodes)
        ours, theirs = both(Path(name))
        up = ours._upgrade_revs("heads", t.cast(t.Any, ()))
        follow(ours, theirs, [(step.revision.revision, True) for step in up], ())
        heads = ours.get_revisions("heads")
        target = data.draw(st.sampled_from([*ids, "base"]))

        try:
            down = ours._downgrade_revs(
                target, t.cast(t.Any, tuple(head.revision for head in heads))
            )
        except CommandError:
            assume(False)

        follow(
            ours,
            theirs,
            [(step.revision.revision, False) for step in down],
            [head.revision for head in heads],
        )


def follow(
    ours: ScriptDirectory,
    theirs: ScriptDirectory,
    steps: list[tuple[str, bool]],
    heads: t.Sequence[str],
) -> None:
    """Let both write the version table for the same steps."""
    from alembic.runtime.migration import RevisionStep

    def context() -> MigrationContext:
        return MigrationContext.configure(
            dialect_name="sqlite", opts={"as_sql": True, "output_buffer": _Nowhere()}
        )

    one, other = Maintainer(context(), heads), HeadMaintainer(context(), heads)

    for id_, is_upgrade in steps:
        for script, maintainer in ((ours, one), (theirs, other)):
            found = script.get_revision(id_)
            maintainer.update_to_step(
                RevisionStep(script.revision_map, found, is_upgrade)
            )

        assert one.heads == other.heads, (id_, is_upgrade)


@given(nodes=histories())
def test_pure_graph(nodes: list[Node]) -> None:
    """The graph by itself knows its heads and walks from each to all that is below."""
    graph = RevisionGraph(
        Revision(Header(id_, down, labels, depends, None), f"{id_}.py")
        for id_, down, depends, labels in nodes
    )
    walked = [found.revision for found in graph.newest_first()]
    place = {id_: number for number, id_ in enumerate(walked)}
    assert sorted(walked) == sorted(id_ for id_, *_ in nodes)
    assert all(
        place[id_] < place[other] for id_, ids in graph.needed.items() for other in ids
    )
    assert graph.at_or_below(graph.effective_heads) == set(walked)
    assert circle(graph.needed) == []


@given(st.dictionaries(st.integers(0, 7), st.sets(st.integers(0, 7), max_size=2)))
def test_circle(relation: dict[int, set[int]]) -> None:
    """What is told of a circle lies in one, or between two."""
    nodes = relation.keys() | {n for below in relation.values() for n in below}
    down = {str(n): [str(b) for b in relation.get(n, ())] for n in nodes}

    def reaches(start: str, wanted: t.Callable[[str], bool], by: t.Any) -> bool:
        waiting, seen = list(by[start]), set[str]()

        while waiting:
            if (node := waiting.pop()) not in seen:
                seen.add(node)
                waiting += by[node]

        return any(map(wanted, seen))

    up = {n: [m for m in down if n in down[m]] for n in down}

    def in_circle(n: str) -> bool:
        return reaches(n, lambda m: m == n, down)

    expected = [
        n
        for n in sorted(down)
        if in_circle(n) or (reaches(n, in_circle, down) and reaches(n, in_circle, up))
    ]
    assert circle(down) == expected


@pytest.mark.parametrize("shape", ["merges", "dependencies", "branches"])
def test_long_histories(shape: str) -> None:
    """A long history with merges or dependencies is walked in Alembic's order."""
    nodes: list[tuple[str, tuple[str, ...], tuple[str, ...]]] = []

    for n in range(60):
        id_, last = f"r{n:03}", f"r{n - 1:03}"

        if shape == "merges" and n % 5 == 4:
            nodes.append((id_, (last, f"r{n - 2:03}"), ()))
        elif shape == "merges" and n % 5 == 3:
            nodes.append((id_, (f"r{n - 2:03}",), ()))
        elif shape == "dependencies":
            down = (f"r{n - 2:03}",) if n > 1 else ()
            nodes.append((id_, down, (last,) if n % 2 else ()))
        elif shape == "branches" and n % 7 == 6:
            nodes.append((id_, ("r000",), ()))
        else:
            nodes.append((id_, (last,) if n else (), ()))

    with tempfile.TemporaryDirectory() as name:
        write(Path(name), [(id_, down, other, ()) for id_, down, other in nodes])
        ours, theirs = both(Path(name))
        expected = [found.revision for found in theirs.walk_revisions()]
        assert [found.revision for found in ours.walk_revisions()] == expected
