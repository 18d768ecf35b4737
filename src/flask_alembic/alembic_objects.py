"""Alembic's objects of one environment, kept until a connection is closed."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from argparse import Namespace

    from alembic.config import Config
    from alembic.operations import Operations
    from alembic.runtime.environment import EnvironmentContext
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    from .call_options import CallOptions


class AlembicObjects:
    """For each database its environment context, migration context and operations."""

    def __init__(self) -> None:
        self.contexts: dict[str, MigrationContext] = {}
        self._environment_contexts: dict[str, EnvironmentContext] = {}
        self._operations: dict[str, Operations] = {}
        self._cmd_opts: Namespace | None = None

    def environment_context(
        self, name: str, config: Config, script: ScriptDirectory
    ) -> EnvironmentContext:
        """The environment context of a database.

        :param name: The name of the database.
        :param config: The config.
        :param script: The revisions.
        :return: The same one until it is forgotten.
        """
        if name not in self._environment_contexts:
            from alembic.runtime.environment import EnvironmentContext

            self._environment_contexts[name] = EnvironmentContext(config, script)

        return self._environment_contexts[name]

    def operations_on(
        self, contexts: dict[str, MigrationContext]
    ) -> dict[str, Operations]:
        """Operations that run at once, outside of a migration.

        :param contexts: The contexts to run them on.
        :return: Name to operations, of these contexts and of earlier ones.
        """
        from .async_operations import make_operations

        for name, context in contexts.items():
            known = self._operations.get(name)

            if known is None or known.migration_context is not context:
                self._operations[name] = make_operations(context)

        return self._operations

    def pass_options(self, config: Config, options: CallOptions) -> None:
        """Let revisions, templates and hooks ask for what the caller gave.

        :param config: What they ask.
        :param options: What was given.
        """
        # A subclass may have set its own.
        if config.cmd_opts is self._cmd_opts:
            self._cmd_opts = config.cmd_opts = options.as_namespace()

        for context in self._environment_contexts.values():
            context.context_opts["tag"] = options.tag

    def forget(self, names: t.Iterable[str] | None) -> None:
        """Let those of some databases be made anew.

        :param names: The names of the databases; ``None`` for all.
        """
        for made in (self.contexts, self._operations, self._environment_contexts):
            # All: also those that a subclass made, or that are not connected.
            for name in list(made if names is None else names):
                made.pop(name, None)
