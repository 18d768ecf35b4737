"""Finding the revision files, and telling when one changed, by their folders alone."""

from __future__ import annotations

import os
import typing as t

_COMPILED: t.Final = (".pyc", ".pyo")
_CACHE: t.Final = "__pycache__"


class Places(t.NamedTuple):
    """Where revision files are."""

    script_location: str
    folders: tuple[str, ...]
    is_recursive: bool = False
    is_sourceless: bool = False
    sys_path: tuple[str, ...] = ()
    """What revisions are to find on ``sys.path``."""


class Entry(t.NamedTuple):
    """A file that may be a revision. It did not change if its entry is equal."""

    path: str
    changed: int
    """When it was, in nanoseconds."""
    size: int


class Listing(t.NamedTuple):
    """What is in the folders."""

    entries: list[Entry]
    """The Python files, each once: folder by folder, by name within each."""
    folders: dict[str, int]
    """When a file was last added to a folder or taken out of it, in nanoseconds."""


def list_files(places: Places) -> Listing:
    """The Python files in the folders, each once. None is opened.

    :param places: Where to look.
    :return: What is there.
    :raises FlaskAlembicError: If the script location is not there.
    """
    if not os.path.isdir(places.script_location):
        from .problems import no_folder

        raise no_folder(places.script_location)

    entries: dict[str, Entry] = {}
    folders: dict[str, int] = {}

    for folder in places.folders:
        _list(folder, places, entries, folders)

    return Listing(list(entries.values()), folders)


def is_unchanged(listing: Listing) -> bool:
    """Whether the folders hold the same files, as far as they tell themselves: not, if
    a file was changed in its place.

    :param listing: What was in them.
    :return: ``True`` if they hold the same.
    """
    return all(_changed(path) == time for path, time in listing.folders.items())


def _list(
    folder: str,
    places: Places,
    entries: dict[str, Entry],
    folders: dict[str, int],
) -> None:
    """Add the files in a folder by their real paths: links may lead to one twice."""
    real = os.path.realpath(folder)

    if real in folders:
        return

    folders[real] = _changed(real)
    below = []
    names = set()

    for entry in _sorted(folder):
        name = entry.name

        if entry.is_dir():
            below += [] if entry.is_symlink() else [name]
        elif name.endswith(".py") or (places.is_sourceless and _is_compiled(name)):
            if places.is_sourceless:
                names.add(name.partition(".")[0])

            _add(entry, real, entries)

    if places.is_sourceless and _CACHE in below:
        for entry in _sorted(os.path.join(folder, _CACHE)):
            if _is_compiled(entry.name) and entry.name.partition(".")[0] not in names:
                _add(entry, os.path.join(real, _CACHE), entries)

    if places.is_recursive:
        for name in below:
            if name != _CACHE:
                _list(os.path.join(folder, name), places, entries, folders)


def _changed(folder: str) -> int:
    try:
        return os.stat(folder).st_mtime_ns
    except (FileNotFoundError, NotADirectoryError):
        return 0


def _sorted(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except (FileNotFoundError, NotADirectoryError):
        return []


def _is_compiled(name: str) -> bool:
    return name.endswith(_COMPILED)


def _add(entry: os.DirEntry[str], folder: str, entries: dict[str, Entry]) -> None:
    real = f"{folder}{os.sep}{entry.name}"

    if entry.is_symlink():
        real = os.path.realpath(real)

    try:
        try:
            stat = entry.stat()
        except FileNotFoundError:
            stat = entry.stat(follow_symlinks=False)  # a link to nowhere
    except FileNotFoundError:
        return  # deleted since the folder was listed

    if real not in entries:
        entries[real] = Entry(entry.path, stat.st_mtime_ns, stat.st_size)
