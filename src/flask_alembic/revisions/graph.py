"""The revisions and how they hang together. Pure: no file is read, none is run."""

from __future__ import annotations

import inspect
import sys
import typing as t
from functools import cached_property

from .header import Header
from .header import Ids
from .order import at_or_below
from .order import children
from .order import direct
from .order import topological


class Revision:
    """One revision, as its file tells. The names are those of Alembic's
    :class:`~alembic.script.Script`.

    :param header: What the file says.
    :param path: The file.
    """

    __slots__ = (
        "branch_labels",
        "dependencies",
        "down_revision",
        "header",
        "nextrev",
        "path",
        "revision",
    )

    def __init__(self, header: Header, path: str) -> None:
        self.revision: str = header.revision
        self.down_revision: str | tuple[str, ...] | None = _scalar(header.down_revision)
        self.dependencies: str | tuple[str, ...] | None = _scalar(header.depends_on)
        # The empty one, which most have, is one object.
        self.branch_labels: frozenset[str] = frozenset(as_ids(header.branch_labels))
        self.nextrev: tuple[str, ...] = ()
        self.path: str = path
        self.header: Header = header

    @property
    def longdoc(self) -> str:
        """The docstring of the file."""
        return docstring(self.header.docstring)

    @property
    def doc(self) -> str:
        """Its first paragraph: the message."""
        return self.longdoc.split("\n\n")[0]

    @property
    def is_head(self) -> bool:
        """Whether no other revision revises it."""
        return not self.nextrev

    @property
    def is_branch_point(self) -> bool:
        """Whether more than one other revises it."""
        return len(self.nextrev) > 1

    @property
    def is_merge_point(self) -> bool:
        """Whether it revises more than one other."""
        return isinstance(self.down_revision, tuple)


class RevisionGraph:
    """All revisions. Threads share them, so they are only read.

    :param revisions: The revisions, in the order of their files. No id is there twice,
        and what they name is there.
    :param folder: The migrations folder, from which on messages name the files.
    """

    def __init__(self, revisions: t.Iterable[Revision], folder: str = "") -> None:
        self.folder: str = folder
        self._revisions = {found.revision: found for found in revisions}
        self.labels: t.Mapping[str, str] = {
            label: found.revision
            for found in self._revisions.values()
            for label in found.branch_labels
        }
        """The id of the revision that each branch label stands in."""
        # Each lies in the map's order, which is the files'.
        self.down: t.Mapping[str, tuple[str, ...]] = {
            id_: tuple(dict.fromkeys(as_ids(found.down_revision)))
            for id_, found in self._revisions.items()
        }
        """The ids that each revision revises."""
        self.dependencies: t.Mapping[str, tuple[str, ...]] = {
            id_: tuple(self.labels.get(d, d) for d in as_ids(found.dependencies))
            for id_, found in self._revisions.items()
            if found.dependencies
        }
        """The ids that a revision depends on, labels resolved."""

        for id_, above in children(self.down).items():
            if above:
                self._revisions[id_].nextrev = tuple(above)

        self.needed: t.Mapping[str, tuple[str, ...]] = (
            {
                id_: tuple(dict.fromkeys((*below, *self.dependencies.get(id_, ()))))
                for id_, below in self.down.items()
            }
            if self.dependencies
            else self.down
        )
        """The ids that each revision revises or depends on."""

        if self.labels:
            _spread_labels(self)

    def __len__(self) -> int:
        return len(self._revisions)

    def __iter__(self) -> t.Iterator[Revision]:
        return iter(self._revisions.values())

    def __contains__(self, id_: object) -> bool:
        return id_ in self._revisions

    def __getitem__(self, id_: str) -> Revision:
        return self._revisions[id_]

    @cached_property
    def below(self) -> t.Mapping[str, tuple[str, ...]]:
        """What each revision revises, and what it is the first to depend on."""
        if not self.dependencies:
            return self.down

        return {
            id_: tuple(dict.fromkeys((*below, *self.direct.get(id_, ()))))
            for id_, below in self.down.items()
        }

    @cached_property
    def direct(self) -> t.Mapping[str, tuple[str, ...]]:
        """Of what each revision depends on, that which nothing below it depends on as
        well.
        """
        return direct(self.down, self.dependencies)

    @cached_property
    def heads(self) -> tuple[str, ...]:
        """The ids that no other revision revises."""
        return tuple(found.revision for found in self if found.is_head)

    @cached_property
    def effective_heads(self) -> tuple[str, ...]:
        """The ids that a database is at after ``upgrade heads``: a head that another
        revision depends on is not among them.
        """
        needed = {id_ for ids in self.dependencies.values() for id_ in ids}
        return tuple(id_ for id_ in self.heads if id_ not in needed)

    def newest_first(self) -> list[Revision]:
        """All revisions, each before those below it.

        :return: The revisions, in the order of ``ScriptDirectory.walk_revisions()``.
        """
        order = topological(self.effective_heads, self._revisions.keys(), self.below)
        return [self._revisions[id_] for id_ in order]

    def at_or_below(self, ids: t.Iterable[str]) -> set[str]:
        """What is applied where a database stands at some revisions.

        :param ids: Their ids.
        :return: All ids that came before, with those.
        """
        return at_or_below(ids, self.below)

    def at_or_above(self, id_: str) -> list[str]:
        """A revision and all that come after it.

        :param id_: Its id.
        :return: Their ids, the last one being a head.
        """
        found: dict[str, None] = {}
        waiting = [id_]

        while waiting:
            above = waiting.pop()

            if above not in found:
                found[above] = None
                waiting += self._revisions[above].nextrev

        return list(found)


def docstring(text: str | None) -> str:
    """A docstring as Python gives it.

    :param text: What stands between the quotes.
    :return: The text. Since Python 3.13 it is without the indentation.
    """
    if text is None:
        return ""

    return (inspect.cleandoc(text) if sys.version_info >= (3, 13) else text).strip()


def as_ids(value: Ids) -> tuple[str, ...]:
    """Bring what a file says of other revisions to its one form.

    :param value: An id, several, or none.
    :return: The ids.
    """
    if value is None or value == "":
        return ()

    return (value,) if isinstance(value, str) else tuple(value)


def _scalar(value: Ids) -> str | tuple[str, ...] | None:
    ids = as_ids(value)
    return ids[0] if len(ids) == 1 else ids or None


def _spread_labels(graph: RevisionGraph) -> None:
    """Give a branch label to all revisions of its branch: those above it, and those
    below it down to the next branch or merge, as Alembic does.
    """
    needed = children(graph.needed)

    for start in dict.fromkeys(graph.labels.values()):
        labels = graph[start].branch_labels
        above = graph.at_or_above(start)

        for id_ in above:
            graph[id_].branch_labels |= labels

        last: str | None = above[-1]

        while last is not None:
            found = graph[last]

            if found.is_merge_point or len(needed[last]) > 1:
                break

            found.branch_labels |= labels
            last = next(iter(graph.down[last]), None)
