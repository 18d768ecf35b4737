"""The functions that an app registers to prepare the environment. They are kept as long
as the extension, like the arguments of its constructor.
"""

from __future__ import annotations

import inspect
import typing as t

if t.TYPE_CHECKING:
    import sqlalchemy as sa
    from alembic.config import Config

    from .databases import Database

    Options = dict[str, dict[str, t.Any]]
    ConfigureConfig = t.Callable[[Config], Config | None]
    ConfigureOptions = t.Callable[[Config, Options], object]
    PrepareConnection = t.Callable[[sa.Connection, Database], object]


class Hooks:
    """The functions, in the order in which they were registered."""

    def __init__(self) -> None:
        self._config: list[ConfigureConfig] = []
        self._options: list[ConfigureOptions] = []
        self._connections: list[PrepareConnection] = []

    def add_configure(self, function: t.Callable[..., t.Any]) -> None:
        """Register a function of the config, or of the config and the options.

        :param function: The function. The number of its parameters tells which it is.
        """
        if _takes_two(function):
            self._options.append(function)
        else:
            self._config.append(function)

    def add_connection(self, function: PrepareConnection) -> None:
        """Register a function that prepares each connection.

        :param function: The function.
        """
        self._connections.append(function)

    @property
    def is_empty(self) -> bool:
        """Whether there are none."""
        return not (self._config or self._options or self._connections)

    @property
    def prepare_connections(self) -> bool:
        """Whether connections are prepared, so that the app is not to get them."""
        return bool(self._connections)

    @property
    def follow_arguments(self) -> bool:
        """Whether what was made may be different for other arguments of a caller."""
        return bool(self._connections or self._options)

    def configure_config(self, config: Config) -> Config:
        """Let the functions change the config.

        :param config: Alembic's config.
        :return: The same, or what a function returned instead.
        """
        for function in self._config:
            config = function(config) or config

        return config

    def configure_options(self, config: Config, options: Options) -> None:
        """Let the functions change the options, in place.

        :param config: Alembic's config.
        :param options: For each database the arguments of
            :meth:`EnvironmentContext.configure`.
        """
        for function in self._options:
            function(config, options)

    def prepare(self, connection: sa.Connection, database: Database) -> None:
        """Let the functions prepare a new connection.

        :param connection: The connection.
        :param database: Its database.
        """
        for function in self._connections:
            function(connection, database)


def _takes_two(function: t.Callable[..., t.Any]) -> bool:
    try:
        inspect.signature(function).bind(object(), object())
    except TypeError:
        return False

    return True
