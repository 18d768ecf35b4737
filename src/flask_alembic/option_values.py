"""The values of ``ALEMBIC`` become the strings that Alembic reads, checked."""

from __future__ import annotations

import os
import typing as t

# Alembic has no list of its main options to ask for. Those that it documents are
# here, and ours, only to recognize a misspelling of one.
KNOWN_OPTIONS: t.Final = frozenset(
    {
        "config_file",
        "path_separator",
        "script_location",
        "template_folder",
        "version_locations",
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
        "changed_revisions",
        "ddl_lock_retries",
        "ddl_lock_timeout",
        "history",
        "journal",
        "lock",
        "lock_timeout",
        "protected",
        "scratch_url",
        "show_queries",
        "tenants",
    }
)


_BOOLEANS: t.Final = frozenset(
    {"recursive_version_locations", "revision_environment", "sourceless"}
)
# What joins the items of a list, by the names that Alembic has for it.
SEPARATORS: t.Final = {
    "os": os.pathsep,
    "space": " ",
    "newline": "\n",
    ":": ":",
    ";": ";",
}

_SECTIONS: t.Final = frozenset({"post_write_hooks"})
_NUMBERS: t.Final = ("year", "month", "day", "hour", "minute", "second")
_TEMPLATE_FIELDS: t.Final = {
    **dict.fromkeys(("rev", "slug"), "x"),
    **dict.fromkeys(("epoch", *_NUMBERS), 1),
}


def nearest(key: str, known: t.Iterable[str]) -> str | None:
    """The known key that a key is a misspelling of.

    :param key: A key as the user wrote it.
    :param known: The right keys.
    :return: The nearest right key, or ``None`` where none is near.
    """
    import difflib

    matches = difflib.get_close_matches(key, list(known), n=1, cutoff=0.85)
    return matches[0] if matches else None


def main_options(options: t.Mapping[str, t.Any]) -> dict[str, str]:
    """The options that stand for themselves.

    :param options: ``ALEMBIC``, without the locations.
    :return: Name to value.
    :raises ConfigurationError: Naming the key, its value and what it should be.
    """
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


def sections(options: t.Mapping[str, t.Any]) -> dict[str, dict[str, str]]:
    """The options that are dicts: in an ini file each would be a section.

    :param options: ``ALEMBIC``, without the locations.
    :return: Name of the section to name to value.
    :raises ConfigurationError: Naming the key, its value and what it should be.
    """
    separator = _separator(options["path_separator"])

    for key, value in options.items():
        _check_key(key, value)

    return {
        key: {name: _option(f"{key}.{name}", v, separator) for name, v in value.items()}
        for key, value in options.items()
        if isinstance(value, t.Mapping)
    }


def _separator(value: object) -> str:
    if not isinstance(value, str) or value not in SEPARATORS:
        choices = ", ".join(repr(name) for name in SEPARATORS)
        raise config_error("path_separator", value, f"must be one of {choices}")

    return SEPARATORS[value]


def _option(key: str, value: object, separator: str) -> str:
    if isinstance(value, bool):
        return str(value).lower()

    if key in _BOOLEANS and str(value).lower() not in {"true", "false"}:
        raise config_error(key, value, "must be true or false")

    if key in _BOOLEANS:
        return str(value).lower()

    if isinstance(value, (str, int, float)):
        return str(value)

    if isinstance(value, os.PathLike):
        return str(os.fspath(value))

    if isinstance(value, (list, tuple)):
        return separator.join(_option(key, item, separator) for item in value)

    raise config_error(
        key, value, "must be a str, number, bool, Path, list of them or dict"
    )


def _check_key(key: object, value: object) -> None:
    if not isinstance(key, str):
        raise config_error(key, value, "is no option: a key must be a str")

    if key in _SECTIONS and not isinstance(value, t.Mapping) and value is not None:
        raise config_error(key, value, "must be a dict")

    if key in KNOWN_OPTIONS or "." in key:
        return

    if meant := nearest(key, KNOWN_OPTIONS):
        raise config_error(key, value, f"is not an option: did you mean '{meant}'?")


def _check_file_template(value: str) -> None:
    key = "file_template"
    *names, last = (
        f"%({name}){'d' if name in _NUMBERS else 's'}" for name in _TEMPLATE_FIELDS
    )
    hint = f"It may hold {', '.join(names)} and {last}."

    try:
        value % _TEMPLATE_FIELDS
    except KeyError as error:
        problem = f"can't be used: there is no {error}"
        raise config_error(key, value, problem, hint=hint) from error
    except (TypeError, ValueError) as error:
        raise config_error(key, value, f"can't be used: {error}", hint=hint) from error


def _check_known_names(options: t.Mapping[str, str]) -> None:
    """Check the options whose values are names that Python knows or not."""
    if encoding := options.get("output_encoding"):
        import codecs

        try:
            codecs.lookup(encoding)
        except LookupError as error:
            raise config_error(
                "output_encoding", encoding, "is not an encoding"
            ) from error

    length = options.get("truncate_slug_length")

    if length is not None and not length.isdecimal():
        raise config_error("truncate_slug_length", length, "must be a number")

    if zone := options.get("timezone"):
        from zoneinfo import available_timezones

        # Alembic tries upper case too.
        if not {zone, zone.upper()} & available_timezones():
            raise config_error("timezone", zone, "is not a time zone")


def config_error(
    key: object,
    value: object,
    problem: str,
    *,
    section: str | None = "ALEMBIC",
    hint: str | None = None,
) -> Exception:
    """The error for a value that can't be used.

    :param key: The config key.
    :param value: Its value.
    :param problem: What is wrong with it, as the end of a sentence.
    :param section: The dict that the key stands in, or ``None`` for ``app.config``.
    :param hint: The cure.
    :return: The error to raise.
    """
    # The errors are Alembic's errors too, and loading Alembic is what a web worker
    # that never migrates is spared.
    from .errors import ConfigurationError

    name = f"{section}[{key!r}]" if section else f"app.config[{key!r}]"
    end = "" if problem.endswith("?") else "."
    return ConfigurationError(
        f"{name} = {value!r} {problem}{end}", hint=hint, key=str(key), value=value
    )
