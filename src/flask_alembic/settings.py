"""Flask's config becomes frozen settings. Alembic is not loaded for that."""

from __future__ import annotations

import os
import typing as t
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from .config_file import read_config_file
from .option_values import config_error
from .option_values import main_options
from .option_values import sections
from .option_values import SEPARATORS
from .registration import ALEMBIC_DEFAULTS
from .registration import CONTEXT_DEFAULTS
from .registration import given_options
from .revisions.listing import Places
from .run_settings import KEYS
from .run_settings import read_run_settings
from .run_settings import RunSettings

_LOCATIONS: t.Final = ("script_location", "version_locations")

# Where Alembic and Flask-Migrate put revisions, below the script location.
_VERSIONS: t.Final = "versions"


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
    template_folder: Path | None = None
    file_locations: bool = False
    run: RunSettings = field(default_factory=RunSettings)
    tenants: t.Any = ()
    """A list of tenants, or a function that returns one."""

    @property
    def folders(self) -> tuple[Path, ...]:
        """All folders that revisions are read from, the script location first."""
        found = [] if self.versions is None else [self.versions]
        others = (location.path for location in self.version_locations)
        return tuple(dict.fromkeys((self.script_location, *found, *others)))

    @property
    def versions(self) -> Path | None:
        """The folder ``versions`` that another tool made in the script location, if
        there is one and it is not among the version locations.
        """
        path = self.script_location / _VERSIONS
        known = {location.path for location in self.version_locations}
        return path if path not in known and path.is_dir() else None

    @property
    def main_folder(self) -> Path:
        """The folder of new revisions whose branch has none of its own."""
        if self.versions is not None:
            return self.versions

        if self.file_locations and self.version_locations:
            # Alembic, which goes on with that file, reads no other folders.
            return self.version_locations[0].path

        return self.script_location

    @property
    def places(self) -> Places:
        """Where the revision files are, as Alembic's config would say."""
        options = self.main_options
        separator = SEPARATORS[options.get("path_separator", "os")]
        return Places(
            str(self.script_location),
            tuple(str(folder) for folder in self.folders),
            is_recursive=options.get("recursive_version_locations") == "true",
            is_sourceless=options.get("sourceless") == "true",
            sys_path=tuple(
                path.strip()
                for path in options.get("prepend_sys_path", "").split(separator)
                if path
            ),
        )

    def branch_folder(self, branch: str) -> Path | None:
        """The folder that new revisions of a branch go to.

        :param branch: Label of the branch.
        :return: Its folder, or ``None`` if the config names none.
        """
        for location in self.version_locations:
            if location.branch == branch:
                return location.path
        return None

    def at(self, location: str | os.PathLike[str]) -> Settings:
        """These settings for another migrations folder.

        :param location: The folder, relative to the app's root.
        :return: New settings.
        """
        return replace(self, script_location=self.resolve(location, "directory"))

    def resolve(self, location: str | os.PathLike[str], key: str = "path") -> Path:
        """Make a location of the user's absolute.

        :param location: A path, relative to the app's root, or ``package:folder``.
        :param key: What to call the location in an error.
        :return: The absolute path.
        """
        return resolve_location(location, self.root, key)


def read_settings(
    config: t.Mapping[str, t.Any], root: str | os.PathLike[str]
) -> Settings:
    """Check the config and make settings of it.

    :param config: ``app.config``.
    :param root: The app's root path; relative locations start there.
    :return: The settings.
    :raises ConfigurationError: Naming the key, its value and what it should be.
    """
    root = Path(root).absolute()
    given = dict(given_options(config, "ALEMBIC"))
    in_file = _config_file(given.pop("config_file", None), root)
    options = {**ALEMBIC_DEFAULTS, **in_file, **given}
    script_location = options.pop("script_location")
    version_locations = options.pop("version_locations")
    template_folder = options.pop("template_folder", None)
    tenants = options.pop("tenants", None) or ()
    run = read_run_settings(options)
    options = {key: value for key, value in options.items() if key not in KEYS}
    return Settings(
        script_location=_location(script_location, root, "script_location"),
        version_locations=_version_locations(version_locations, root),
        main_options=main_options(options),
        sections=sections(options),
        context={**CONTEXT_DEFAULTS, **given_options(config, "ALEMBIC_CONTEXT")},
        root=root,
        template_folder=None
        if template_folder is None
        else _location(template_folder, root, "template_folder"),
        file_locations="version_locations" in in_file.keys() - given.keys(),
        run=run,
        tenants=tenants,
    )


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
        raise config_error(
            key, location, f"names a package that isn't found: '{package}'"
        )

    return Path(spec.submodule_search_locations[0], *parts).absolute()


def _location(value: object, root: Path, key: str) -> Path:
    if not isinstance(value, (str, os.PathLike)) or not os.fspath(value):
        raise config_error(key, value, "must be a path, as a str or a Path")

    return resolve_location(value, root, key)


def _config_file(value: object, root: Path) -> t.Mapping[str, t.Any]:
    if value is None:
        return {}

    path = _location(value, root, "config_file")
    found = read_config_file(path)
    others = {*_LOCATIONS, *KEYS}
    options = {key: v for key, v in found.items() if key not in others}

    try:
        main_options({**ALEMBIC_DEFAULTS, **options})
        sections({**ALEMBIC_DEFAULTS, **options})
        read_run_settings(found)
    except RuntimeError as error:
        problem: t.Any = error
        problem.hint = f"It stands in {path}. {problem.hint or ''}".rstrip()
        raise

    return found


def _version_locations(value: object, root: Path) -> tuple[VersionLocation, ...]:
    key = "version_locations"

    if isinstance(value, (str, os.PathLike)):
        value = [value]  # iterating a str would give a folder a letter

    if not isinstance(value, (list, tuple)):
        raise config_error(
            key, value, "must be a list of paths or (branch, path) pairs"
        )

    return tuple(_version_location(item, root, key) for item in value)


def _version_location(item: object, root: Path, key: str) -> VersionLocation:
    if not isinstance(item, (tuple, list)):
        return VersionLocation(_location(item, root, key))

    if len(item) != 2 or not isinstance(item[0], str):
        raise config_error(key, item, "must hold paths or (branch, path) pairs")

    return VersionLocation(_location(item[1], root, key), item[0])
