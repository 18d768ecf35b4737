"""What ties the extension to apps and to app contexts: registering, the config and
Alembic's objects, preparing the environment, the folder. The verbs are elsewhere.
"""

from __future__ import annotations

import logging
import threading
import typing as t
import warnings
from contextlib import contextmanager
from contextlib import ExitStack
from weakref import WeakKeyDictionary

from flask import current_app
from flask import Flask
from flask import g
from flask import has_request_context

from .hooks import Hooks
from .registration import as_mapping
from .registration import fill_defaults
from .registration import is_made
from .state import AppState

if t.TYPE_CHECKING:
    from pathlib import Path

    import sqlalchemy as sa
    from alembic.config import Config
    from alembic.operations import Operations
    from alembic.runtime.environment import EnvironmentContext
    from alembic.runtime.migration import MigrationContext
    from sqlalchemy.ext.asyncio import AsyncEngine

    from .call_options import CallOptions
    from .call_options import Databases
    from .call_options import XArguments
    from .database_finder import DatabaseFinder
    from .databases import Database
    from .environment import Environment
    from .offline import OfflineEnvironment
    from .reports import InitReport
    from .reports import Template
    from .revisions.graph import RevisionGraph
    from .revisions.reading import Note
    from .scripts import RevisionIndex
    from .settings import Settings

    # Not "Collection": a dict is one, and its values would be taken for anything.
    OneOrMore = sa.MetaData | t.Sequence[sa.MetaData] | t.AbstractSet[sa.MetaData]
    # Keys are str, or None for the default database as in Flask-SQLAlchemy. Those of a
    # mapping are invariant, so that only Any takes a dict with either.
    MetadatasArgument = OneOrMore | t.Mapping[t.Any, OneOrMore]
    AnyEngine = sa.Engine | AsyncEngine
    EnginesArgument = AnyEngine | t.Mapping[t.Any, AnyEngine]

    Configure = t.TypeVar("Configure", bound=t.Callable[..., t.Any])
    Prepare = t.TypeVar("Prepare", bound=t.Callable[[sa.Connection, Database], t.Any])

_KEY: t.Final = "_flask_alembic"

_log = logging.getLogger("flask_alembic")


