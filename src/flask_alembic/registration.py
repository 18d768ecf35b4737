"""What happens when an app starts, in each of its workers: the defaults are filled in,
and it is seen whether the folder is there. Nothing else is loaded for that.
"""

from __future__ import annotations

import os
import typing as t
from collections.abc import Mapping

DEFAULT: t.Final = "default"
"""What the only database is called, or the one that is meant where none is named."""

TEMPLATE_NAME: t.Final = "script.py.mako"
ALEMBIC_DEFAULTS: t.Final[t.Mapping[str, t.Any]] = {
    "script_location": "migrations",
    "version_locations": [],
    "path_separator": "os",
}
CONTEXT_DEFAULTS: t.Final[t.Mapping[str, t.Any]] = {"compare_server_default": True}


def fill_defaults(config: t.MutableMapping[str, t.Any]) -> None:
    """Put dicts with the defaults filled in where the user's were.

    The user's own dicts are not touched: they may be shared by several apps.

    :param config: ``app.config``.
    :raises ConfigurationError: If one of the two keys is no dict.
    """
    for key, defaults in (
        ("ALEMBIC", ALEMBIC_DEFAULTS),
        ("ALEMBIC_CONTEXT", CONTEXT_DEFAULTS),
    ):
        given = given_options(config, key)
        # With a file the defaults would win over what stands in it.
        copies = {
            k: v.copy() if isinstance(v, list) else v
            for k, v in defaults.items()
            if given.get("config_file") is None
        }
        config[key] = {**copies, **given}


def is_made(config: t.Mapping[str, t.Any], root: str) -> bool:
    """Whether the migrations folder was made, as far as one look can tell: the template
    is the last that is made.

    :param config: ``app.config``.
    :param root: The app's root path.
    :return: ``False`` also where it takes more to find out where the folder is.
    """
    options = given_options(config, "ALEMBIC")
    location = options.get("script_location")

    if not isinstance(location, (str, os.PathLike)) or ":" in os.fspath(location):
        return False

    return os.path.exists(os.path.join(root, location, TEMPLATE_NAME))


def as_mapping(value: t.Any) -> t.Mapping[t.Any, t.Any]:
    """Bring an argument to a mapping, without looking at what is in it.

    :param value: A mapping, something else, or ``None``.
    :return: The mapping itself; something else under the name ``default``.
    """
    if value is None:
        return {}

    return value if isinstance(value, Mapping) else {DEFAULT: value}


def given_options(config: t.Mapping[str, t.Any], key: str) -> t.Mapping[str, t.Any]:
    """The options that stand under one key.

    :param config: ``app.config``.
    :param key: ``ALEMBIC`` or ``ALEMBIC_CONTEXT``.
    :return: The options.
    :raises ConfigurationError: If it is no dict.
    """
    value = config.get(key)

    if value is None:
        return {}

    if not isinstance(value, t.Mapping):
        from .errors import ConfigurationError

        raise ConfigurationError(
            f"app.config[{key!r}] = {value!r} must be a dict.", key=key, value=value
        )

    return value
