"""What lives as long as one app context, in one thread: its connections, and Alembic's
contexts on them.
"""

from __future__ import annotations

import typing as t
from contextlib import contextmanager
from functools import cached_property

from .alembic_objects import AlembicObjects
from .call_options import CallOptions
from .context_options import OptionsOfDatabases

if t.TYPE_CHECKING:
    import sqlalchemy as sa
    from alembic.config import Config
    from alembic.operations import Operations
    from alembic.runtime.environment import EnvironmentContext
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    from .connection_set import ConnectionSet
    from .databases import Database
    from .hooks import Hooks
    from .revisions.graph import RevisionGraph
    from .run_reports import MigrationReport
    from .run_settings import RunSettings
    from .scripts import RevisionIndex
    from .settings import Settings
    from .tapes import Recorder


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
        self.graph: RevisionGraph | None = None
        self.databases: dict[str, Database] | None = None
        self.dialect: str | None = None
        self.recorder: Recorder | None = None
        self._hooks = hooks
        self._keep_pooled = keep_pooled
        self._borrowed = dict(connections or {})
        self._kept: set[str] = set()
        self.made: AlembicObjects = AlembicObjects()
        self.context_options: OptionsOfDatabases = OptionsOfDatabases(
            settings.context, hooks
        )

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
            keep_pooled=self._keep_pooled,
            options=options or self.options,
            connections={**self._borrowed, **(connections or {})},
        )

    @cached_property
    def connections(self) -> ConnectionSet:
        """The connections that are open."""
        from .connection_set import ConnectionSet

        return ConnectionSet(
            self._hooks, keep_pooled=self._keep_pooled, borrowed=self._borrowed
        )

    @property
    def is_at_work(self) -> bool:
        """Whether a connection is open here, or somebody's own is to be used."""
        return bool(
            self._borrowed
            or self.made.contexts
            or (self.has_connections and self.connections.names)
        )

    @property
    def has_connections(self) -> bool:
        """Whether any was asked for."""
        return "connections" in vars(self)

    @cached_property
    def report(self) -> MigrationReport:
        """What the last run did."""
        from .run_reports import MigrationReport

        return MigrationReport()

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
        found = self.made.environment_context(name, config, script)
        self.made.pass_options(config, self.options)
        return found

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
        missing = [name for name in selected if name not in self.made.contexts]
        self.connections.wait(self.options.wait)

        try:
            for name in missing:
                self.made.contexts[name] = self._open(name, databases, config, script)
        except BaseException:
            self.close(missing, commit=False)
            raise

        self.made.pass_options(config, self.options)

        if self.options.databases is None:
            return self.made.contexts

        return {name: self.made.contexts[name] for name in selected}

    def operations(
        self, contexts: dict[str, MigrationContext]
    ) -> dict[str, Operations]:
        """Operations that run at once, outside of a migration.

        :param contexts: The contexts to run them on.
        :return: Name to operations. What they do is committed when the app context
            ends well.
        """
        found = self.made.operations_on(contexts)

        if self.options.databases is None:
            return found

        return {name: found[name] for name in contexts}

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
            self.made.forget(None)
            self.connections.set_aside()

            if not before:
                self.connections.close_set_aside()

            from .run_errors import report_of

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
        self.made.forget(names)

        if not self.has_connections:
            return

        closing = self.connections.names if names is None else set(names)

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
        self.config = self.script = self.graph = self.databases = None
        self.context_options = OptionsOfDatabases(settings.context, self._hooks)
        self.close(commit=True)

    def _open(
        self,
        name: str,
        databases: dict[str, Database],
        config: Config,
        script: ScriptDirectory,
    ) -> MigrationContext:
        from .comparing.defaults import compare_by_meaning
        from .own_tables import hide
        from .schemas import in_version_schema

        options = self.context_options.find(databases, config, self.dialect)[name]
        options = in_version_schema(options, databases[name])
        connection = self.connections.open(databases[name])
        context = self.environment_context(name, config, script)
        # These binds are for scripts; Alembic refuses them here.
        context.configure(connection=connection, **{**options, "literal_binds": False})
        result = context.get_context()

        if options.get("compare_server_default") is True:
            compare_by_meaning(result)

        return hide(result)
