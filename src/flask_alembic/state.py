"""What lives as long as an app: nothing here needs closing, nor holds the app."""

from __future__ import annotations

import threading
import typing as t

if t.TYPE_CHECKING:
    from alembic.config import Config

    from .scripts import RevisionIndex


class AppState:
    """The revisions of one app, read when they are first asked for, and again when a
    file or the configuration changed since.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._index: RevisionIndex | None = None
        self._fingerprint: object = None

    def revision_index(self, config: Config) -> RevisionIndex:
        """The revisions that the files hold now.

        :param config: Where the files are.
        :return: The revisions. Threads share them, so they are only read.
        :raises FlaskAlembicError: If the files don't form a history.
        """
        from .alembic_config import fingerprint
        from .scripts import RevisionIndex

        # Building is under the lock: Alembic's map of revisions is not made for two
        # threads that build it at the same time.
        with self._lock:
            now = fingerprint(config)

            if self._index is None or now != self._fingerprint:
                self._index = RevisionIndex(config)
                self._fingerprint = now

            return self._index
