"""Flask's config becomes frozen settings. Alembic is not loaded for that."""

from __future__ import annotations

import codecs
import difflib
import os
import typing as t
from dataclasses import dataclass
from dataclasses import field
from importlib.util import find_spec
from pathlib import Path
from zoneinfo import available_timezones

ALEMBIC_DEFAULTS: t.Final[t.Mapping[str, t.Any]] = {
    "script_location": "migrations",
    "version_locations": [],
    "path_separator": "os",
}
CONTEXT_DEFAULTS: t.Final[t.Mapping[str, t.Any]] = {"compare_server_default": True}

# Alembic has no list of its main options to ask for. Those that it documents are
# here, only to recognize a misspelling of one.
KNOWN_OPTIONS: t.Final = frozenset(
    {
        *ALEMBIC_DEFAULTS,
        "file_template",
        "output_encoding",
        "post_write_hooks",
        "prepend_sys_path",
        "recursive_version_locations",
        "revision_environment",
        "sourceless",
        "timezone",
        "truncate_slug_length",
        "version_path_separator",
    }
)


_BOOLEANS: t.Final = frozenset(
    {"recursive_version_locations", "revision_environment", "sourceless"}
)
_SECTIONS: t.Final = frozenset({"post_write_hooks"})
_TEMPLATE_FIELDS: t.Final = {
    **dict.fromkeys(("rev", "slug"), "x"),
    **dict.fromkeys(("epoch", "year", "month", "day", "hour", "minute", "second"), 1),
}


@dataclass(frozen=True)
class VersionLocation:
    """A folder with revision files, and the independent branch it is for."""

    path: Path
    branch: str | None = None


@dataclass(frozen=True)
class Settings:
    """What ``ALEMBIC`` and ``ALEMBIC_CONTEXT`` say, checked, with absolute paths."""

    script_location: Path
    version_locations: tuple[VersionLocation, ...] = ()
    main_options: t.Mapping[str, str] = field(default_factory=dict)
    sections: t.Mapping[str, t.Mapping[str, str]] = field(default_factory=dict)
    context: t.Mapping[str, t.Any] = field(default_factory=dict)
    root: Path = Path()

    @property
    def folders(self) -> tuple[Path, ...]:
        """All folders that revisions are read from, the script location first."""
        others = (location.path for location in self.version_locations)
        return tuple(dict.fromkeys((self.script_location, *others)))

    def branch_folder(self, branch: str) -> Path | None:
        """The folder that new revisions of a branch go to.

        :param branch: Label of the branch.
        :return: Its folder, or ``None`` if the config names none.
        """
        for location in self.version_locations:
            if location.branch == branch:
                return location.path
        return None

    def resolve(self, location: str | os.PathLike[str], key: str = "path") -> Path:
        """Make a location of the user's absolute.

        :param location: A path, relative to the app's root, or ``package:folder``.
        :param key: What to call the location in an error.
        :return: The absolute path.
        """
        return resolve_location(location, self.root, key)


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
        given = _mapping(config, key)
        copies = {
            k: v.copy() if isinstance(v, list) else v for k, v in defaults.items()
        }
        config[key] = {**copies, **given}


def read_settings(
    config: t.Mapping[str, t.Any], root: str | os.PathLike[str]
) -> Settings:
    """Check the config and make settings of it.

    :param config: ``app.config``.
    :param root: The app's root path; relative locations start there.
    :return: The settings.
    :raises ConfigurationError: Naming the key, its value and what it should be.
    """
    options = {**ALEMBIC_DEFAULTS, **_mapping(config, "ALEMBIC")}
    root = Path(root).absolute()
    script_location = options.pop("script_location")
    version_locations = options.pop("version_locations")
    return Settings(
        script_location=_location(script_location, root, "script_location"),
        version_locations=_version_locations(version_locations, root),
        main_options=_main_options(options),
        sections=_sections(options),
        context={**CONTEXT_DEFAULTS, **_mapping(config, "ALEMBIC_CONTEXT")},
        root=root,
    )


def nearest(key: str, known: t.Iterable[str]) -> str | None:
    """The known key that a key is a misspelling of.

    :param key: A key as the user wrote it.
    :param known: The right keys.
    :return: The nearest right key, or ``None`` where none is near.
    """
    matches = difflib.get_close_matches(key, list(known), n=1, cutoff=0.85)
    return matches[0] if matches else None


def resolve_location(location: str | os.PathLike[str], root: Path, key: str) -> Path:
    """Make a location absolute.

    :param location: A path, or ``package:folder`` for a folder in a package.
    :param root: Where a relative path starts.
    :param key: The config key, to name in an error.
    :return: The absolute path. It need not exist.
    :raises ConfigurationError: If the package isn't found.
    """
    text = os.fspath(location)

    if os.path.isabs(text) or ":" not in text:
        return root / text

    package, *parts = text.split(":")

    try:
        spec = find_spec(package)
    except (ImportError, ValueError):
        spec = None

    if spec is None or not spec.submodule_search_locations:
        raise _error(key, location, f"names a package that isn't found: '{package}'")

    return Path(spec.submodule_search_locations[0], *parts).absolute()


