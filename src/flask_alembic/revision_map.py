"""Alembic's map of revisions, made of the graph that was read, in linear time. The rest
of Alembic asks it the same questions and gets the same answers.
"""

from __future__ import annotations

import typing as t
from functools import cached_property

from alembic.script import Script
from alembic.script import ScriptDirectory
from alembic.script.revision import Revision
from alembic.script.revision import RevisionError
from alembic.script.revision import RevisionMap

from .revisions import graph
from .revisions.graph import RevisionGraph
from .revisions.header import Header
from .revisions.order import at_or_below
from .revisions.order import children
from .revisions.order import topological


def graph_of(script: ScriptDirectory) -> RevisionGraph:
    """The graph of any script directory.

    :param script: The script directory, which may be another tool's.
    :return: Its revisions, in the order of its map.
    """
    map_ = script.revision_map._revision_map
    found = {s.revision: t.cast(Script, s) for s in map_.values() if s is not None}
    return RevisionGraph(map(_revision, found.values()), script.dir)


def _revision(script: Script) -> graph.Revision:
    labels = tuple(script._orig_branch_labels)
    names = (script.revision, script.down_revision, labels, script.dependencies)
    return graph.Revision(Header(*names, script.longdoc), script.path)


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
        found = self._graph
        above = children(found.needed)

        for id_, script in self._scripts.items():
            script.nextrev = frozenset(found[id_].nextrev)
            script._all_nextrev = frozenset(above[id_])
            script.branch_labels = set(found[id_].branch_labels)
            script._resolved_dependencies = found.dependencies.get(id_, ())
            script._normalized_resolved_dependencies = found.direct.get(id_, ())

        self.heads = found.heads
        self.bases = tuple(id_ for id_, below in found.down.items() if not below)
        self._real_heads = found.effective_heads
        self._real_bases = tuple(
            id_ for id_, below in found.needed.items() if not below
        )
        labels = {label: self._scripts[id_] for label, id_ in found.labels.items()}
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
