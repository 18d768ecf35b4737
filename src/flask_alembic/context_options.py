"""``ALEMBIC_CONTEXT`` becomes the options of one database's migration context."""

from __future__ import annotations

import inspect
import typing as t
import warnings
from collections.abc import Mapping
from functools import partial

from .databases import DEFAULT
from .databases import identifier
from .option_values import nearest

if t.TYPE_CHECKING:
    from alembic.config import Config

    from .databases import Database
    from .hooks import Hooks

# What the extension sets itself, and where the user sets it instead.
_OURS: t.Final = {
    "connection": "engines=",
    "url": "engines=",
    "dialect_name": "engines=",
    "target_metadata": "metadatas=",
    "script": "ALEMBIC['script_location']",
    "as_sql": "--sql, or Alembic.sql(),",
    "dialect": "engines=",
    "output_buffer": "--output",
    "output_encoding": "UTF-8, in which all scripts are,",
    "starting_rev": "a range such as a:b",
    "fn": "Alembic.run_migrations()",
}

# Documented, and taken by configure() as **kw.
_EXTRA: t.Final = frozenset(
    {"version_table", "version_table_pk", "version_table_schema", "dont_mutate"}
)

_BOOL: t.Final = "a bool"
_BOOL_OR_CALLABLE: t.Final = "a bool or a function"
_STR: t.Final = "a str"
_DICT: t.Final = "a dict"
_CALLABLE: t.Final = "a function"
_CALLABLES: t.Final = "a function, or a list of them"
_KINDS: t.Final[dict[str | None, type]] = {_DICT: Mapping, _STR: str, _BOOL: bool}
_TYPES: t.Final = {
    "compare_server_default": _BOOL_OR_CALLABLE,
    "compare_type": _BOOL_OR_CALLABLE,
    "include_name": _CALLABLE,
    "include_object": _CALLABLE,
    "include_schemas": _BOOL,
    "on_version_apply": _CALLABLES,
    "process_revision_directives": _CALLABLES,
    "render_as_batch": _BOOL,
    "render_item": _CALLABLE,
    "template_args": _DICT,
    "transaction_per_migration": _BOOL,
    "transactional_ddl": _BOOL,
    "version_table": _STR,
    "version_table_pk": _BOOL,
    "version_table_schema": _STR,
}


Options = dict[str, dict[str, t.Any]]

# Where the options of single databases stand.
_DATABASES: t.Final = "databases"

# What a function of the user's may change, who can't set it.
_CHANGEABLE: t.Final = frozenset(
    {"target_metadata", "upgrade_token", "downgrade_token"}
)


class OptionsOfDatabases:
    """The options of all databases, found when they are first asked for.

    :param given: ``app.config["ALEMBIC_CONTEXT"]``.
    :param hooks: The functions that the app registered.
    """

    def __init__(self, given: t.Mapping[str, t.Any], hooks: Hooks) -> None:
        self._given = given
        self._hooks = hooks
        self._found: Options = {}

    def find(
        self,
        databases: t.Mapping[str, Database],
        config: Config | None = None,
        dialect: str | None = None,
    ) -> Options:
        """The options.

        :param databases: Name to database.
        :param config: Alembic's config, for the functions that the app registered; not
            needed where there are none.
        :param dialect: The kind of all databases, instead of the engines'.
        :return: Name to options.
        :raises ConfigurationError: As :func:`all_options` does.
        """
        if not self._found:
            configure = partial(self._hooks.configure_options, t.cast(t.Any, config))
            self._found = all_options(self._given, databases, configure, dialect)

        return self._found


def all_options(
    given: t.Mapping[str, t.Any],
    databases: t.Mapping[str, Database],
    configure: t.Callable[[Options], None],
    dialect: str | None = None,
) -> Options:
    """The options of all databases.

    :param given: ``app.config["ALEMBIC_CONTEXT"]``. Its item ``databases`` has options
        of single databases, which go on top.
    :param databases: Name to database.
    :param configure: May change the result in place.
    :param dialect: The kind of all databases, instead of the engines'.
    :return: Name to arguments of :meth:`EnvironmentContext.configure`.
    :raises ConfigurationError: For a misspelling, a wrong type, or an option that the
        extension sets itself.
    """
    single = _single_options(given, databases)
    everywhere = {k: v for k, v in given.items() if k != _DATABASES}

    for options in (everywhere, *single.values()):
        _check(options)

    result = {
        name: _options(
            {**everywhere, **single.get(name, {})},
            database,
            len(databases) > 1,
            dialect or database.engine.dialect.name,
        )
        for name, database in databases.items()
    }
    configure(result)

    for found in result.values():
        _check({k: v for k, v in found.items() if k not in _CHANGEABLE})
        _join_directives(found)

    return result


