"""Make the script location and the template in it. Alembic is not loaded for that."""

from __future__ import annotations

import itertools
import os
import secrets
import typing as t
from contextlib import suppress
from pathlib import Path

from .registration import TEMPLATE_NAME
from .reports import InitReport
from .template_files import default_template
from .template_files import find_template
from .template_files import is_for_several

if t.TYPE_CHECKING:
    from .settings import Settings


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
        source = default_template(several, settings.template_folder)
        write_whole(template, source.read_bytes())


def init_folders(
    settings: Settings,
    directory: str | os.PathLike[str] | None,
    *,
    template: str | None,
    several: bool,
    package: bool,
) -> InitReport:
    """Make the folders that don't exist, and let the template be the right one. One
    that is another is kept beside it.

    :param settings: Where the folders are.
    :param directory: Another folder than the script location.
    :param template: The template that was asked for: a name, or a folder.
    :param several: Whether the template is for several databases, if none was asked
        for.
    :param package: Whether the folders are to be Python packages.
    :return: What was made, and what was kept.
    :raises TemplateError: If there is no such template.
    :raises OSError: If something can't be written.
    """
    folders = settings.folders
    location = settings.script_location

    if directory is not None and settings.resolve(directory) != location:
        location = settings.resolve(directory)
        folders = (location,)

    source = (
        default_template(several, settings.template_folder)
        if template is None
        else find_template(template, settings.template_folder, settings.resolve)
    )
    made = [folder for folder in folders if not folder.is_dir()]

    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)

    path = location / TEMPLATE_NAME
    kept = None

    if not path.exists():
        made += [] if location in made else [path]
        write_whole(path, source.read_bytes())
    elif (
        is_for_several(path) != several
        if template is None
        else path.read_bytes() != source.read_bytes()
    ):
        kept = _keep(path)
        write_whole(path, source.read_bytes())

    for module in (folder / "__init__.py" for folder in folders if package):
        if not module.exists():
            write_whole(module, b"")
            made.append(module)

    return InitReport(location, tuple(made), kept)


def _keep(path: Path) -> Path:
    """Copy a file to a name of its own."""
    content = path.read_bytes()

    for number in itertools.count(1):
        copy = path.with_name(f"{path.name}.bak{number if number > 1 else ''}")

        if not copy.exists():
            write_whole(copy, content)

        if copy.read_bytes() == content:
            break

    return copy


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
