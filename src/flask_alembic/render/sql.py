"""Scripts as they are written to a file or to stdout."""

from __future__ import annotations

import typing as t


def one_script(script: str) -> str:
    """The script of one database.

    :param script: The statements.
    :return: The script, which has a line even if there is nothing to do.
    """
    return script or "-- Nothing to do.\n"


def all_scripts(scripts: t.Mapping[str, str]) -> str:
    """The scripts of all databases, one after the other.

    :param scripts: Name to script.
    :return: The script of a single database; those of several under their names.
    """
    if len(scripts) == 1:
        return "".join(map(one_script, scripts.values()))

    return "\n".join(
        f"-- Database {name}\n\n{one_script(script)}"
        for name, script in scripts.items()
    )
