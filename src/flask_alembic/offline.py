"""An environment without connections: its migration contexts write SQL scripts."""

from __future__ import annotations

import typing as t
from contextlib import contextmanager
from io import StringIO

from sqlalchemy.exc import NoSuchModuleError

from .environment import Environment
from .errors import ConfigurationError
from .offline_connection import write_statements
from .option_values import nearest

if t.TYPE_CHECKING:
    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    from .call_options import CallOptions
    from .databases import Database
    from .hooks import Hooks
    from .settings import Settings

DIALECTS: t.Final = ("postgresql", "mysql", "mariadb", "sqlite", "oracle", "mssql")

# So that characters beyond ASCII arrive, whatever the client was set to.
_ENCODING: t.Final = {
    "postgresql": "SET client_encoding = 'UTF8';\n\n",
    "mysql": "SET NAMES utf8mb4;\n\n",
    "mariadb": "SET NAMES utf8mb4;\n\n",
}


class OfflineEnvironment(Environment):
    """Migration contexts that write scripts.

    :param settings: The app's settings.
    :param hooks: The functions that the app registered.
    :param options: What the caller asks for.
    :param dialect: The kind of database to write for, instead of the engines'.
    """

    def __init__(
        self,
        settings: Settings,
        hooks: Hooks,
        *,
        options: CallOptions,
        dialect: str | None = None,
    ) -> None:
        super().__init__(settings, hooks, keep_pooled=False, options=options)
        self.dialect = dialect
        self.start: tuple[str, ...] = ()
        self._written: dict[str, StringIO] = {}

    @property
    def is_at_work(self) -> bool:
        """Always: nothing is to be looked for in a database."""
        return True

    @property
    def scripts(self) -> dict[str, str]:
        """Name to script, in the order of the databases."""
        return {
            name: _text(self._written[name].getvalue(), context.dialect.name)
            for name, context in self.made.contexts.items()
        }

    def refuse_connected(self, contexts: t.Mapping[str, MigrationContext]) -> None:
        """Check that nothing will be run: a subclass of the extension may have made
        contexts of its own.

        :param contexts: Name to context.
        :raises ConfigurationError: If one is connected.
        """
        for name, context in contexts.items():
            if not context.as_sql:
                raise ConfigurationError(
                    f"No script can be written for the database '{name}':"
                    " migration_contexts is overridden, and has a context that is"
                    " connected.",
                    hint="Let the override change what super().migration_contexts has.",
                    key="migration_contexts",
                    value=name,
                )

    def environment_context(
        self, name: str, config: Config, script: ScriptDirectory
    ) -> EnvironmentContext:
        """The environment context of a database, which is offline.

        :param name: The name of the database.
        :param config: The config.
        :param script: The revisions.
        :return: The same one until a run fails.
        """
        found = super().environment_context(name, config, script)
        found.context_opts["as_sql"] = True
        return found

    def _open(
        self,
        name: str,
        databases: dict[str, Database],
        config: Config,
        script: ScriptDirectory,
    ) -> MigrationContext:
        database = databases[name]
        options = dict(self.context_options.find(databases, config, self.dialect)[name])
        given = options.pop("dialect_opts", None)
        # Without this a percent sign is doubled, which drivers undo.
        options["dialect_opts"] = {"paramstyle": "named", **(given or {})}
        options.setdefault("literal_binds", True)
        self._written[name] = StringIO()
        environment = self.environment_context(name, config, script)

        with _told(dialect := self.dialect or database.engine.dialect.name):
            environment.configure(
                dialect_name=dialect,
                output_buffer=self._written[name],
                starting_rev=t.cast(str, self.start) or None,
                **options,
            )

        result = environment.get_context()
        write_statements(result, database.engine)
        return result


@contextmanager
def _told(dialect: str) -> t.Iterator[None]:
    """SQLAlchemy may not know a dialect; Alembic looks for its own part by a key."""
    try:
        yield
    except (NoSuchModuleError, KeyError) as error:
        meant = nearest(dialect, DIALECTS)
        raise ConfigurationError(
            f"There is no dialect '{dialect}'.",
            hint=f"Did you mean '{meant}'?"
            if meant
            else f"There are: {', '.join(DIALECTS)}.",
            key="dialect",
            value=dialect,
        ) from error


def _text(written: str, dialect: str) -> str:
    text = f"{written.strip()}\n" if written.strip() else ""
    return text if text.isascii() else f"{_ENCODING.get(dialect, '')}{text}"
