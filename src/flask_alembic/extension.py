"""The extension: what an app and its code hold. Every method leads to another room."""

from __future__ import annotations

import threading
import typing as t
import warnings
from contextlib import contextmanager
from contextlib import ExitStack
from contextlib import nullcontext
from weakref import WeakKeyDictionary

from flask import current_app
from flask import Flask
from flask import g
from flask import has_request_context

from . import folders
from . import operations
from .adopt_reports import AdoptReport
from .compat import t_rev as t_rev
from .databases import as_mapping
from .databases import Database
from .databases import DEFAULT
from .databases import default_name
from .databases import find_databases
from .databases import identifier
from .databases import read_connections
from .databases import read_engines
from .databases import read_metadatas
from .hooks import Hooks
from .reports import CheckReport
from .reports import CurrentRevisions
from .reports import Differences
from .reports import InitReport
from .reports import MigrationReport
from .reports import NewRevisions
from .reports import Template
from .reports import VersionTable
from .revision_ids import timestamp_id
from .settings import fill_defaults
from .settings import read_settings
from .settings import Settings
from .state import AppState
from .template_files import list_templates

if t.TYPE_CHECKING:
    from pathlib import Path

    import sqlalchemy as sa
    from alembic.config import Config
    from alembic.operations import MigrationScript
    from alembic.operations import Operations
    from alembic.runtime.environment import EnvironmentContext
    from alembic.runtime.migration import MigrationContext
    from alembic.runtime.migration import MigrationStep
    from alembic.script import Script
    from sqlalchemy.ext.asyncio import AsyncEngine

    from .arguments import RevisionArgument
    from .call_options import Databases
    from .call_options import XArguments
    from .compat import Cache
    from .environment import Environment
    from .offline import OfflineEnvironment
    from .scripts import RevisionIndex

    # Not "Collection": a dict is one, and its values would be taken for anything.
    OneOrMore = sa.MetaData | t.Sequence[sa.MetaData] | t.AbstractSet[sa.MetaData]
    # Keys are str, or None for the default database as in Flask-SQLAlchemy. Those of a
    # mapping are invariant, so that only Any takes a dict with either.
    MetadatasArgument = OneOrMore | t.Mapping[t.Any, OneOrMore]
    AnyEngine = sa.Engine | AsyncEngine
    EnginesArgument = AnyEngine | t.Mapping[t.Any, AnyEngine]
    Labels = str | t.Sequence[str] | None
    Work = t.Callable[
        [tuple[str, ...], MigrationContext], t.Iterable[MigrationStep] | None
    ]

    Configure = t.TypeVar("Configure", bound=t.Callable[..., t.Any])
    Prepare = t.TypeVar("Prepare", bound=t.Callable[[sa.Connection, Database], t.Any])

_KEY: t.Final = "_flask_alembic"


