"""Revision files become a graph, checked. A file is opened when it is new or changed,
and run only if its header can't be told otherwise.
"""

from __future__ import annotations

import os
import re
import typing as t

from ..revision_ids import is_id
from .content import read_content
from .graph import as_ids
from .graph import Revision
from .graph import RevisionGraph
from .header import Header
from .header import read_usual
from .listing import Entry
from .listing import Places
from .order import circle
from .order import oldest_first
from .paths import display

# An assignment, also one of both. A helper may well define "upgrade".
_MARK: t.Final = re.compile(rb"^(?:down_)?revision\s*[:=,]", re.MULTILINE)

Run = t.Callable[[str, Places], Header | None]
"""Runs a file, and tells what it defines."""

Note = t.Callable[[str, bytes], object]
"""Gets the path of a file that was read, and what is in it."""


class RevisionFiles:
    """What was read of each file.

    :param run: What to do with a file whose header can't be told otherwise.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._known: dict[Entry, Header | None] = {}

    def read(
        self, places: Places, entries: t.Iterable[Entry], note: Note | None = None
    ) -> list[Revision]:
        """The revisions that the files hold.

        :param places: Where they are.
        :param entries: The files there are now.
        :param note: Called for each file that is opened.
        :return: The revisions, in the order of their files.
        :raises RevisionFileError: If a file can't be read.
        """
        before, self._known = self._known, {}
        found: list[Revision] = []

        for entry in entries:
            if entry in before:
                header = before[entry]
            else:
                header = self._header(entry, places, note)

            self._known[entry] = header

            if header is not None:
                found.append(Revision(header, entry.path))

        return found

    def _header(self, entry: Entry, places: Places, note: Note | None) -> Header | None:
        """The header, or ``None`` of a file that is no revision: that is not ours to
        run.
        """
        file = entry.path.rpartition(os.sep)[2]

        # The other tool's "env.py" runs migrations.
        if file.startswith((".", "__init__")) or file.partition(".")[0] == "env":
            return None

        found = None

        if file.endswith(".py"):
            content = _content(entry.path, places)

            if note is not None:
                note(entry.path, content)

            found = read_usual(content)

            if found is None and not _MARK.search(content):
                return None

            found = found or _parse(content)

        return (
            found if found and is_id(found.revision) else self._run(entry.path, places)
        )


def checked_graph(revisions: list[Revision], folder: str) -> RevisionGraph:
    """The graph of some revisions.

    :param revisions: The revisions, in the order of their files.
    :param folder: The script location.
    :return: The graph.
    :raises HistoryError: If they don't form a history.
    """
    _check_ids(revisions, folder)
    _check_labels(revisions)
    _check_others(revisions, folder)
    graph = RevisionGraph(revisions, folder)

    for relation, depends in ((graph.down, False), (graph.needed, True)):
        if len(oldest_first(relation)) < len(relation):
            from .problems import in_circle

            raise in_circle(circle(relation), depends=depends)

        if not graph.dependencies:
            break

    return graph


def _check_ids(revisions: list[Revision], folder: str) -> None:
    paths: dict[str, str] = {}

    for found in revisions:
        if other := paths.get(found.revision):
            from .problems import two_files

            raise two_files(found.revision, (other, found.path), folder)

        paths[found.revision] = found.path


def _check_labels(revisions: list[Revision]) -> None:
    owners = {found.revision: found.revision for found in revisions}

    for found in revisions:
        for label in found.branch_labels:
            if label in owners:
                from .problems import two_labels

                raise two_labels(label, (owners[label], found.revision))

            owners[label] = found.revision


def _check_others(revisions: list[Revision], folder: str) -> None:
    """Check the ids that a revision names."""
    ids = {found.revision for found in revisions}
    known = ids.union(*(found.branch_labels for found in revisions))

    for found in revisions:
        for other in as_ids(found.down_revision):
            if other not in ids or other == found.revision:
                raise _bad_other(found, other, folder, depends=False)

        for other in as_ids(found.dependencies):
            if other not in known or other == found.revision:
                raise _bad_other(found, other, folder, depends=True)


def _bad_other(found: Revision, other: str, folder: str, *, depends: bool) -> Exception:
    from .problems import missing
    from .problems import names_itself

    name = display(found.path, folder)

    if other == found.revision:
        return names_itself(other, name, depends=depends)

    return missing(found.revision, other, name, depends=depends)


def _parse(content: bytes) -> Header | None:
    from .syntax import parse_header

    return parse_header(content)


def _content(path: str, places: Places) -> bytes:
    try:
        return read_content(path)
    except FileNotFoundError:
        if not os.path.islink(path):
            return b""  # deleted since the folder was listed

        from .problems import broken_link

        raise broken_link(path, display(path, places.script_location)) from None
