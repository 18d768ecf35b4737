"""What the verbs need of the extension: the seams that a subclass may override."""

from __future__ import annotations

import typing as t
from contextlib import contextmanager

from alembic.util import CommandError

from ..arguments import beyond
from ..databases import default_name
from ..errors import FlaskAlembicError
from ..errors import TargetError
from ..errors import UnknownRevisionError
from ..history import History

if t.TYPE_CHECKING:
    import sqlalchemy as sa
    from alembic.config import Config
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    from ..databases import Database
    from ..settings import Settings


class Facade(t.Protocol):
    """The extension, as seen from below."""

    @property
    def config(self) -> Config: ...

    @property
    def script_directory(self) -> ScriptDirectory: ...

    @property
    def migration_contexts(self) -> dict[str, MigrationContext]: ...

    @property
    def settings(self) -> Settings: ...

    @property
    def databases(self) -> dict[str, Database]: ...

    def rev_id(self) -> str: ...

    def using(
        self, *, databases: t.Iterable[str] | None = None
    ) -> t.ContextManager[None]: ...

    def use_connection(
        self, connection: t.Mapping[str, sa.Connection]
    ) -> t.ContextManager[None]: ...

    def run_migrations(self, fn: t.Any, **kwargs: t.Any) -> t.Any: ...


@contextmanager
def alembic_errors(target: str, *, up: bool = True) -> t.Iterator[None]:
    """Tell Alembic's errors about revision arguments in our words.

    :param target: The argument, as the user wrote it.
    :param up: Whether it was to go up.
    :raises TargetError: For an error of Alembic's. Ours go through.
    """
    try:
        yield
    except FlaskAlembicError:
        raise
    except CommandError as error:
        raise beyond(target, up=up, error=error) from error


def name_of(alembic: Facade, context: MigrationContext) -> str:
    """The name of the database that a context is for.

    :param alembic: The extension.
    :param context: One of its contexts.
    :return: The name.
    """
    contexts = alembic.migration_contexts
    names = (name for name, known in contexts.items() if known is context)
    # An override of run_migrations() may bring a context of its own.
    return next(names, default_name(contexts))


def known_heads(
    alembic: Facade,
    name: str,
    heads: tuple[str, ...],
    *,
    skip_missing: bool = False,
) -> tuple[str, ...]:
    """Check that there are files for where a database stands.

    :param alembic: The extension.
    :param name: Name of the database.
    :param heads: The ids in its version table.
    :param skip_missing: Whether those without a file are left out instead.
    :return: The ids that a file has.
    :raises UnknownRevisionError: If no file has one of them.
    """
    script = alembic.script_directory
    unknown = History(script).unknown(heads)

    if unknown and not skip_missing:
        raise UnknownRevisionError(
            f"The database '{name}' is at revision '{unknown[0]}', which no file in"
            f" {script.dir} has.",
            target=unknown[0],
            hint="Restore the file, or deploy the newer code. If it is lost, 'flask db"
            " stamp --purge' with the revision that the tables match. To leave it"
            " alone, add --skip-missing to upgrade, downgrade, stamp or current.",
        )

    return tuple(head for head in heads if head not in unknown)


def lineage_heads(script: ScriptDirectory, heads: tuple[str, ...]) -> tuple[str, ...]:
    """Of some ids those that no other of them comes after.

    :param script: The revisions.
    :param heads: The ids in a version table.
    :return: The same ids, if the table is as Alembic writes it.
    """
    below = {
        found.revision
        for head in heads
        for found in script.iterate_revisions(head, "base")
        if found.revision != head
    }
    return tuple(head for head in heads if head not in below)


def check_lineage(alembic: Facade, name: str, heads: tuple[str, ...]) -> None:
    """Check that a version table does not hold a revision and one that comes before.

    :param alembic: The extension.
    :param name: Name of the database.
    :param heads: The ids in its version table.
    :raises TargetError: If it does.
    """
    if len(heads) < 2:
        return

    last = lineage_heads(alembic.script_directory, heads)

    if before := sorted(set(heads) - set(last)):
        at = " and ".join(f"at {head}" for head in [*before, *last])
        raise TargetError(
            f"The database '{name}' is {at}, but {last[0]} comes after {before[0]}.",
            target=name,
            hint="The version table was changed by hand, or two runs met. Run 'flask db"
            " stamp' with the one that the tables match.",
        )