class Alembic:
    """Alembic's migrations for a Flask app.

    One object may serve several apps. Apart from :meth:`init_app` everything needs an
    app context, and acts on the app of that context.

    :param app: Call :meth:`init_app` on this app.
    :param run_mkdir: Whether :meth:`init_app` makes the migrations folder.
    :param command_name: Name of the command group that :meth:`init_app` adds. The
        empty string adds none.
    :param metadatas: What to migrate to: a ``MetaData``, a list of them for one
        database, or a dict of database name to either. Flask-SQLAlchemy's
        ``db.metadata`` is used if this is not given.
    :param engines: What to migrate: an ``Engine`` or ``AsyncEngine``, or a dict of
        database name to them. Those of Flask-SQLAlchemy or Flask-SQLAlchemy-Lite are
        used if this is not given.
    :raises ConfigurationError: If an argument is of another type.

    .. versionchanged:: 4.0
        A new implementation, with the same names.
    """

    def __init__(
        self,
        app: Flask | None = None,
        *,
        run_mkdir: bool = True,
        command_name: str = "db",
        metadatas: MetadatasArgument | None = None,
        engines: EnginesArgument | None = None,
    ) -> None:
        self.run_mkdir: bool = run_mkdir
        self.command_name: str = command_name
        # A dict is kept, not copied: Flask-SQLAlchemy's db.metadatas grows while models
        # are declared.
        self.metadatas: t.Mapping[t.Any, t.Any] = as_mapping(metadatas)
        self.engines: t.Mapping[t.Any, t.Any] = as_mapping(engines)
        read_metadatas(self.metadatas)
        read_engines(self.engines)
        self._hooks = Hooks()
        self._states: WeakKeyDictionary[Flask, AppState] = WeakKeyDictionary()

        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Register the extension on an app.

        The defaults are filled in to ``app.config["ALEMBIC"]`` and
        ``app.config["ALEMBIC_CONTEXT"]``, the migrations folder is made, the command
        group is added. A folder that can't be made, as in a read-only container, is a
        warning.

        :param app: The app.
        :raises ConfigurationError: If the app has an Alembic extension already.
        """
        registered = app.extensions.get("alembic")

        if registered is self:
            return

        if registered is not None:
            raise self._second_extension(app)

        app.extensions["alembic"] = self
        fill_defaults(app.config)
        self._states[app] = AppState()
        app.teardown_appcontext(self._teardown)

        if self.run_mkdir:
            self._try_mkdir(app)

        if self.command_name:
            self._add_commands(app)

    # What Alembic has

    @property
    def settings(self) -> Settings:
        """The configuration of the current app, checked.

        .. versionadded:: 4.0
        """
        environment: Environment | None = self._environments().get(
            threading.get_ident()
        )

        if environment is not None:
            return environment.settings

        return self._read_settings()

    @property
    def databases(self) -> dict[str, Database]:
        """The databases of the current app: name to engine and metadata.

        :raises ConfigurationError: If there are none, or one has no engine.

        .. versionadded:: 4.0
        """
        environment = self._environment()

        if environment.databases is None:
            extension = current_app.extensions.get("sqlalchemy")
            environment.databases = find_databases(
                read_metadatas(self.metadatas), read_engines(self.engines), extension
            )

        return environment.databases

    @property
    def config(self) -> Config:
        """Alembic's :class:`~alembic.config.Config` for the current app."""
        environment = self._environment()

        if environment.config is None:
            from .alembic_config import make_config

            names = [identifier(name) for name in read_metadatas(self.metadatas)]
            config = make_config(environment.settings, names if len(names) > 1 else ())
            environment.config = self._hooks.configure_config(config)

        environment.pass_options(environment.config)
        return environment.config

    @property
    def script_directory(self) -> RevisionIndex:
        """Alembic's :class:`~alembic.script.ScriptDirectory` for the current app.

        It holds what the files hold when the app context first asks for it.

        :raises FlaskAlembicError: If a file can't be loaded, or the files don't form
            a history.
        """
        environment = self._environment()

        if environment.script is None:
            environment.script = self._state().revision_index(self.config)

        return environment.script

    @property
    def environment_context(self) -> EnvironmentContext:
        """Alembic's :class:`~alembic.runtime.environment.EnvironmentContext` for the
        default database.
        """
        name = default_name(read_metadatas(self.metadatas) or [DEFAULT])
        return self._environment().environment_context(
            name, self.config, self.script_directory
        )

    @property
    def migration_contexts(self) -> dict[str, MigrationContext]:
        """Alembic's :class:`~alembic.runtime.migration.MigrationContext` for each
        database: name to context. The connections are opened by this, and closed when
        the app context ends.

        :raises ConnectionFailed: If a database can't be reached.
        """
        return self._environment().migration_contexts(
            self.databases, self.config, self.script_directory
        )

    @property
    def migration_context(self) -> MigrationContext:
        """The :class:`~alembic.runtime.migration.MigrationContext` of the default
        database: the one called ``default``, otherwise the first.
        """
        return _default(self.migration_contexts)

    @property
    def ops(self) -> dict[str, Operations]:
        """Alembic's :class:`~alembic.operations.Operations` for each database: name to
        operations.

        They run at once. What they did is committed when the app context ends well or
        a migration begins, and rolled back where the database can when the app context
        ends by an exception.
        """
        return self._environment().operations(self.migration_contexts)

    @property
    def op(self) -> Operations:
        """The :class:`~alembic.operations.Operations` of the default database."""
        return _default(self.ops)

    @property
    def script(self) -> RevisionIndex:
        """Another name of :attr:`script_directory`."""
        return self.script_directory

    @property
    def context(self) -> MigrationContext:
        """Another name of :attr:`migration_context`."""
        return self.migration_context

    @property
    def env(self) -> EnvironmentContext:
        """Another name of :attr:`environment_context`."""
        return self.environment_context

    # Prepare

    def configure(self, function: Configure) -> Configure:
        """Register a function that changes how the environment is set up. Use it as a
        decorator.

        With one parameter, it gets Alembic's :class:`~alembic.config.Config`, when that
        has been made of ``ALEMBIC``. With two, it gets the config and a dict: for each
        database the arguments of
        :meth:`~alembic.runtime.environment.EnvironmentContext.configure`, made of
        ``ALEMBIC_CONTEXT``, which it may change in place. That is before the first
        migration context of an app context is made.

        :param function: The function.
        :return: The same function.

        .. versionadded:: 4.0
        """
        self._hooks.add_configure(function)
        return function

    def prepare_connection(self, function: Prepare) -> Prepare:
        """Register a function that prepares each connection before it is used, such as
        by setting the ``search_path`` or the role. Use it as a decorator.

        What it executes is committed. A connection that was prepared does not go back
        to the app's pool.

        :param function: Called with the connection and its database, which has a
            ``name``, an ``engine`` and ``metadata``. Arguments of the command line are
            in ``alembic.env.get_x_argument(as_dictionary=True)``.
        :return: The same function.

        .. versionadded:: 4.0
        """
        self._hooks.add_connection(function)
        return function

    @contextmanager
    def using(
        self,
        *,
        databases: Databases | None = None,
        x: XArguments | None = None,
        tag: str | None = None,
        directory: str | Path | None = None,
    ) -> t.Iterator[None]:
        """Let options hold for all that is called in a ``with`` block.

        :param databases: The names of the databases to work on. The others are left
            alone.
        :param x: Arguments for revisions, which get them from
            ``context.get_x_argument()``: a dict, or texts like ``key=value``. They are
            added to those of a block around this one.
        :param tag: A text for revisions, which get it from
            ``context.get_tag_argument()``.
        :param directory: The migrations folder, instead of
            ``ALEMBIC["script_location"]``.
        :raises ConfigurationError: If there is no such database.

        .. versionadded:: 4.0
        """
        environment = self._environment()
        options = environment.options.also(databases=databases, x=x, tag=tag)
        settings = environment.settings

        if databases is not None:
            options.select(self.databases)  # a name may be wrong

        if directory is not None:
            settings = settings.at(directory)

        if directory is not None or ((x or tag) and self._hooks.follow_arguments):
            block = self._swapped(environment.like(settings=settings, options=options))
        else:
            block = environment.using(options)

        with block:
            yield

    @contextmanager
    def use_connection(
        self, connection: sa.Connection | t.Mapping[str, sa.Connection]
    ) -> t.Iterator[None]:
        """Let all that is called in a ``with`` block use a connection of yours.

        If it is in a transaction, migrations run inside it and are not committed:
        whoever began it ends it. It is not closed.

        :param connection: A connection to the default database, or a dict of database
            name to connection. Databases that are not named are connected to as usual.
        :raises ConfigurationError: If it is no connection, or the name is unknown.

        .. versionadded:: 4.0
        """
        connections = read_connections(connection, self.databases)

        with self._swapped(self._environment().like(connections=connections)):
            yield

    # Look

    def current(
        self, *, databases: Databases | None = None, skip_missing: bool = False
    ) -> tuple[Script, ...]:
        """The revisions that the databases are at.

        :param databases: The names of the databases to work on, instead of all.
        :param skip_missing: Whether to leave out ids that no file has. Otherwise they
            are an error.
        :return: The revisions of all databases, each once.

        .. versionchanged:: 4.0
            Added ``databases`` and ``skip_missing``.
        """
        with self._lent(databases=databases):
            return operations.read.current(self, skip_missing)

    def current_by_database(
        self, *, databases: Databases | None = None, skip_missing: bool = False
    ) -> CurrentRevisions:
        """The revisions that each database is at.

        :param databases: The names of the databases to work on, instead of all.
        :param skip_missing: Whether to leave out ids that no file has: they are in the
            attribute ``unknown``. Otherwise they are an error.
        :return: A dict of name to revisions.

        .. versionadded:: 4.0
        """
        with self._lent(databases=databases):
            return operations.read.current_by_database(self, skip_missing)

    def needs_upgrade(self, *, databases: Databases | None = None) -> bool:
        """Whether :meth:`upgrade` has something to do.

        :param databases: The names of the databases to work on, instead of all.
        :return: ``True`` if any database is not at the head revisions.

        .. versionchanged:: 4.0
            Added ``databases``.
        """
        with self._lent(databases=databases):
            return operations.read.needs_upgrade(self)

    def heads(self, resolve_dependencies: bool = False) -> tuple[Script, ...]:
        """The revisions that no other revision revises.

        :param resolve_dependencies: Whether a revision that another one depends on is
            not a head.
        :return: The revisions.
        """
        return operations.read.heads(self, resolve_dependencies)

    def branches(self) -> list[Script]:
        """The revisions that more than one other revision revises.

        :return: The revisions, newest first.
        """
        return operations.read.branches(self)

    def log(
        self, start: RevisionArgument = "base", end: RevisionArgument = "heads"
    ) -> list[Script]:
        """The revisions from one to another.

        :param start: The oldest. ``"current"`` is where the databases are.
        :param end: The newest.
        :return: The revisions, newest first.
        """
        with self._lent():
            return operations.read.log(self, start, end)

    def show(self, revisions: RevisionArgument) -> list[Script]:
        """Certain revisions.

        :param revisions: Ids, parts of them, ``"head"``, ``"current"``.
        :return: The revisions, in the order asked for.

        .. versionadded:: 4.0
        """
        with self._lent():
            return operations.read.show(self, revisions)

    # Compare

    def check(self, *, databases: Databases | None = None) -> CheckReport:
        """Whether each database is at head, and the models match it.

        :param databases: The names of the databases to work on, instead of all.
        :return: The report. ``report.ok`` sums it up.

        .. versionadded:: 4.0
        """
        with self._lent(databases=databases):
            return operations.compare.check(self)

    def needs_revision(self, *, databases: Databases | None = None) -> bool:
        """Whether the models differ from a database.

        :param databases: The names of the databases to work on, instead of all.
        :return: ``True`` if :meth:`revision` would find something.

        .. versionchanged:: 4.0
            Added ``databases``.
        """
        with self._lent(databases=databases):
            return operations.compare.needs_revision(self)

    def compare_metadata(self, *, databases: Databases | None = None) -> Differences:
        """The differences between the models and the databases.

        :param databases: The names of the databases to work on, instead of all.
        :return: A list of Alembic's tuples over all databases, whose ``by_database``
            tells which database each is of.

        .. versionchanged:: 4.0
            Added ``databases``.
        """
        with self._lent(databases=databases):
            return operations.compare.compare_metadata(self)

    def produce_migrations(
        self, *, databases: Databases | None = None
    ) -> MigrationScript:
        """The operations that a new revision would hold.

        :param databases: The names of the databases to work on, instead of all.
        :return: Alembic's :class:`~alembic.operations.ops.MigrationScript`, with an
            entry for each database in ``upgrade_ops_list``.

        .. versionchanged:: 4.0
            Added ``databases``.
        """
        with self._lent(databases=databases):
            return operations.compare.produce_migrations(self)

    # Run

    def upgrade(
        self,
        target: RevisionArgument = "heads",
        *,
        databases: Databases | None = None,
        x: XArguments | None = None,
        tag: str | None = None,
        skip_missing: bool = False,
    ) -> MigrationReport:
        """Run revisions up to a target, on all databases.

        :param target: An id, a part of one, a revision, ``"head"``, ``"heads"``,
            ``"label@head"``, or a count of steps: ``2``, ``"+2"``.
        :param databases: The names of the databases to work on, instead of all.
        :param x: Arguments for the revisions, as of :meth:`using`.
        :param tag: A text for the revisions, as of :meth:`using`.
        :param skip_missing: Whether to leave ids alone that no file has. Otherwise
            they are an error.
        :return: What was applied.
        :raises MigrationFailed: If a revision raises. It says what was applied before.
        :raises UnknownRevisionError: If no file has the id that a database is at; with
            ``skip_missing``, if a revision may have been applied before that.

        .. versionchanged:: 4.0
            Added ``databases``, ``x``, ``tag`` and ``skip_missing``.
        """
        with self.using(databases=databases, x=x, tag=tag):
            return self._report(
                operations.upgrade.upgrade, target, skip_missing=skip_missing
            )

    def downgrade(
        self,
        target: RevisionArgument = -1,
        *,
        databases: Databases | None = None,
        x: XArguments | None = None,
        tag: str | None = None,
        skip_missing: bool = False,
    ) -> MigrationReport:
        """Run revisions back down to a target, on all databases.

        :param target: An id, a part of one, a revision, ``"base"``, or a count of
            steps: ``-1``, ``"label@-1"``.
        :param databases: The names of the databases to work on, instead of all.
        :param x: Arguments for the revisions, as of :meth:`using`.
        :param tag: A text for the revisions, as of :meth:`using`.
        :param skip_missing: Whether to leave ids alone that no file has. Otherwise
            they are an error.
        :return: What was applied.
        :raises MigrationFailed: If a revision raises. It says what was applied before.

        .. versionchanged:: 4.0
            Added ``databases``, ``x``, ``tag`` and ``skip_missing``.
        """
        with self.using(databases=databases, x=x, tag=tag):
            return self._report(
                operations.upgrade.downgrade, target, skip_missing=skip_missing
            )

    def stamp(
        self,
        target: RevisionArgument = "heads",
        *,
        databases: Databases | None = None,
        x: XArguments | None = None,
        tag: str | None = None,
        purge: bool = False,
        verify: bool = False,
        skip_missing: bool = False,
    ) -> MigrationReport:
        """Let the databases be at a revision, without running anything.

        :param target: Ids, revisions, ``"heads"``, ``"base"``.
        :param databases: The names of the databases to work on, instead of all.
        :param x: Arguments for the revisions, as of :meth:`using`.
        :param tag: A text for the revisions, as of :meth:`using`.
        :param purge: Whether to empty the version tables first, whatever is in them.
        :param verify: Whether to do so only if the schema is that of the target: the
            models are compared to each database, after the revisions above the target
            were tried there and rolled back. What those do outside of the database
            stays. Where DDL can't be rolled back, only the heads can be verified.
        :param skip_missing: Whether to leave ids alone that no file has. Otherwise
            they are an error.
        :return: What was written.
        :raises SchemaMismatchError: If the schema is another one. Nothing is stamped.

        .. versionchanged:: 4.0
            Added ``databases``, ``x``, ``tag``, ``purge``, ``verify`` and
            ``skip_missing``.
        """
        with self.using(databases=databases, x=x, tag=tag):
            return self._report(
                operations.stamp.stamp,
                target,
                purge=purge,
                verify=verify,
                skip_missing=skip_missing,
            )

    def ensure_version(
        self, *, databases: Databases | None = None
    ) -> tuple[VersionTable, ...]:
        """Create the version table where it is missing. It is empty then; a run would
        create it as well.

        :param databases: The names of the databases to work on, instead of all.
        :return: An entry a database, which tells whether the table was created.

        .. versionadded:: 4.0
        """
        with self._lent(databases=databases):
            return operations.ensure_version.ensure_version(self)

    def adopt(
        self, *, apply: bool = False, databases: Databases | None = None
    ) -> AdoptReport:
        """Look at a migrations folder and databases that were made by another tool, or
        without one.

        :param apply: Whether to stamp each database that has tables, is at no revision
            and matches the models. Nothing else is ever changed.
        :param databases: The names of the databases to look at, instead of all.
        :return: What was found: who made the folder, where each database is, and what
            will be different. What ``env.py`` says is read, not run.

        .. versionadded:: 4.0
        """
        with self._lent(databases=databases):
            return operations.adopt.adopt(self, apply=apply)

    def sql(
        self,
        target: RevisionArgument = "heads",
        *,
        command: str = "upgrade",
        databases: Databases | None = None,
        x: XArguments | None = None,
        tag: str | None = None,
        dialect: str | None = None,
    ) -> dict[str, str]:
        """Write what a method would run as SQL, without connecting to a database.

        :param target: A range ``"a:b"``: where the databases are, and where to go. Up
            from base, ``"b"`` does.
        :param command: ``"upgrade"``, ``"downgrade"``, ``"stamp"``, or
            ``"ensure_version"``, which has no target.
        :param databases: The names of the databases to write for, instead of all.
        :param x: Arguments for the revisions, as of :meth:`using`.
        :param tag: A text for the revisions, as of :meth:`using`.
        :param dialect: The kind of database to write for, instead of that of the
            engines: ``"postgresql"``, ``"mysql"``, ``"mariadb"``, ``"sqlite"``,
            ``"oracle"``, ``"mssql"``.
        :return: Name to script. It is empty if there is nothing to do.
        :raises TargetError: If a range is missing, or leads the other way.
        :raises MigrationFailed: If a revision raises, such as one that reads from the
            database.

        .. versionadded:: 4.0
        """
        with self._offline(databases=databases, x=x, tag=tag, dialect=dialect) as env:
            found = operations.offline.read_target(self, target, command)
            verb, env.start, end = found
            self._report(verb, end)
            return env.scripts

    def run_migrations(self, fn: Work, **kwargs: t.Any) -> MigrationReport:
        """Run what a function says, on all databases. :meth:`upgrade`,
        :meth:`downgrade`, :meth:`stamp` and :meth:`revision` go through here.

        A revision is committed on all databases before the next one begins. One thread
        of a process runs at a time: Alembic's ``op`` is the same for all threads.

        :param fn: Called for each database with its heads and its migration context;
            returns the steps to run.
        :param kwargs: Passed to ``upgrade`` and ``downgrade`` of each revision. With
            several databases ``engine_name`` is added.
        :return: What was applied.
        :raises MigrationFailed: If a revision raises.
        """
        from .runner import run

        environment = self._environment()

        with environment.running():
            contexts = self.migration_contexts
            chosen = environment.options.databases is not None
            names = self.databases if chosen else contexts
            report = run(contexts, fn, kwargs, names=tuple(names))

        environment.report = environment.report.followed_by(report)
        return report

    @property
    def last_report(self) -> MigrationReport:
        """What :meth:`run_migrations` did in this app context since :meth:`upgrade`,
        :meth:`downgrade` or :meth:`stamp` was called, for those who override one of
        them and return nothing.

        .. versionadded:: 4.0
        """
        return self._environment().report

    # Write

    def rev_id(self) -> str:
        """A new revision id: by default the seconds since 1970. Override this, or
        assign a function, for other ids.

        :return: The id, of letters, digits, ``_`` and ``.``.
        """
        return timestamp_id()

    def revision(
        self,
        message: str | None = None,
        empty: bool = False,
        branch: str = "default",
        parent: RevisionArgument = "head",
        splice: bool = False,
        depend: RevisionArgument | None = None,
        label: Labels = None,
        path: str | Path | None = None,
        *,
        allow_drops: bool = False,
        rev_id: str | None = None,
        skip_empty: bool = False,
        sql: bool = False,
        databases: Databases | None = None,
        x: XArguments | None = None,
        tag: str | None = None,
    ) -> NewRevisions:
        """Write a new revision, with the operations that bring the databases to the
        models.

        :param message: What the revision does. Without one, it is called by what was
            found.
        :param empty: Whether to leave the operations to be written by hand.
        :param branch: The independent branch that it belongs to.
        :param parent: What it revises.
        :param splice: Whether the parent may be no head.
        :param depend: Revisions that have to be applied before it.
        :param label: Labels of the branch that begins with it.
        :param path: The version location that the file goes to.
        :param allow_drops: Whether to write drops of all tables where the metadata has
            none. Usually the models are not imported then.
        :param rev_id: The id of the revision, instead of a new one.
        :param skip_empty: Whether to write no file if nothing changed. Nothing is
            compared if ``empty`` is given, and so nothing skipped.
        :param sql: Whether to connect to no database, so that no operations are
            written.
        :param databases: The names of the databases to compare, instead of all.
        :param x: Arguments for hooks and the template, as of :meth:`using`.
        :param tag: A text for hooks and the template, as of :meth:`using`.
        :return: The new revisions: a list, which also knows what was found.
        :raises OutOfDateError: If a database is behind.
        :raises EmptyMetadataError: If all tables would be dropped.

        .. versionchanged:: 4.0
            Added ``allow_drops``, ``rev_id``, ``skip_empty``, ``sql``, ``databases``,
            ``x`` and ``tag``; ``message`` may be left out.
        """
        if sql and allow_drops:
            raise self._compares_nothing()

        empty = empty or sql
        options = {"databases": databases, "x": x, "tag": tag}

        with (
            self._offline() if sql else nullcontext(),
            self._lent(**options, autogenerate=not empty),
        ):
            return operations.revision.revision(
                self,
                message,
                empty=empty,
                branch=branch,
                parent=parent,
                splice=splice,
                depend=depend,
                label=label,
                path=path,
                allow_drops=allow_drops,
                rev_id=rev_id,
                skip_empty=skip_empty,
            )

    def merge(
        self,
        revisions: RevisionArgument = "heads",
        message: str | None = None,
        label: Labels = None,
        *,
        rev_id: str | None = None,
        splice: bool = False,
    ) -> Script | None:
        """Write a revision that joins several.

        :param revisions: What to join.
        :param message: What to call it. By default it names the revisions.
        :param label: Its labels.
        :param rev_id: Its id, instead of a new one.
        :param splice: Whether the revisions may be no heads.
        :return: The new revision, or ``None`` if there is nothing to join.

        .. versionchanged:: 4.0
            Added ``rev_id`` and ``splice``.
        """
        return operations.merge.merge(
            self, revisions, message, label, rev_id=rev_id, splice=splice
        )

    def mkdir(self) -> None:
        """Make the migrations folder, the version locations and the template, where
        they don't exist.

        :raises OSError: If one can't be made.
        """
        folders.make_folders(self.settings, several=len(self.metadatas) > 1)

    def init(
        self,
        directory: str | Path | None = None,
        *,
        template: str | None = None,
        multidb: bool | None = None,
        package: bool = False,
    ) -> InitReport:
        """Make the migrations folder as :meth:`mkdir` does, and let its template be the
        right one. A template that is another is kept beside it.

        :param directory: Another folder than ``ALEMBIC["script_location"]``.
        :param template: The name of a template, or a folder with one in it.
        :param multidb: Whether the template is for several databases. By default it is
            where the app has several.
        :param package: Whether to write an ``__init__.py`` to each folder.
        :return: What was made, and where the old template is.
        :raises TemplateError: If there is no such template.
        :raises OSError: If something can't be written.

        .. versionadded:: 4.0
        """
        return folders.init_folders(
            self.settings,
            directory,
            template=template,
            several=len(self.metadatas) > 1 if multidb is None else multidb,
            package=package,
        )

    def list_templates(self) -> list[Template]:
        """The templates that :meth:`init` knows by name: those of the package, and
        those in ``ALEMBIC["template_folder"]``.

        :return: The templates, by name.

        .. versionadded:: 4.0
        """
        return list_templates(self.settings.template_folder)

    # Names that are private, and used all the same

    def _simplify_rev(
        self,
        rev: RevisionArgument,
        handle_current: bool = False,
        handle_int: bool = False,
    ) -> list[str]:
        from .compat import simplify_rev

        return simplify_rev(
            self, rev, handle_current=handle_current, handle_int=handle_int
        )

    def _get_cache(self) -> Cache:
        from .compat import Cache

        return Cache(self._environment(), self._read_settings)

    # Inside

    def _read_settings(self) -> Settings:
        return read_settings(current_app.config, current_app.root_path)

    def _report(
        self,
        verb: t.Callable[..., None],
        target: RevisionArgument,
        **options: t.Any,
    ) -> MigrationReport:
        environment = self._environment()
        environment.report = MigrationReport()

        # An overridden run_migrations() need not return what super() returned, so the
        # report is left on the environment.
        with environment.lent():
            verb(self, target, **options)

        return environment.report

    @contextmanager
    def _lent(self, **options: t.Any) -> t.Iterator[None]:
        environment = self._environment()

        with environment.using(environment.options.also(**options)):
            with environment.lent():
                yield

    @contextmanager
    def _offline(
        self, *, dialect: str | None = None, **options: t.Any
    ) -> t.Iterator[OfflineEnvironment]:
        from .offline import OfflineEnvironment

        before = self._environment()
        environment = OfflineEnvironment(
            before.settings,
            self._hooks,
            options=before.options.also(**options),
            dialect=dialect,
        )

        with self._swapped(environment, connects=False):
            yield environment

    def _state(self) -> AppState:
        # To call it on an app of its own, Flask's proxy has to be unwrapped.
        app: Flask | None = (
            current_app._get_current_object()  # type: ignore[attr-defined]
            if current_app
            else None
        )

        if app is None or app not in self._states:
            raise self._no_app(app)

        return self._states[app]

    def _environments(self) -> dict[int, Environment]:
        """One for each thread: a context can be copied to another thread, with
        everything on ``g``.
        """
        self._state()
        environments: dict[int, Environment] = g.setdefault(_KEY, {})
        return environments

    def _environment(self) -> Environment:
        environments = self._environments()
        thread = threading.get_ident()

        if thread not in environments:
            from .environment import Environment

            environments[thread] = Environment(
                self.settings, self._hooks, keep_pooled=has_request_context()
            )

        return environments[thread]

    @contextmanager
    def _swapped(
        self, environment: Environment, *, connects: bool = True
    ) -> t.Iterator[None]:
        """Let another environment be the one of this context and thread for a while."""
        environments, thread = self._environments(), threading.get_ident()
        before, environments[thread] = environments[thread], environment

        if connects:
            before.connections.settle()

        try:
            yield
        except BaseException:
            environment.close(commit=False)
            raise
        else:
            environment.close(commit=True)
        finally:
            environments[thread] = before

    def _teardown(self, exc: BaseException | None) -> None:
        environments: dict[int, Environment] = g.pop(_KEY, {})

        # Each is closed, whatever happens to another one.
        with ExitStack() as stack:
            for environment in environments.values():
                stack.callback(environment.close, commit=exc is None)

    def _try_mkdir(self, app: Flask) -> None:
        try:
            with app.app_context():
                self.mkdir()
        except OSError as error:
            settings = read_settings(app.config, app.root_path)

            # The template that comes with the extension serves as well.
            if missing := folders.missing_folders(settings):
                warnings.warn(
                    f"The migrations folder can't be made: {missing[0]}:"
                    f" {error.strerror}. Make it where the app is developed, by 'flask"
                    " db mkdir', and ship it with the app.",
                    stacklevel=3,
                )

    def _add_commands(self, app: Flask) -> None:
        from .cli.group import DatabaseGroup

        app.cli.add_command(DatabaseGroup(self.command_name))

    def _second_extension(self, app: Flask) -> Exception:
        from .errors import ConfigurationError

        return ConfigurationError(
            f"The app '{app.name}' has an Alembic extension already, which reads the"
            " same keys, ALEMBIC and ALEMBIC_CONTEXT.",
            hint="Keep one: it migrates several databases, Alembic(metadatas={...}).",
            key="ALEMBIC",
            value=app.config.get("ALEMBIC"),
        )

    def _compares_nothing(self) -> Exception:
        from .errors import ConfigurationError

        return ConfigurationError(
            "A revision that is written without connecting (sql) drops no tables"
            " (allow_drops): it compares nothing.",
            hint="Leave one of them out.",
            key="sql",
            value=True,
        )

    def _no_app(self, app: Flask | None) -> Exception:
        from .errors import AppContextError

        if app is None:
            return AppContextError(
                "Alembic needs an app context, and there is none.",
                hint="Outside of a view, push one: with app.app_context(): ...",
            )

        return AppContextError(
            f"The app '{app.name}' does not know this Alembic extension.",
            hint="Did you forget to call alembic.init_app(app)?",
        )


_T = t.TypeVar("_T")


def _default(items: dict[str, _T]) -> _T:
    return items[default_name(items)]
