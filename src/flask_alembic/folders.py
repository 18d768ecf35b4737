"""Make the script location and the template in it. Alembic is not loaded for that."""

from __future__ import annotations

import os
import secrets
import typing as t
from contextlib import suppress
from pathlib import Path

if t.TYPE_CHECKING:
    from .settings import Settings

TEMPLATE_NAME: t.Final = "script.py.mako"
_TEMPLATES: t.Final = Path(__file__).parent / "templates"


def packaged_template(several: bool) -> Path:
    """The template that comes with the extension.

    :param several: Whether it is for several databases.
    :return: Its path.
    """
    return _TEMPLATES / ("multidb" if several else "generic") / TEMPLATE_NAME


def make_folders(settings: Settings, *, several: bool) -> None:
    """Make the folders that don't exist, and the template. Existing ones stay.

    Several processes may do so at once.

    :param settings: Where the folders are.
    :param several: Whether the template is for several databases.
    :raises OSError: If one can't be made, such as in a read-only file system.
    """
    for folder in settings.folders:
        folder.mkdir(parents=True, exist_ok=True)

    template = settings.script_location / TEMPLATE_NAME

    if not template.exists():
        write_whole(template, packaged_template(several).read_bytes())


def missing_folders(settings: Settings) -> list[Path]:
    """The folders that don't exist yet.

    :param settings: Where the folders are.
    :return: Their paths.
    """
    return [folder for folder in settings.folders if not folder.is_dir()]


def missing_paths(settings: Settings) -> list[Path]:
    """The folders that don't exist yet, and the template if only that is missing.

    :param settings: Where the folders are.
    :return: Their paths.
    """
    template = settings.script_location / TEMPLATE_NAME
    folders = missing_folders(settings)

    if settings.script_location in folders or template.exists():
        return folders

    return [*folders, template]


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that nobody ever sees a part of it.

    :param path: The file, which is replaced if it exists.
    :param content: What it is to hold.
    :raises OSError: If it can't be written. Nothing is left behind then.
    """
    # A unique name, made by open() and not by tempfile: tempfile's files are
    # private, and a revision is read by whoever deploys.
    part = path.with_name(f".{path.name[:100]}.{secrets.token_hex(4)}.tmp")

    try:
        with part.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException as error:
        with suppress(OSError):
            part.unlink(missing_ok=True)

        if isinstance(error, OSError):
            # A full disk names no file, and this one has a name of ours.
            raise OSError(error.errno, error.strerror, str(path)) from error

        raise
