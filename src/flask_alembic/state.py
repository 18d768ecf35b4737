"""What lives as long as an app: nothing here needs closing, nor holds the app."""

from __future__ import annotations

import threading
import time
import typing as t

if t.TYPE_CHECKING:
    from alembic.config import Config

    from .revisions.graph import RevisionGraph
    from .revisions.header import Header
    from .revisions.listing import Listing
    from .revisions.listing import Places
    from .revisions.reading import Note
    from .revisions.reading import RevisionFiles
    from .scripts import RevisionIndex
    from .settings import Settings


class AppState:
    """The settings and the revisions of one app, read when they are first asked for,
    and again when the configuration or a file changed since. Threads share them, so
    they are only read.
    """

    def __init__(self) -> None:
        # One thread reads, or runs a file.
        self._lock = threading.RLock()
        self._settings: Settings | None = None
        self._given: object = None
        self._files: RevisionFiles | None = None
        self._places: Places | None = None
        self._listing: Listing | None = None
        self._listed = 0.0
        self._asked_by: Settings | None = None
        self._graph: RevisionGraph | None = None
        self._index: RevisionIndex | None = None
        self._fingerprint: object = None

    def settings(self, config: t.Mapping[str, t.Any], root: str) -> Settings:
        """The settings.

        :param config: ``app.config``.
        :param root: The app's root path.
        :return: The settings.
        :raises ConfigurationError: Naming the key, its value and what it should be.
        """
        given = [config.get("ALEMBIC"), config.get("ALEMBIC_CONTEXT"), root]

        with self._lock:
            if self._settings is None or given != self._given or _has_file(config):
                from .settings import read_settings

                copied = _copy(given)
                self._settings = read_settings(config, root)
                self._given = copied

            return self._settings

    def recent_graph(self, settings: Settings, age: float) -> RevisionGraph | None:
        """The revisions as they were read a while ago, if no file was added, removed
        or replaced since. One that was changed in its place goes unnoticed.

        :param settings: The settings that tell where the files are.
        :param age: How long ago that may be, in seconds.
        :return: The revisions; ``None`` if they have to be read.
        """
        from .revisions.listing import is_unchanged

        with self._lock:
            is_recent = (
                settings is self._asked_by
                and time.monotonic() - self._listed < age
                and self._listing is not None
                and is_unchanged(self._listing)
            )
            return self._graph if is_recent else None

    def graph(
        self,
        places: Places,
        asked_by: Settings | None = None,
        note: Note | None = None,
    ) -> RevisionGraph:
        """The revisions that the files hold now.

        :param places: Where the files are.
        :param asked_by: The settings that say so.
        :param note: Called with the path and the content of each file that is opened.
        :return: The revisions.
        :raises FlaskAlembicError: If the files don't form a history.
        """
        from .revisions.listing import list_files
        from .revisions.reading import checked_graph
        from .revisions.reading import RevisionFiles

        with self._lock:
            self._files = self._files or RevisionFiles(_run)
            self._listed, self._asked_by = time.monotonic(), asked_by
            listing = list_files(places)

            is_known = (places, listing) == (self._places, self._listing)

            if self._graph is None or not is_known:
                found = self._files.read(places, listing.entries, note)
                self._graph = checked_graph(found, places.script_location)
                self._places, self._listing = places, listing

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


def _copy(value: t.Any) -> t.Any:
    """A value to compare with later, whose containers nobody else changes."""
    if isinstance(value, t.Mapping):
        return {key: _copy(item) for key, item in value.items()}

    if isinstance(value, list):
        return [_copy(item) for item in value]

    return tuple(map(_copy, value)) if isinstance(value, tuple) else value


def _has_file(config: t.Mapping[str, t.Any]) -> bool:
    """Whether some of the options stand in a file, which may change."""
    return "config_file" in (config.get("ALEMBIC") or {})


def _run(path: str, places: Places) -> Header:
    from .revision_files import run_header

    return run_header(path, places)
