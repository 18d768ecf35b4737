"""What lives as long as an app: nothing here needs closing, nor holds the app."""

from __future__ import annotations

import threading
import typing as t

if t.TYPE_CHECKING:
    from alembic.config import Config

    from .revisions.graph import RevisionGraph
    from .revisions.header import Header
    from .revisions.listing import Places
    from .revisions.reading import RevisionFiles
    from .scripts import RevisionIndex


class AppState:
    """The revisions of one app, read when they are first asked for, and again when a
    file or the configuration changed since. Threads share them, so they are only read.
    """

    def __init__(self) -> None:
        # One thread reads, or runs a file.
        self._lock = threading.RLock()
        self._files: RevisionFiles | None = None
        self._graph: RevisionGraph | None = None
        self._listing: object = None
        self._index: RevisionIndex | None = None
        self._fingerprint: object = None

    def graph(self, places: Places) -> RevisionGraph:
        """The revisions that the files hold now.

        :param places: Where the files are.
        :return: The revisions.
        :raises FlaskAlembicError: If the files don't form a history.
        """
        from .revisions.listing import list_files
        from .revisions.reading import checked_graph
        from .revisions.reading import RevisionFiles

        with self._lock:
            self._files = self._files or RevisionFiles(_run)
            entries = list_files(places)

            if self._graph is None or self._listing != (places, entries):
                found = self._files.read(places, entries)
                self._graph = checked_graph(found, places.script_location)
                self._listing = (places, entries)

            return self._graph

    def revision_index(self, config: Config) -> RevisionIndex:
        """The same revisions, as Alembic's script directory.

        :param config: Where the files are.
        :return: The script directory.
        :raises FlaskAlembicError: If the files don't form a history.
        """
        from .alembic_config import fingerprint
        from .alembic_config import places_of
        from .scripts import RevisionIndex

        with self._lock:
            graph = self.graph(places_of(config))
            now = (graph, fingerprint(config))

            if self._index is None or now != self._fingerprint:
                self._index = RevisionIndex(config, graph)
                self._fingerprint = now

            return self._index


def _run(path: str, places: Places) -> Header:
    from .revision_files import run_header

    return run_header(path, places)
