"""What lives as long as one app context, in one thread: its connections, and Alembic's
contexts on them.
"""

from __future__ import annotations

import typing as t
from contextlib import contextmanager
from functools import partial

from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext

from .async_operations import make_operations
from .call_options import CallOptions
from .comparing.defaults import compare_by_meaning
from .connection_set import ConnectionSet
from .context_options import all_options
from .own_tables import hide as hide_own_tables
from .reports import MigrationReport
from .run_errors import report_of

if t.TYPE_CHECKING:
    from argparse import Namespace

    import sqlalchemy as sa
    from alembic.config import Config
    from alembic.operations import Operations
    from alembic.script import ScriptDirectory

    from .databases import Database
    from .hooks import Hooks
    from .run_settings import RunSettings
    from .scripts import RevisionIndex
    from .settings import Settings


class Environment:
    """Connections and contexts of one app context, each made when first asked for.

    :param settings: The app's settings, as they were when the context first needed
        them.
    :param hooks: The functions that the app registered.
    :param options: What the caller asks for.
    :param keep_pooled: Whether connections go back to the app's pool.
    :param connections: Connections of somebody else's to use: name to connection.
    """

    def __init__(
        self,
        settings: Settings,
        hooks: Hooks,
        *,
        keep_pooled: bool,
        options: CallOptions | None = None,
        connections: t.Mapping[str, sa.Connection] | None = None,
    ) -> None:
        self.settings: Settings = settings
        self.options: CallOptions = options or CallOptions()
        self.config: Config | None = None
        self.script: RevisionIndex | None = None
        self.databases: dict[str, Database] | None = None
        self.report: MigrationReport = MigrationReport()
        self.dialect: str | None = None
        self._hooks = hooks
        self.connections: ConnectionSet = ConnectionSet(
            hooks, keep_pooled=keep_pooled, borrowed=connections or {}
        )
        self._kept: set[str] = set()
        self._cmd_opts: Namespace | None = None
        self._environment_contexts: dict[str, EnvironmentContext] = {}
        self._context_options: dict[str, dict[str, t.Any]] = {}
        self._contexts: dict[str, MigrationContext] = {}
        self._operations: dict[str, Operations] = {}

    def like(
        self,
        *,
        settings: Settings | None = None,
        options: CallOptions | None = None,
        connections: t.Mapping[str, sa.Connection] | None = None,
    ) -> Environment:
        """Another environment, which makes all anew.

        :param settings: Other settings.
        :param options: Other options.
        :param connections: More connections of somebody else's.
        :return: The environment. All else is as in this one.
        """
        return Environment(
            settings or self.settings,
            self._hooks,
            keep_pooled=self.connections.keep_pooled,
            options=options or self.options,
            connections={**self.connections.borrowed, **(connections or {})},
        )

    @property
    def run_settings(self) -> RunSettings:
        """How migrations run, with what the caller asks for."""
        return self.settings.run.with_options(self.options.run)

    def environment_context(
        self, name: str, config: Config, script: ScriptDirectory
    ) -> EnvironmentContext:
        """The environment context of a database.

        :param name: The name of the database.
        :param config: The config.
        :param script: The revisions.
        :return: The same one until the connection is closed.
        """
        if name not in self._environment_contexts:
            self._environment_contexts[name] = EnvironmentContext(config, script)

        self.pass_options(config)
        return self._environment_contexts[name]

    def migration_contexts(
        self,
        databases: dict[str, Database],
        config: Config,
        script: ScriptDirectory,
    ) -> dict[str, MigrationContext]:
        """Connect to the databases that the caller asks for, if that isn't done.

        :param databases: All databases.
        :param config: The config.
        :param script: The revisions.
        :return: Name to context. Only all or none: if one database can't be reached,
            the next call tries again.
        """
        selected = self.options.select(databases)
        missing = [name for name in selected if name not in self._contexts]
        self.connections.wait(self.options.wait)

        try:
            for name in missing:
                self._contexts[name] = self._open(name, databases, config, script)
        except BaseException:
            self.close(missing, commit=False)
            raise

        self.pass_options(config)

        if self.options.databases is None:
            return self._contexts

        return {name: self._contexts[name] for name in selected}

    @contextmanager
    def using(self, options: CallOptions) -> t.Iterator[None]:
        """Let other options hold for a while.

        :param options: The options.
        """
        before, self.options = self.options, options

        try:
            yield
        finally:
            self.options = before

    def operations(
        self, contexts: dict[str, MigrationContext]
    ) -> dict[str, Operations]:
        """Operations that run at once, outside of a migration.

        :param contexts: The contexts to run them on.
        :return: Name to operations. What they do is committed when the app context
            ends well.
        """
        for name, context in contexts.items():
            known = self._operations.get(name)

            if known is None or known.migration_context is not context:
                self._operations[name] = make_operations(context)

        if self.options.databases is None:
            return self._operations

        return {name: self._operations[name] for name in contexts}

    @contextmanager
    def lent(self) -> t.Iterator[None]:
        """Use the connections for a while: those that this opens are given back at the
        end, and where one was open already no transaction of a read stays behind.
        """
        before = self.connections.names

        with self.connections.without_reads():
            try:
                yield
            finally:
                self.close(self.connections.names - before - self._kept, commit=False)

    @contextmanager
    def running(self) -> t.Iterator[None]:
        """Run migrations: what operations did so far is committed before, and after an
        error a second try gets new connections.

        Those that were open before, because an override of ``run_migrations`` has
        prepared them, stay open.
        """
        before = self.connections.names
        self._kept |= before

        try:
            self.connections.settle()
            yield
        except BaseException as error:
            self._forget(None)
            self.connections.set_aside()

            if not before:
                self.connections.close_set_aside()

            if failed := report_of(error):
                self.report = self.report.followed_by(failed)

            raise

        self.close(self.connections.names - before, commit=False)

    def close(self, names: t.Iterable[str] | None = None, *, commit: bool) -> None:
        """Give connections back.

        :param names: Of which databases; ``None`` for all.
        :param commit: Whether the work of operations lasts.
        :raises Exception: If such work can't be committed. Everything is given back
            all the same.
        """
        closing = self.connections.names if names is None else set(names)
        self._forget(names)

        if names is None:
            self._kept.clear()
            self.connections.close_set_aside()

        self.connections.close(closing, commit=commit)

    def clear(self, settings: Settings) -> None:
        """Begin anew, within the same app context: everything is made again when it is
        asked for.

        :param settings: The app's settings, as they are now.
        """
        self.settings = settings
        self.config = self.script = self.databases = None
        self._context_options = {}
        self.close(commit=True)

    def _forget(self, names: t.Iterable[str] | None) -> None:
        for made in (self._contexts, self._operations, self._environment_contexts):
            # All: also those that a subclass made, or that are not connected.
            for name in list(made if names is None else names):
                made.pop(name, None)

    def _open(
        self,
        name: str,
        databases: dict[str, Database],
        config: Config,
        script: ScriptDirectory,
    ) -> MigrationContext:
        options = self._options_of(name, databases, config)
        connection = self.connections.open(databases[name])
        context = self.environment_context(name, config, script)
        # These binds are for scripts; Alembic refuses them here.
        context.configure(connection=connection, **{**options, "literal_binds": False})
        result = context.get_context()

        if options.get("compare_server_default") is True:
            compare_by_meaning(result)

        return hide_own_tables(result)

    def _options_of(
        self, name: str, databases: dict[str, Database], config: Config
    ) -> dict[str, t.Any]:
        if not self._context_options:
            configure = partial(self._hooks.configure_options, config)
            self._context_options = all_options(
                self.settings.context, databases, configure, self.dialect
            )

        return self._context_options[name]

    def pass_options(self, config: Config) -> None:
        """Let revisions, templates and hooks ask for what the caller gave.

        :param config: What they ask.
        """
        # A subclass may have set its own.
        if config.cmd_opts is self._cmd_opts:
            self._cmd_opts = config.cmd_opts = self.options.as_namespace()

        for context in self._environment_contexts.values():
            context.context_opts["tag"] = self.options.tag
