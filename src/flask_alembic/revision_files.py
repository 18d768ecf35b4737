"""One revision file: telling it from other files, and loading it."""

from __future__ import annotations

import os
import re
import typing as t
from pathlib import Path
from types import ModuleType

from alembic.script import Script
from alembic.script.revision import DependencyLoopDetected
from alembic.script.revision import LoopDetected
from alembic.script.revision import RevisionError
from alembic.util import load_python_file

from .errors import HistoryError
from .errors import RevisionFileError
from .revision_ids import is_id

# An assignment, also one of both. A helper may well define "upgrade".
_MARK: t.Final = re.compile(r"^(?:down_)?revision\s*[:=,]", re.MULTILINE)
_ID: t.Final = re.compile(r"""^revision\b[^=\n]*=\s*["']([^"'\n]+)["']""", re.MULTILINE)


def display(path: str | os.PathLike[str], script_location: str) -> str:
    """A path as a message shows it: from the migrations folder on.

    :param path: A file.
    :param script_location: The migrations folder.
    :return: Such as ``migrations/1700000000_add_email.py``.
    """
    path = Path(path)

    try:
        return str(path.relative_to(Path(script_location).parent))
    except ValueError:
        return str(path)


def looks_like_revision(path: Path, name: str, sourceless: bool = False) -> bool:
    """Whether a file is a revision, or was meant to be one.

    :param path: A file in a version location.
    :param name: How to call it in an error.
    :param sourceless: Whether compiled files count.
    :return: ``False`` for other Python files: they are not ours to run.
    """
    if path.suffix in {".pyc", ".pyo"}:
        return sourceless and not path.name.startswith(("__init__", "env."))

    if path.suffix != ".py" or path.name.startswith((".", "__init__")):
        return False

    if path.name == "env.py":
        return False  # it runs the other tool's migrations

    try:
        return _MARK.search(_text(path)) is not None
    except FileNotFoundError as error:
        if not path.is_symlink():
            return False  # deleted since the folder was listed

        raise RevisionFileError(
            f"{name} is a link to a file that does not exist.",
            path=str(path),
            hint="Delete the link, or restore the file.",
        ) from error


def read_id(path: Path) -> str | None:
    """The id in a file, without running it.

    :param path: A revision file.
    :return: The id, or ``None`` where it is not plainly written.
    """
    if path.suffix != ".py":
        return None

    try:
        match = _ID.search(_text(path))
    except FileNotFoundError:
        return None  # deleted since the folder was listed

    return match[1] if match else None


def load_revision(path: Path, name: str) -> Script:
    """Run a revision file and check what it defines.

    :param path: The file.
    :param name: How to call it in an error.
    :return: The revision.
    :raises RevisionFileError: If it can't be run, or isn't a revision.
    """
    module = _run(path, name)
    revision = _attributes(module, path, name)

    try:
        Script.verify_rev_id(revision)
        return Script(module, revision, path)
    except DependencyLoopDetected as error:
        raise HistoryError(
            f"{name}: '{revision}' depends on itself.",
            hint="Take it out of its depends_on.",
        ) from error
    except LoopDetected as error:
        raise HistoryError(
            f"{name}: '{revision}' revises itself.",
            hint="Set its down_revision to what it was made on.",
        ) from error
    except RevisionError as error:
        raise HistoryError(f"{name}: {error}.") from error


def _text(path: Path) -> str:
    return path.read_text("utf-8", errors="replace")


def _run(path: Path, name: str) -> ModuleType:
    try:
        return load_python_file(path.parent, path.name)
    except SyntaxError as error:
        where = f"{name}:{error.lineno}" if error.lineno else name
        raise RevisionFileError(
            f"{where}: {error.msg}.",
            path=str(path),
            line=error.lineno,
            hint="Mend the file.",
        ) from error
    # SystemExit too: a file that calls sys.exit() must not end the command well.
    except (Exception, SystemExit) as error:
        line = line_in(error, path)
        where = f"{name}:{line}" if line else name
        text = f"{type(error).__name__}: {error}".rstrip(": ")
        raise RevisionFileError(
            f"{where}: {text}.",
            path=str(path),
            line=line,
            hint="Mend the file.",
        ) from error


def line_in(error: BaseException, path: str | os.PathLike[str]) -> int | None:
    """The line of a revision file that an exception came out of.

    :param error: The exception.
    :param path: The file.
    :return: The line; ``None`` if it did not come out of there.
    """
    line = None
    traceback = error.__traceback__

    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename == str(path):
            line = traceback.tb_lineno
        traceback = traceback.tb_next

    return line


def _attributes(module: ModuleType, path: Path, name: str) -> str:
    def problem(message: str, hint: str) -> RevisionFileError:
        return RevisionFileError(f"{name}: {message}.", path=str(path), hint=hint)

    for attribute in ("revision", "down_revision"):
        if not hasattr(module, attribute):
            raise problem(
                f"there is no '{attribute}' in it",
                "Restore the line, or move the file elsewhere if it is no revision.",
            )

    revision = module.revision

    if not is_id(revision):
        raise problem(
            f"revision = {revision!r} can't be an id",
            "An id is a str of letters, digits, '_' and '.'.",
        )

    for attribute in ("down_revision", "branch_labels", "depends_on"):
        value = getattr(module, attribute, None)
        values = value if isinstance(value, (tuple, list, set)) else [value]

        if value is not None and not all(isinstance(v, str) for v in values):
            raise problem(
                f"{attribute} = {value!r} can't be used",
                "It is a str, a tuple of str, or None.",
            )

    return str(revision)