def _check(options: t.Mapping[str, t.Any]) -> None:
    for key, value in options.items():
        _check_key(key, value)
        _check_type(key, value)


def _single_options(
    given: t.Mapping[str, t.Any], databases: t.Mapping[str, Database]
) -> dict[str, t.Mapping[str, t.Any]]:
    value = given.get(_DATABASES) or {}

    # Not those of typing, which take long to tell: a health check comes by here.
    if not isinstance(value, Mapping) or not all(
        isinstance(options, Mapping) for options in value.values()
    ):
        raise _wrong(
            f"ALEMBIC_CONTEXT['{_DATABASES}'] = {value!r} must be a dict of name to"
            " dict.",
            key=_DATABASES,
            value=value,
        )

    # Flask-SQLAlchemy calls the default database None.
    found = {DEFAULT if name is None else name: item for name, item in value.items()}

    for name in found.keys() - databases.keys():
        names = ", ".join(databases)
        raise _wrong(
            f"ALEMBIC_CONTEXT['{_DATABASES}'] has options for '{name}', which is not a"
            " database.",
            hint=f"There are: {names}.",
            key=_DATABASES,
            value=name,
        )

    return found


def _options(
    given: t.Mapping[str, t.Any], database: Database, several: bool, dialect: str
) -> dict[str, t.Any]:
    result = {**given, "target_metadata": database.metadata}
    # Alembic's default is one transaction for all revisions of a run.
    result.setdefault("transaction_per_migration", True)

    if several:
        name = identifier(database.name)
        result["upgrade_token"] = f"{name}_upgrades"
        result["downgrade_token"] = f"{name}_downgrades"

    if dialect == "sqlite":
        # It can't alter tables, and its DDL is transactional with an explicit BEGIN.
        result.setdefault("render_as_batch", True)
        result.setdefault("transactional_ddl", True)

    return result


def _join_directives(options: dict[str, t.Any]) -> None:
    """Alembic takes one function where we take a list."""
    functions = options.get("process_revision_directives")

    if isinstance(functions, (list, tuple)):

        def each(context: t.Any, revision: t.Any, directives: t.Any) -> None:
            for function in functions:
                function(context, revision, directives)

        options["process_revision_directives"] = each


def _check_key(key: str, value: object) -> None:
    if key in _OURS:
        raise _wrong(
            f"ALEMBIC_CONTEXT[{key!r}] = {value!r} is set by the extension.",
            hint=f"Use {_OURS[key]} instead.",
            key=key,
            value=value,
        )

    if not isinstance(key, str):
        raise _wrong(
            f"ALEMBIC_CONTEXT[{key!r}] = {value!r} is no option: a key must be a str.",
            key=repr(key),
            value=value,
        )

    if key in _TYPES or key in _EXTRA or key in _CHANGEABLE:
        return

    # Not at the top: what looks at a database need not load Alembic.
    from alembic.runtime.environment import EnvironmentContext

    parameters = inspect.signature(EnvironmentContext.configure).parameters
    known = {*parameters, *_EXTRA} - {"self", "kw"}

    if key in known:
        return

    if meant := nearest(key, known):
        raise _wrong(
            f"ALEMBIC_CONTEXT[{key!r}] = {value!r} is not an option:"
            f" did you mean '{meant}'?",
            key=key,
            value=value,
        )

    warnings.warn(
        f"ALEMBIC_CONTEXT[{key!r}] is not an option of Alembic. It is passed on, for a"
        " plugin to read.",
        stacklevel=2,
    )


def _check_type(key: str, value: object) -> None:
    wanted = _TYPES.get(key)

    if value is not None and not _fits(value, wanted):
        raise _wrong(
            f"ALEMBIC_CONTEXT[{key!r}] = {value!r} must be {wanted}.",
            key=key,
            value=value,
        )


def _wrong(message: str, **details: t.Any) -> Exception:
    from .errors import ConfigurationError

    return ConfigurationError(message, **details)


def _fits(value: object, wanted: str | None) -> bool:
    if wanted in (_BOOL, _BOOL_OR_CALLABLE) and isinstance(value, bool):
        return True

    if wanted in (_CALLABLE, _BOOL_OR_CALLABLE):
        return callable(value)

    if wanted == _CALLABLES:
        items = value if isinstance(value, (list, tuple)) else [value]
        return all(callable(item) for item in items)

    return isinstance(value, _KINDS.get(wanted, object))
