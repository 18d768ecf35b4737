"""``ALEMBIC_CONTEXT`` becomes the options of one database's migration context."""

from __future__ import annotations

import inspect
import typing as t
import warnings

from alembic.runtime.environment import EnvironmentContext

from .databases import identifier
from .errors import ConfigurationError
from .option_values import nearest

if t.TYPE_CHECKING:
    from .databases import Database

# What the extension sets itself, and where the user sets it instead.
_OURS: t.Final = {
    "connection": "engines=",
    "url": "engines=",
    "dialect_name": "engines=",
    "target_metadata": "metadatas=",
    "script": "ALEMBIC['script_location']",
    "as_sql": "no option",
    "fn": "Alembic.run_migrations()",
}

# Documented, and taken by configure() as **kw.
_EXTRA: t.Final = frozenset(
    {"version_table", "version_table_pk", "version_table_schema", "dont_mutate"}
)

_BOOL: t.Final = "a bool"
_BOOL_OR_CALLABLE: t.Final = "a bool or a function"
_STR: t.Final = "a str"
_CALLABLE: t.Final = "a function"
_CALLABLES: t.Final = "a function, or a list of them"
_TYPES: t.Final = {
    "compare_server_default": _BOOL_OR_CALLABLE,
    "compare_type": _BOOL_OR_CALLABLE,
    "include_name": _CALLABLE,
    "include_object": _CALLABLE,
    "include_schemas": _BOOL,
    "on_version_apply": _CALLABLES,
    "process_revision_directives": _CALLABLE,
    "render_as_batch": _BOOL,
    "render_item": _CALLABLE,
    "transaction_per_migration": _BOOL,
    "transactional_ddl": _BOOL,
    "version_table": _STR,
    "version_table_pk": _BOOL,
    "version_table_schema": _STR,
}


def check_context(options: t.Mapping[str, t.Any]) -> None:
    """Check that Alembic knows the options and can use their values.

    :param options: ``app.config["ALEMBIC_CONTEXT"]``.
    :raises ConfigurationError: For a misspelling, a wrong type, or an option that the
        extension sets itself.
    """
    for key, value in options.items():
        _check_key(key, value)
        _check_type(key, value)


def context_options(
    options: t.Mapping[str, t.Any], database: Database, *, several: bool
) -> dict[str, t.Any]:
    """The options of one database.

    :param options: ``app.config["ALEMBIC_CONTEXT"]``, checked.
    :param database: The database.
    :param several: Whether it is one of several.
    :return: Arguments of :meth:`EnvironmentContext.configure`.
    """
    result = {**options, "target_metadata": database.metadata}

    if several:
        name = identifier(database.name)
        result["upgrade_token"] = f"{name}_upgrades"
        result["downgrade_token"] = f"{name}_downgrades"

    if database.engine.dialect.name == "sqlite":
        # It can't alter tables, and its DDL is transactional with an explicit BEGIN.
        result.setdefault("render_as_batch", True)
        result.setdefault("transactional_ddl", True)

    return result


def _check_key(key: str, value: object) -> None:
    if key in _OURS:
        raise ConfigurationError(
            f"ALEMBIC_CONTEXT[{key!r}] = {value!r} is set by the extension.",
            hint=f"Use {_OURS[key]} instead.",
            key=key,
            value=value,
        )

    if not isinstance(key, str):
        raise ConfigurationError(
            f"ALEMBIC_CONTEXT[{key!r}] = {value!r} is no option: a key must be a str.",
            key=repr(key),
            value=value,
        )

    parameters = inspect.signature(EnvironmentContext.configure).parameters
    known = {*parameters, *_EXTRA} - {"self", "kw"}

    if key in known:
        return

    if meant := nearest(key, known):
        raise ConfigurationError(
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
    checks = {
        None: True,
        _BOOL: isinstance(value, bool),
        _BOOL_OR_CALLABLE: isinstance(value, bool) or callable(value),
        _CALLABLE: callable(value),
        _CALLABLES: all(
            callable(item)
            for item in (value if isinstance(value, (list, tuple)) else [value])
        ),
        _STR: isinstance(value, str),
    }

    if value is not None and not checks[wanted]:
        raise ConfigurationError(
            f"ALEMBIC_CONTEXT[{key!r}] = {value!r} must be {wanted}.",
            key=key,
            value=value,
        )
