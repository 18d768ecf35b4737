"""What the verbs need of the extension: the seams that a subclass may override."""

from __future__ import annotations

import typing as t

from ..errors import UnknownRevisionError
from ..history import History

if t.TYPE_CHECKING:
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

    def run_migrations(self, fn: t.Any, **kwargs: t.Any) -> t.Any: ...


def name_of(alembic: Facade, context: MigrationContext) -> str:
    """The name of the database that a context is for.

    :param alembic: The extension.
    :param context: One of its contexts.
    :return: The name.
    """
    contexts = alembic.migration_contexts
    return next(name for name, known in contexts.items() if known is context)


def known_heads(alembic: Facade, name: str, heads: tuple[str, ...]) -> tuple[str, ...]:
    """Check that there are files for where a database stands.

    :param alembic: The extension.
    :param name: Name of the database.
    :param heads: The ids in its version table.
    :return: The same ids.
    :raises UnknownRevisionError: If no file has one of them.
    """
    script = alembic.script_directory
    ids = set(History(script).ids)

    for head in heads:
        if head not in ids:
            raise UnknownRevisionError(
                f"The database '{name}' is at revision '{head}', which no file in"
                f" {script.dir} has.",
                target=head,
                hint="Was its file deleted, or is the database ahead of this code?"
                " Restore the file, or deploy the newer code.",
            )

    return heads
