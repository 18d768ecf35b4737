"""One revision file, as Alembic's script: known by its header, run when needed."""

from __future__ import annotations

import os
import re
import sys
import typing as t
from functools import cached_property
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec
from importlib.util import spec_from_file_location
from pathlib import Path
from types import CodeType
from types import ModuleType

from alembic.script import Script
from alembic.script.revision import DependencyLoopDetected
from alembic.script.revision import LoopDetected
from alembic.script.revision import Revision
from alembic.script.revision import RevisionError
from alembic.util import load_python_file

from .errors import HistoryError
from .errors import RevisionFileError
from .revision_ids import is_id
from .revisions import graph
from .revisions.header import Header
from .revisions.listing import Places
from .revisions.paths import display


class LazyScript(Script):
    """A revision that is known by its header, and run when its module is asked for.

    :param found: The revision.
    :param location: The migrations folder, to name the file in an error.
    """

    def __init__(self, found: graph.Revision, location: str) -> None:
        header = found.header
        Revision.__init__(
            self,
            found.revision,
            found.down_revision,
            dependencies=found.dependencies,
            branch_labels=graph.as_ids(header.branch_labels),
        )
        self.path: str = found.path
        self._header = header
        self._location = location

    @cached_property
    def module(self) -> ModuleType:  # type: ignore[override]
        """The module, run once.

        :raises RevisionFileError: If it can't be run.
        :raises HistoryError: If the file was changed since its header was read.
        """
        if self._header.module is not None:
            return self._header.module

        name = display(self.path, self._location)
        script = load_revision(Path(self.path), name)

        for attribute in ("revision", "down_revision", "dependencies"):
            if getattr(script, attribute) != getattr(self, attribute):
                raise HistoryError(
                    f"{name} changed since it was read: it says another"
                    f" {attribute} now.",
                    hint="Run the command again.",
                )

        return script.module

    @property
    def content(self) -> bytes | None:
        """What was in the file when it was run; ``None`` if it was not."""
        loader = getattr(vars(self).get("module"), "__loader__", None)
        return loader.content if isinstance(loader, _Source) else None

    @property
    def longdoc(self) -> str:
        """The docstring."""
        return graph.docstring(self._header.docstring)


def run_header(path: str, places: Places) -> Header:
    """Run a file to see its header.

    :param path: The file.
    :param places: Where revisions are.
    :return: The header, with the module.
    :raises RevisionFileError: If it can't be run, or isn't a revision.
    """
    extend_sys_path(places.sys_path)
    script = load_revision(Path(path), display(path, places.script_location))
    module = script.module
    return Header(
        script.revision,
        module.down_revision,
        getattr(module, "branch_labels", None),
        getattr(module, "depends_on", None),
        script.longdoc,
        module,
    )


def extend_sys_path(paths: t.Iterable[str]) -> None:
    """Let revisions find what they import.

    :param paths: Folders, in front of all others.
    """
    sys.path[:0] = [path for path in paths if path not in sys.path]


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


def _run(path: Path, name: str) -> ModuleType:
    try:
        return _load(path)
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


def _load(path: Path) -> ModuleType:
    if path.suffix != ".py":
        return load_python_file(path.parent, path.name)

    name = re.sub(r"\W", "_", path.name)
    loader = _Source(name, str(path))
    spec = spec_from_file_location(name, path, loader=loader)
    assert spec is not None  # there is one where there is a loader
    module = module_from_spec(spec)
    loader.exec_module(module)
    return module


class _Source(SourceFileLoader):
    """Compiles a file each time. Python takes the bytecode that it kept for that of a
    file which was changed within a second and is as long as before.
    """

    content: bytes | None = None
    """What was compiled."""

    def get_code(self, fullname: str) -> CodeType:
        """The code of the file.

        :param fullname: What the module is called.
        :return: The code.
        """
        path = self.get_filename(fullname)
        self.content = self.get_data(path)
        return self.source_to_code(self.content, path)


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