class AppBinding:
    """The part of :class:`.Alembic` that finds out what the current app has."""

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
        self._hooks = Hooks()
        self._states: WeakKeyDictionary[Flask, AppState] = WeakKeyDictionary()
        self._finder: DatabaseFinder | None = None
        self._others = [kind for kind in type(self).__mro__ if not _is_own(kind)]

        if self.metadatas or self.engines:
            _check_arguments(self.metadatas, self.engines)

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

        if self.run_mkdir and not is_made(app.config, app.root_path):
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
        return self._databases_of(self._environment())

    @property
    def config(self) -> Config:
        """Alembic's :class:`~alembic.config.Config` for the current app."""
        environment = self._environment()

        if environment.config is None:
            from .alembic_config import make_config
            from .databases import identifier
            from .databases import read_metadatas

            names = [identifier(name) for name in read_metadatas(self.metadatas)]
            config = make_config(environment.settings, names if len(names) > 1 else ())
            environment.config = self._hooks.configure_config(config)

        environment.made.pass_options(environment.config, environment.options)
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
    def revisions(self) -> RevisionGraph:
        """The revisions as their files tell, and how they hang together: what is asked
        most is told without loading Alembic, or running a file.

        :raises FlaskAlembicError: If a file can't be read, or the files don't form a
            history.

        .. versionadded:: 4.0
        """
        return self._revisions()

    @property
    def environment_context(self) -> EnvironmentContext:
        """Alembic's :class:`~alembic.runtime.environment.EnvironmentContext` for the
        default database.
        """
        from .databases import DEFAULT
        from .databases import default_name
        from .databases import read_metadatas

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
        wait: float | None = None,
        lock: bool | None = None,
        lock_timeout: float | None = None,
        yes: bool = False,
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
        :param wait: How long to try to connect to a database that is down, in seconds.
        :param lock: Whether a run keeps others off the database, instead of
            ``ALEMBIC["lock"]``.
        :param lock_timeout: How long to wait for another run, in seconds, instead of
            ``ALEMBIC["lock_timeout"]``.
        :param yes: Whether protected databases may be downgraded and purged.
        :raises ConfigurationError: If there is no such database.

        .. versionadded:: 4.0
        """
        environment = self._environment()
        protected = False if yes else None
        run = {"lock": lock, "lock_timeout": lock_timeout, "protected": protected}
        options = environment.options.also(
            databases=databases,
            x=x,
            tag=tag,
            wait=wait,
            run={key: value for key, value in run.items() if value is not None},
        )
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
        from .databases import read_connections

        connections = read_connections(connection, self.databases)

        with self._swapped(self._environment().like(connections=connections)):
            yield

    # The folder

    def mkdir(self) -> None:
        """Make the migrations folder, the version locations and the template, where
        they don't exist.

        :raises OSError: If one can't be made.
        """
        from . import folders

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
        from . import folders

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
        from .template_files import list_templates

        return list_templates(self.settings.template_folder)

    # Inside

    def _read_settings(self) -> Settings:
        return self._state().settings(current_app.config, current_app.root_path)

    def _revisions(self, note: Note | None = None) -> RevisionGraph:
        environment = self._environment()

        # A script directory may have got new ones.
        if environment.graph is None or environment.script is not None:
            environment.graph = self._read_graph(note=note)

        return environment.graph

    def _read_graph(
        self, *, age: float = 0.0, note: Note | None = None
    ) -> RevisionGraph:
        environment = self._environment()

        if environment.script is not None or not self._is_plain("script_directory"):
            from .revision_map import graph_of

            return graph_of(self.script_directory)

        if environment.config is not None or not self._is_plain("config"):
            from .alembic_config import places_of

            return self._state().graph(places_of(self.config), note=note)

        state, settings = self._state(), environment.settings
        recent = state.recent_graph(settings, age) if age else None
        return recent or state.graph(settings.places, settings, note)

    def _is_plain(self, *names: str) -> bool:
        """Whether what is found out by some attributes is so by this package alone: no
        subclass overrides them, and the app has registered no function.
        """
        if not self._hooks.is_empty:
            return False

        places = [vars(place) for place in (self, *self._others)]
        return all(place.keys().isdisjoint(names) for place in places)

    @contextmanager
    def _with_options(self, **options: t.Any) -> t.Iterator[None]:
        environment = self._environment()

        with environment.using(environment.options.also(**options)):
            yield

    def _plain_databases(
        self, *names: str
    ) -> list[tuple[Database, dict[str, t.Any]]] | None:
        """The databases that the caller asks for, each with what ``ALEMBIC_CONTEXT``
        says of it, if nothing else has a say, and no connection is at work on one.

        :param names: What no subclass overrides besides.
        """
        environment = self._environment()
        is_plain = self._is_plain(
            "config", "databases", "migration_contexts", "script_directory", *names
        )

        if not is_plain or environment.is_at_work:
            return None

        databases = self._databases_of(environment)
        options = environment.context_options.find(databases)
        selected = environment.options.select(databases)
        return [(databases[name], options[name]) for name in selected]

    def _databases_of(self, environment: Environment) -> dict[str, Database]:
        if environment.databases is None:
            if self._finder is None:
                from .database_finder import DatabaseFinder

                self._finder = DatabaseFinder()

            extension = current_app.extensions.get("sqlalchemy")
            found = self._finder.find(self.metadatas, self.engines, extension)
            environment.databases = found

        return environment.databases

    @contextmanager
    def _lent(self, **options: t.Any) -> t.Iterator[None]:
        environment = self._environment()

        with environment.using(environment.options.also(**options)):
            with environment.lent():
                yield

    @contextmanager
    def _beside(
        self,
        app: Flask,
        like: Environment,
        options: CallOptions,
        databases: dict[str, Database],
        *,
        keep_pooled: bool,
    ) -> t.Iterator[Environment]:
        """A new app context for this thread, with databases of its own."""
        from .environment import Environment

        with app.app_context():
            environment = Environment(
                like.settings, self._hooks, options=options, keep_pooled=keep_pooled
            )
            environment.databases = databases
            self._environments()[threading.get_ident()] = environment
            yield environment

    def _app(self) -> Flask:
        # Flask's proxy has to be unwrapped for another thread.
        app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
        return app

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
        try:
            app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
        except RuntimeError:
            raise self._no_app(None) from None

        if (state := self._states.get(app)) is None:
            raise self._no_app(app)

        return state

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
                self._read_settings(), self._hooks, keep_pooled=has_request_context()
            )

        return environments[thread]

    @contextmanager
    def _swapped(
        self, environment: Environment, *, connects: bool = True
    ) -> t.Iterator[None]:
        """Let another environment be the one of this context and thread for a while."""
        environments, thread = self._environments(), threading.get_ident()
        before, environments[thread] = environments[thread], environment

        if connects and before.has_connections:
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
                if environment.has_connections:
                    stack.callback(self._end, environment, commit=exc is None)

    def _end(self, environment: Environment, *, commit: bool) -> None:
        """Close an environment. A response that is made already, or a script that is
        done, is no place to raise for a database that is gone.
        """
        try:
            environment.close(commit=commit)
        except Exception as error:
            from .connections import is_gone

            if not is_gone(error):
                raise

            _log.error(
                "A database went away before the work of 'op' outside of a migration"
                " was committed. That work is lost."
            )

    def _try_mkdir(self, app: Flask) -> None:
        try:
            with app.app_context():
                self.mkdir()
        except OSError as error:
            from . import folders
            from .settings import read_settings

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


def _is_own(kind: type) -> bool:
    return kind is object or kind.__module__.startswith(f"{__package__}.")


_T = t.TypeVar("_T")


def _default(items: dict[str, _T]) -> _T:
    from .databases import default_name

    return items[default_name(items)]


def _check_arguments(metadatas: object, engines: object) -> None:
    from .databases import read_engines
    from .databases import read_metadatas

    read_metadatas(metadatas)
    read_engines(engines)
