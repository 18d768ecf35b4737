"""Alembic's options in a file of another tool become those of ``ALEMBIC``: the section
``[alembic]`` of an ini file, or ``[tool.alembic]`` of a toml file.
"""

from __future__ import annotations

import os
import re
import typing as t
from pathlib import Path

from .option_values import SEPARATORS

Options = dict[str, t.Any]

_HOOKS: t.Final = "post_write_hooks"
_PATHS: t.Final = ("version_locations", "prepend_sys_path")

# The app has the engines, and knows how many databases there are.
_IGNORED: t.Final = re.compile(r"here|databases|sqlalchemy\..*")


def read_config_file(path: Path) -> Options:
    """Read the options.

    :param path: An ini file, or a toml file if it is called so.
    :return: They are called and typed as in ``ALEMBIC``. Paths are absolute: in the
        file they begin at its folder.
    :raises ConfigurationError: If the file or the section is missing, or can't be read.
    """
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise _error(path, f"{error.strerror}") from error
    except UnicodeDecodeError as error:
        raise _error(path, f"it is not UTF-8: {error.reason}") from error

    found = _toml(path, text) if path.suffix == ".toml" else _ini(path, text)
    options = {k: v for k, v in found.items() if not _IGNORED.fullmatch(k)}

    for key in _PATHS:
        if key in options:
            options[key] = _locations(path, key, options[key], options)

    if "script_location" in options:
        options["script_location"] = _absolute(path, options["script_location"])

    # It told how the lists were joined, and they are lists now.
    options.pop("path_separator", None)
    options.pop("version_path_separator", None)
    return options


def _ini(path: Path, text: str) -> Options:
    import configparser

    # What is filled in is read for percent signs too.
    parser = configparser.ConfigParser({"here": _here(path).replace("%", "%%")})

    try:
        parser.read_string(text)

        if not parser.has_section("alembic"):
            raise _error(path, "it has no section [alembic]")

        options: Options = dict(parser.items("alembic"))

        if parser.has_section(_HOOKS):
            hooks = dict(parser.items(_HOOKS))
            options[_HOOKS] = {k: v for k, v in hooks.items() if k != "here"}
    except configparser.ParsingError as error:
        lines = [line for line, _ in getattr(error, "errors", ())]
        lines = lines or [getattr(error, "lineno", 0)]
        raise _error(path, "it is no ini file", lines[0]) from error
    except configparser.InterpolationError as error:
        raise _error(
            path,
            f"'{error.option}' holds a '%' that can't be read",
            hint="Double it: '%%'.",
        ) from error
    except configparser.Error as error:
        reason = error.message.rpartition("]: ")[2]
        raise _error(path, reason, getattr(error, "lineno", None)) from error

    # An empty value stands for the default, as in "timezone =".
    return {key: value for key, value in options.items() if value != ""}


def _toml(path: Path, text: str) -> Options:
    import tomllib

    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        match = re.fullmatch(r"(.*) \(at line (\d+), column \d+\)", str(error))
        reason, line = (match[1], int(match[2])) if match else (str(error), None)
        raise _error(path, reason, line) from error

    tool = data.get("tool")
    options = tool.get("alembic") if isinstance(tool, dict) else None

    if not isinstance(options, dict):
        raise _error(path, "it has no section [tool.alembic]")

    result = {key: _formatted(path, key, value) for key, value in options.items()}

    if isinstance(hooks := result.get(_HOOKS), list):
        result[_HOOKS] = _hooks(path, hooks)

    return result


def _formatted(path: Path, key: str, value: t.Any) -> t.Any:
    if isinstance(value, list):
        return [_formatted(path, key, item) for item in value]

    if isinstance(value, dict):
        return {name: _formatted(path, key, item) for name, item in value.items()}

    if not isinstance(value, str):
        return value

    try:
        return value % {"here": _here(path)}
    except (KeyError, TypeError, ValueError) as error:
        raise _error(
            path, f"'{key}' holds a '%' that can't be read", hint="Double it: '%%'."
        ) from error


def _hooks(path: Path, hooks: list[t.Any]) -> Options:
    """The tables of hooks, as the one section that they are in an ini file."""
    section: Options = {}
    names: list[str] = []

    for hook in hooks:
        if not isinstance(hook, dict) or not isinstance(hook.get("name"), str):
            raise _error(path, f"an item of '{_HOOKS}' has no name")

        # Two hooks may bear one name here.
        base = re.sub(r"[\s,]", "_", hook["name"])
        name = f"{base}_{len(names) + 1}" if base in names else base
        names.append(name)
        section |= {f"{name}.{k}": v for k, v in hook.items() if k != "name"}

    return {"hooks": ", ".join(names), **section}


def _locations(path: Path, key: str, value: t.Any, options: Options) -> list[str]:
    if not isinstance(value, list):
        value = _split(path, key, str(value), options)

    return [_absolute(path, item) for item in value]


def _split(path: Path, key: str, value: str, options: Options) -> list[str]:
    names = ["path_separator"]

    if key == "version_locations":
        names.append("version_path_separator")

    name = next((options[name] for name in names if name in options), None)

    if name is None:
        # Files from before there was a separator.
        legacy = r"[,\s]+" if key == "version_locations" else r"[,:\s]+"
        return [item for item in re.split(legacy, value) if item]

    if name not in SEPARATORS:
        choices = ", ".join(map(repr, SEPARATORS))
        raise _error(path, f"'{names[0]}' is {name!r}, and must be one of {choices}")

    parts = (item.strip() for item in value.split(SEPARATORS[name]))
    return [item for item in parts if item]


def _absolute(path: Path, location: t.Any) -> t.Any:
    # What is no path stays as it is, for the check that names the key.
    if not isinstance(location, str) or not location:
        return location

    if ":" in location and not os.path.isabs(location):
        return location  # package:folder

    return os.path.normpath(path.parent / location)


def _here(path: Path) -> str:
    return path.parent.as_posix()


def _error(
    path: Path, problem: str, line: int | None = None, *, hint: str | None = None
) -> Exception:
    # Loading the errors loads Alembic, see option_values.py.
    from .errors import ConfigurationError

    where = f"{path}:{line}" if line else str(path)
    return ConfigurationError(
        f"{where}: {problem}.",
        hint=hint or "It is read because ALEMBIC['config_file'] names it.",
        key="config_file",
        value=str(path),
    )
