"""What lives as long as one app context, in one thread: its connections, and Alembic's
contexts on them.
"""

from __future__ import annotations

import typing as t
from contextlib import contextmanager

from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext

from .async_operations import make_operations
from .connections import close_connection
from .connections import end_transaction
from .connections import open_connection
from .connections import OpenConnection
from .context_options import check_context
from .context_options import context_options
from .databases import default_name
from .errors import MigrationFailed
from .reports import AppliedStep
from .reports import MigrationReport
from .server_defaults import compare_by_meaning

if t.TYPE_CHECKING:
    from alembic.config import Config
    from alembic.operations import Operations
    from alembic.script import ScriptDirectory

    from .databases import Database
    from .scripts import RevisionIndex
    from .settings import Settings


class Environment:
    """Connections and contexts of one app context, each made when first asked for.

    :param settings: The app's settings, as they were when the context first needed
        them.
    :param keep_pooled: Whether connections go back to the app's pool.
    """

    def __init__(self, settings: Settings, *, keep_pooled: bool) -> None:
        self.settings = settings
        self.config: Config | None = None
        self.script: RevisionIndex | None = None
        self.databases: dict[str, Database] | None = None
        self.report: MigrationReport = MigrationReport()
        self._keep_pooled = keep_pooled
        self._environment_context: EnvironmentContext | None = None
        self._opened: dict[str, OpenConnection] = {}
        self._contexts: dict[str, MigrationContext] = {}
        self._operations: dict[str, Operations] = {}

    @property
    def is_open(self) -> bool:
        """Whether connections are open."""
        return bool(self._contexts)

    def environment_context(
        self, config: Config, script: ScriptDirectory
    ) -> EnvironmentContext:
        """The environment context of the default database.

        :param config: The config.
        :param script: The revisions.
        :return: The same one until the app context ends.
        """
        if self._environment_context is None:
            self._environment_context = EnvironmentContext(config, script)

        return self._environment_context

    def migration_contexts(
        self,
        databases: dict[str, Database],
        config: Config,
        script: ScriptDirectory,
    ) -> dict[str, MigrationContext]:
        """Connect to all databases, if that isn't done.

        :param databases: The databases.
        :param config: The config.
        :param script: The revisions.
        :return: Name to context. Only all or none: if one database can't be reached,
            the next call tries again.
        """
        if not self._contexts:
            check_context(self.settings.context)

            try:
                self._contexts = {
                    name: self._open(database, databases, config, script)
                    for name, database in databases.items()
                }
            except BaseException:
                self.close(commit=False)
                raise

        return self._contexts

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

        return self._operations

    @contextmanager
    def lent(self) -> t.Iterator[None]:
        """Use the connections for a while: those that this opens are given back at the
        end, and where one was open already no transaction of a read stays behind.
        """
        was_open = self.is_open
        busy = {name for name, opened in self._opened.items() if opened.has_work}

        try:
            yield
        finally:
            if not was_open:
                self.close(commit=False)
            else:
                for name, opened in self._opened.items():
                    if name not in busy:
                        end_transaction(opened, commit=False)

    @contextmanager
    def running(self) -> t.Iterator[None]:
        """Run migrations: what operations did so far is committed before, and after an
        error all connections are closed, so that a second try gets new ones.
        """
        was_open = self.is_open

        for opened in self._opened.values():
            end_transaction(opened, commit=True)

        try:
            yield
        except BaseException as error:
            self.close(commit=False)

            if isinstance(error, MigrationFailed):
                self.add_report(error.applied, error.standing)

            raise

        if not was_open:
            self.close(commit=False)

    def add_report(
        self,
        steps: t.Sequence[AppliedStep],
        databases: t.Mapping[str, tuple[str, ...]],
    ) -> None:
        """Add a run to the report, which tells of all tries of one method.

        :param steps: What was applied.
        :param databases: Where the databases stand.
        """
        self.report = MigrationReport((*self.report.steps, *steps), dict(databases))

    def close(self, *, commit: bool) -> None:
        """Give all connections back.

        :param commit: Whether the work of operations lasts.
        :raises Exception: If such work can't be committed. Everything is given back
            all the same.
        """
        worked = bool(self._operations)
        failure: Exception | None = None
        opened, self._opened = self._opened, {}
        self._contexts, self._operations = {}, {}
        self._environment_context = None

        for item in opened.values():
            try:
                close_connection(item, commit=commit)
            except Exception as error:
                failure = failure or error

        # A database that went away after it was only read is nothing to fail for.
        if failure is not None and worked and commit:
            raise failure

    def _open(
        self,
        database: Database,
        databases: dict[str, Database],
        config: Config,
        script: ScriptDirectory,
    ) -> MigrationContext:
        opened = open_connection(database, keep_pooled=self._keep_pooled)
        self._opened[database.name] = opened

        if database.name == default_name(databases):
            context = self.environment_context(config, script)
        else:
            context = EnvironmentContext(config, script)

        options = context_options(
            self.settings.context, database, several=len(databases) > 1
        )
        context.configure(connection=opened.connection, **options)
        result = context.get_context()

        if options.get("compare_server_default") is True:
            compare_by_meaning(result)

        return result
