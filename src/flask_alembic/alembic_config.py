"""Settings become Alembic's config, and what the revisions are read by."""

from __future__ import annotations

import os
import re
import typing as t

from alembic.config import Config
from alembic.util import asbool

from .errors import ConfigurationError
from .revisions.listing import Places

if t.TYPE_CHECKING:
    from .settings import Settings

_LOCATIONS: t.Final = "flask_alembic.version_locations"


def make_config(settings: Settings, databases: t.Iterable[str] = ()) -> Config:
    """Make Alembic's config of the settings.

    :param settings: Where things are, and the options.
    :param databases: Identifiers of the databases, if there are several. The multidb
        template asks for them.
    :return: A new config.
    """
    config = Config()
    folders = [str(folder) for folder in settings.folders]
    options = {
        **settings.main_options,
        "script_location": str(settings.script_location),
        "version_locations": os.pathsep.join(folders),
    }

    if names := ", ".join(databases):
        options["databases"] = names

    if settings.template_folder is not None:
        options["template_folder"] = str(settings.template_folder)

    for key, value in options.items():
        config.set_main_option(key, _escape(value))

    for section, items in settings.sections.items():
        for key, value in items.items():
            config.set_section_option(section, key, _escape(value))

    # A path may hold the separator, so the list goes beside the joined string.
    config.attributes[_LOCATIONS] = (options["version_locations"], folders)
    return config


def places_of(config: Config) -> Places:
    """Where the revision files are.

    :param config: Alembic's config.
    :return: The places.
    """
    return Places(
        config.get_main_option("script_location") or "",
        tuple(version_locations(config)),
        is_recursive=flag(config, "recursive_version_locations"),
        is_sourceless=flag(config, "sourceless"),
        sys_path=tuple(config.get_prepend_sys_paths_list() or ()),
    )


def fingerprint(config: Config) -> object:
    """What changes when a script directory has to be made anew.

    :param config: Alembic's config.
    :return: Something to compare by ``==``.
    """
    parser = config.file_config
    return {name: dict(parser.items(name, raw=True)) for name in parser.sections()}


def flag(config: Config, name: str) -> bool:
    """An option that is on or off.

    :param config: Alembic's config.
    :param name: The option.
    :return: Whether it is on.
    """
    return bool(asbool(config.get_main_option(name, "false")))


def database_names(config: Config) -> list[str]:
    """The identifiers of the databases, where there are several.

    :param config: Alembic's config.
    :return: The names, or none for one database.
    """
    return re.findall(r"[^,\s]+", config.get_main_option("databases", ""))


def truncation(config: Config) -> int | None:
    """How long the message may be in a file's name.

    :param config: Alembic's config.
    :return: Number of characters, or ``None`` for Alembic's default.
    :raises ConfigurationError: If it is no number.
    """
    value = config.get_main_option("truncate_slug_length")

    if value is not None and not re.fullmatch(r"\d+", value):
        raise ConfigurationError(
            f"ALEMBIC['truncate_slug_length'] = {value!r} must be a number.",
            key="truncate_slug_length",
            value=value,
        )

    return int(value) if value else None


def _escape(value: str) -> str:
    # ConfigParser interpolates percent signs. The user's mean themselves.
    return value.replace("%", "%%")


def version_locations(config: Config) -> list[str]:
    """The folders that revisions are read from.

    :param config: Alembic's config.
    :return: Their paths.
    """
    joined = config.get_main_option("version_locations")
    ours, folders = config.attributes.get(_LOCATIONS, (None, []))

    if joined == ours:
        return list(folders)

    # A subclass changed the option: read it as Alembic does.
    return list(config.get_version_locations_list() or ())
