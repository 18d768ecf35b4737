"""Whether there is nothing to do, seen without Alembic, as most runs of a deploy find.
Where anything is unusual, nothing is said, and the ordinary way tells.
"""

from __future__ import annotations

import typing as t

from ..checksum import file_hash
from ..look import looking
from ..look import rows
from ..look import Unusual
from ..look import version_ids
from ..revisions.content import read_content

if t.TYPE_CHECKING:
    import sqlalchemy as sa

    from ..databases import Database
    from ..revisions.graph import RevisionGraph
    from ..run_reports import MigrationReport
    from ..run_settings import RunSettings
    from ..snapshot_reports import PrepareReport

Ids = dict[str, tuple[str, ...]]
Options = t.Mapping[str, t.Any]

# As read_newest() of the table of applied revisions has them.
_NOTED: t.Final = ("revision", "direction", "parents", "file_hash")


class Hashes:
    """The hashes of revision files. Those that were read just now, for their headers,
    are not read again.
    """

    def __init__(self) -> None:
        self._known: dict[str, str] = {}

    def note(self, path: str, content: bytes) -> None:
        """Note what a file holds.

        :param path: The file.
        :param content: All that is in it.
        """
        self._known[path] = file_hash(content)

    def of(self, path: str) -> str:
        """The hash of a file.

        :param path: The file.
        :return: Its hash.
        :raises OSError: If it can't be read.
        """
        return self._known.get(path) or file_hash(read_content(path))


def ids_at(
    databases: t.Iterable[tuple[Database, Options]],
    *,
    keep_pooled: bool,
) -> Ids | None:
    """Where databases stand.

    :param databases: The databases, each with what ``ALEMBIC_CONTEXT`` says of it.
    :param keep_pooled: Whether connections go back to the pool.
    :return: Name to the ids in the version table; ``None`` if a look does not tell.
    """
    try:
        found = {}

        for database, options in databases:
            with looking(database.engine, keep_pooled=keep_pooled) as connection:
                place = _place(options)
                found[database.name] = tuple(version_ids(connection, *place))

        return found
    except Unusual:
        return None


def settled_ids(
    databases: t.Iterable[tuple[Database, Options]],
    graph: RevisionGraph,
    hashes: Hashes,
    settings: RunSettings,
    *,
    keep_pooled: bool,
) -> Ids | None:
    """Where databases stand, if an upgrade finds nothing to do and to tell.

    :param databases: The databases, each with what ``ALEMBIC_CONTEXT`` says of it.
    :param graph: The revisions.
    :param hashes: What their files hold.
    :param settings: How migrations run.
    :param keep_pooled: Whether connections go back to the pool.
    :return: Name to the ids in the version table; ``None`` if there may be something.
    """
    heads, found = sorted(graph.effective_heads), {}

    try:
        for database, options in databases:
            with looking(database.engine, keep_pooled=keep_pooled) as connection:
                place = _place(options)
                ids = version_ids(connection, *place)

                if ids != heads or _is_noted(
                    connection, place, graph, hashes, settings
                ):
                    return None

                found[database.name] = tuple(ids)
    except Unusual:
        return None

    return found


def nothing_prepared(run: MigrationReport) -> PrepareReport:
    """The report of a preparation that finds nothing to do.

    :param run: The report of an upgrade that finds nothing to do.
    :return: The report.
    """
    from ..snapshot_reports import PreparedDatabase
    from ..snapshot_reports import PrepareReport

    databases = run.databases.items()
    return PrepareReport(
        tuple(PreparedDatabase(name, None, (), ids) for name, ids in databases), run
    )


def _place(options: Options) -> tuple[str, str | None]:
    """Name and schema of the version table."""
    table = options.get("version_table") or "alembic_version"
    return table, options.get("version_table_schema")


def _is_noted(
    connection: sa.Connection,
    place: tuple[str, str | None],
    graph: RevisionGraph,
    hashes: Hashes,
    settings: RunSettings,
) -> bool:
    """Whether something may be noted that is to be told of: a revision that is half
    done, or one that was edited since.
    """
    table, schema = place

    if settings.journal and rows(
        connection, f"{table}_journal", schema, ("revision",), "revision"
    ):
        return True

    if not settings.history or settings.changed_revisions == "ignore":
        return False

    found = rows(connection, f"{table}_history", schema, ("id", *_NOTED), "id")
    newest = {row[1]: row for row in found}
    return not all(_is_same(graph, hashes, *row[1:]) for row in newest.values())


def _is_same(
    graph: RevisionGraph,
    hashes: Hashes,
    id_: str,
    direction: str,
    parents: str,
    noted: str | None,
) -> bool:
    """Whether a revision is to the letter what it was when it was applied."""
    if direction == "downgrade" or id_ == "base":
        return True

    if id_ not in graph or ",".join(graph.down[id_]) != parents.replace(" ", ""):
        return False

    if noted is None:
        return True

    try:
        return hashes.of(graph[id_].path) == noted
    except OSError:
        return False
