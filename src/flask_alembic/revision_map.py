"""Alembic's map of revisions, made of the graph that was read, in linear time. The rest
of Alembic asks it the same questions and gets the same answers.
"""

from __future__ import annotations

import typing as t
from functools import cached_property

from alembic.script.revision import Revision
from alembic.script.revision import RevisionError
from alembic.script.revision import RevisionMap

from .revisions.order import at_or_below
from .revisions.order import children
from .revisions.order import topological

if t.TYPE_CHECKING:
    from .revisions.graph import RevisionGraph


class LinearMap(RevisionMap):
    """The map of some scripts. Where Alembic's own compares each revision to all that
    come before it, this one goes through them once.

    :param scripts: The scripts, by id, in the order of the graph.
    :param graph: The graph, which was checked.
    """

    def __init__(self, scripts: t.Mapping[str, Revision], graph: RevisionGraph) -> None:
        super().__init__(scripts.values)
        self._scripts = scripts
        self._graph = graph

    @cached_property
    def _revision_map(self) -> t.Any:
        graph = self._graph
        above = children(graph.needed)

        for id_, script in self._scripts.items():
            script.nextrev = frozenset(graph[id_].nextrev)
            script._all_nextrev = frozenset(above[id_])
            script.branch_labels = set(graph[id_].branch_labels)
            script._resolved_dependencies = graph.dependencies.get(id_, ())
            script._normalized_resolved_dependencies = graph.direct.get(id_, ())

        self.heads = graph.heads
        self.bases = tuple(id_ for id_, below in graph.down.items() if not below)
        self._real_heads = graph.effective_heads
        self._real_bases = tuple(
            id_ for id_, below in graph.needed.items() if not below
        )
        labels = {label: self._scripts[id_] for label, id_ in graph.labels.items()}
        return {**self._scripts, **labels, None: None, (): None}

    def _topological_sort(
        self, revisions: t.Collection[Revision], heads: t.Any
    ) -> list[str]:
        todo = {found.revision for found in revisions}
        position = {id_: number for number, id_ in enumerate(self._revision_map)}
        starts = {head.revision for head in heads}
        down = {found.revision: found._normalized_down_revisions for found in revisions}
        order = topological(sorted(starts, key=position.__getitem__), todo, down)

        if len(order) < len(todo):
            raise RevisionError("Not all of these revisions come before the last one")

        return order

    def _filter_into_branch_heads(self, targets: t.Iterable[t.Any]) -> set[t.Any]:
        found = set(targets)
        down = {
            id_: script._versioned_down_revisions
            for id_, script in self._revision_map.items()
            if script is not None
        }
        parents = [id_ for script in found for id_ in script._versioned_down_revisions]
        below = at_or_below(parents, down)
        return {script for script in found if script.revision not in below}
