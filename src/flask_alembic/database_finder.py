"""Remembers the databases that the constructor's arguments tell, as a health check asks
for them in each request.
"""

from __future__ import annotations

import typing as t

from .databases import Database
from .databases import find_databases
from .databases import read_engines
from .databases import read_metadatas


class DatabaseFinder:
    """Finds databases: those that the constructor's arguments tell, once."""

    def __init__(self) -> None:
        self._known: tuple[t.Any, t.Any, dict[str, Database]] | None = None

    def find(
        self,
        metadatas: t.Mapping[t.Any, t.Any],
        engines: t.Mapping[t.Any, t.Any],
        extension: t.Any,
    ) -> dict[str, Database]:
        """The databases.

        :param metadatas: From the constructor.
        :param engines: From the constructor.
        :param extension: As of :func:`find_databases`.
        :return: Name to database.
        :raises ConfigurationError: If an argument is wrong, or something is missing.
        """
        known = self._known

        # Flask-SQLAlchemy's db.metadatas grows while models are declared.
        if known is not None and (metadatas, engines) == known[:2]:
            return dict(known[2])

        found = find_databases(
            read_metadatas(metadatas), read_engines(engines), extension
        )

        # What an extension has is its app's, and no other's.
        if metadatas and engines:
            copies = {name: _copied(item) for name, item in metadatas.items()}
            self._known = (copies, dict(engines), dict(found))

        return found


def _copied(value: t.Any) -> t.Any:
    return value.copy() if isinstance(value, (list, set)) else value