def _mapping(config: t.Mapping[str, t.Any], key: str) -> t.Mapping[str, t.Any]:
    value = config.get(key)

    if value is None:
        return {}

    if not isinstance(value, t.Mapping):
        raise _error(key, value, "must be a dict", section=None)

    return value


def _location(value: object, root: Path, key: str) -> Path:
    if not isinstance(value, (str, os.PathLike)) or not os.fspath(value):
        raise _error(key, value, "must be a path, as a str or a Path")

    return resolve_location(value, root, key)


def _version_locations(value: object, root: Path) -> tuple[VersionLocation, ...]:
    key = "version_locations"

    if isinstance(value, (str, os.PathLike)):
        value = [value]  # iterating a str would give a folder a letter

    if not isinstance(value, (list, tuple)):
        raise _error(key, value, "must be a list of paths or (branch, path) pairs")

    return tuple(_version_location(item, root, key) for item in value)


def _version_location(item: object, root: Path, key: str) -> VersionLocation:
    if not isinstance(item, (tuple, list)):
        return VersionLocation(_location(item, root, key))

    if len(item) != 2 or not isinstance(item[0], str):
        raise _error(key, item, "must hold paths or (branch, path) pairs")

    return VersionLocation(_location(item[1], root, key), item[0])


def _main_options(options: t.Mapping[str, t.Any]) -> dict[str, str]:
    separator = _separator(options["path_separator"])
    result = {
        key: _option(key, value, separator)
        for key, value in options.items()
        if value is not None and not isinstance(value, t.Mapping)
    }

    if "file_template" in result:
        # In an ini file the percent signs are doubled. Both ways are meant the same.
        result["file_template"] = result["file_template"].replace("%%(", "%(")
        _check_file_template(result["file_template"])

    _check_known_names(result)

    return result


def _sections(options: t.Mapping[str, t.Any]) -> dict[str, dict[str, str]]:
    separator = _separator(options["path_separator"])

    for key, value in options.items():
        _check_key(key, value)

    return {
        key: {name: _option(f"{key}.{name}", v, separator) for name, v in value.items()}
        for key, value in options.items()
        if isinstance(value, t.Mapping)
    }


def _separator(value: object) -> str:
    separators = {"os": os.pathsep, "space": " ", "newline": "\n", ":": ":", ";": ";"}

    if not isinstance(value, str) or value not in separators:
        choices = ", ".join(repr(name) for name in separators)
        raise _error("path_separator", value, f"must be one of {choices}")

    return separators[value]


def _option(key: str, value: object, separator: str) -> str:
    if isinstance(value, bool):
        return str(value).lower()

    if key in _BOOLEANS and str(value).lower() not in {"true", "false"}:
        raise _error(key, value, "must be true or false")

    if key in _BOOLEANS:
        return str(value).lower()

    if isinstance(value, (str, int, float)):
        return str(value)

    if isinstance(value, os.PathLike):
        return str(os.fspath(value))

    if isinstance(value, (list, tuple)):
        return separator.join(_option(key, item, separator) for item in value)

    raise _error(key, value, "must be a str, number, bool, Path, list of them or dict")


def _check_key(key: object, value: object) -> None:
    if not isinstance(key, str):
        raise _error(key, value, "is no option: a key must be a str")

    if key in _SECTIONS and not isinstance(value, t.Mapping) and value is not None:
        raise _error(key, value, "must be a dict")

    if key in KNOWN_OPTIONS or "." in key:
        return

    if meant := nearest(key, KNOWN_OPTIONS):
        raise _error(key, value, f"is not an option: did you mean '{meant}'?")


def _check_file_template(value: str) -> None:
    key = "file_template"
    names = ", ".join(f"%({name})s" for name in _TEMPLATE_FIELDS)
    hint = f"It may hold {names}."

    try:
        value % _TEMPLATE_FIELDS
    except KeyError as error:
        problem = f"can't be used: there is no {error}"
        raise _error(key, value, problem, hint=hint) from error
    except (TypeError, ValueError) as error:
        raise _error(key, value, f"can't be used: {error}", hint=hint) from error


def _check_known_names(options: t.Mapping[str, str]) -> None:
    """Check the options whose values are names that Python knows or not."""
    if encoding := options.get("output_encoding"):
        try:
            codecs.lookup(encoding)
        except LookupError as error:
            raise _error("output_encoding", encoding, "is not an encoding") from error

    if zone := options.get("timezone"):
        # Alembic tries upper case too.
        if not {zone, zone.upper()} & available_timezones():
            raise _error("timezone", zone, "is not a time zone")


def _error(
    key: object,
    value: object,
    problem: str,
    *,
    section: str | None = "ALEMBIC",
    hint: str | None = None,
) -> Exception:
    # The errors are Alembic's errors too, and loading Alembic is what a web worker
    # that never migrates is spared.
    from .errors import ConfigurationError

    name = f"{section}[{key!r}]" if section else f"app.config[{key!r}]"
    end = "" if problem.endswith("?") else "."
    return ConfigurationError(
        f"{name} = {value!r} {problem}{end}", hint=hint, key=str(key), value=value
    )
