"""The revisions as Alembic's script directory, which writes new ones whole. How files
are read is not known here.
"""

from __future__ import annotations

import os
import typing as t
from contextlib import contextmanager
from pathlib import Path

from alembic.config import Config
from alembic.config import PostWriteHookConfig
from alembic.script import ScriptDirectory
from alembic.script import write_hooks
from alembic.script.revision import RevisionMap
from alembic.util import CommandError

from .alembic_config import database_names
from .alembic_config import places_of
from .alembic_config import truncation
from .errors import ConfigurationError
from .errors import FlaskAlembicError
from .errors import HistoryError
from .folders import write_whole
from .rendering import render_revision
from .revision_files import extend_sys_path
from .revision_files import LazyScript
from .revision_files import load_revision
from .revision_files import run_header
from .revision_map import LinearMap
from .revisions.graph import RevisionGraph
from .revisions.listing import list_files
from .revisions.listing import Places
from .revisions.paths import display
from .revisions.reading import checked_graph
from .revisions.reading import RevisionFiles
from .template_files import default_template

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


class RevisionIndex(ScriptDirectory):
    """Alembic's script directory. It runs a file when its revision is run, and writes
    new ones whole.

    :param config: Where the files are.
    :param graph: The revisions, if they were read.
    :raises FlaskAlembicError: If a file can't be loaded, or the files don't form a
        history. The message names the file.
    """

    def __init__(self, config: Config, graph: RevisionGraph | None = None) -> None:
        places = places_of(config)
        graph = _read_graph(places) if graph is None else graph
        super().__init__(
            places.script_location,
            file_template=config.get_main_option("file_template", "%(rev)s_%(slug)s"),
            truncate_slug_length=truncation(config),
            version_locations=places.folders,
            sourceless=places.is_sourceless,
            output_encoding=config.get_main_option("output_encoding", "utf-8"),
            timezone=config.get_main_option("timezone"),
            recursive_version_locations=places.is_recursive,
            messaging_opts={"quiet": True},
        )
        # Not given to Alembic, which tells on stdout that it runs one.
        self.write_hooks: list[PostWriteHookConfig] = config.get_hooks_list()
        self.places: Places = places
        extend_sys_path(places.sys_path)
        scripts = {found.revision: LazyScript(found, self.dir) for found in graph}
        self.revision_map: RevisionMap = LinearMap(scripts, graph)

    def _rev_path(self, path: t.Any, *args: t.Any) -> Path:
        """The path of a new file, which is asked before its folder is made."""
        result = super()._rev_path(path, *args)

        if not Path(os.path.normpath(result)).is_relative_to(os.path.normpath(path)):
            raise self._bad_template(f"leads out of the version location: {result}")

        name = display(result, self.dir)
        is_hidden = result.name.startswith((".", "__init__"))
        is_deep = result.parent != Path(path) and not self.recursive_version_locations

        if is_hidden or is_deep:
            raise self._bad_template(
                f"gives a file that is not read as a revision: {name}",
                hint="Set ALEMBIC['recursive_version_locations'] = True to read folders"
                " in folders."
                if is_deep
                else None,
            )

        return result

    def _bad_template(self, problem: str, hint: str | None = None) -> Exception:
        return ConfigurationError(
            f"ALEMBIC['file_template'] = {self.file_template!r} {problem}.",
            hint=hint,
            key="file_template",
            value=self.file_template,
        )

    def _generate_template(self, src: Path, dest: Path, **kw: t.Any) -> None:
        """Render a revision, check it, and only then put it in place."""
        config: Config | None = kw.get("config")
        databases = database_names(config) if config else []

        if not src.exists():
            own = config.get_main_option("template_folder") if config else None
            src = default_template(len(databases) > 1, Path(own) if own else None)

        if dest.exists():
            raise HistoryError(
                f"The file {display(dest, self.dir)} exists already.",
                hint="Let ALEMBIC['file_template'] hold '%(rev)s'.",
            )

        content = render_revision(src, self.output_encoding, kw, databases)
        # Older Alembic does not make the folders that a file template names.
        dest.parent.mkdir(parents=True, exist_ok=True)
        write_whole(dest, content)
        self._run_hooks(dest)

    def _run_hooks(self, path: Path) -> None:
        hint = "Mend ALEMBIC['post_write_hooks']. The revision was not written."

        try:
            for hook in self.write_hooks:
                _run_hook(hook, path, hint)

            if self.write_hooks:
                self._check_after_hooks(path, hint)
            else:
                load_revision(path, display(path, self.dir))
        except BaseException:
            path.unlink(missing_ok=True)
            raise

    def _check_after_hooks(self, path: Path, hint: str) -> None:
        name = display(path, self.dir)

        try:
            if not path.exists():
                raise FlaskAlembicError(f"{name}: it is gone.")

            load_revision(path, name)
        except FlaskAlembicError as error:
            raise FlaskAlembicError(
                f"The post write hooks broke {error}", hint=hint
            ) from error


def _run_hook(hook: PostWriteHookConfig, path: Path, hint: str) -> None:
    name = hook["_hook_name"]

    if "type" not in hook:
        raise ConfigurationError(
            f"ALEMBIC['post_write_hooks'] has no '{name}.type'.",
            hint=hint,
            key="post_write_hooks",
        )

    try:
        write_hooks._invoke(hook["type"], str(path), hook)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"

        if isinstance(error, CommandError):
            reason = str(error)
        elif isinstance(error, OSError):
            reason = f"{error.filename}: {error.strerror}"

        raise FlaskAlembicError(
            f"The post write hook '{name}' failed: {reason}", hint=hint
        ) from error


def ids_on_disk(script: ScriptDirectory) -> set[str]:
    """The ids that the files have now, also those written since they were read.

    :param script: Where they are.
    :return: The ids. No file is run, and one whose id is computed is left out.
    """
    places = Places(
        script.dir,
        tuple(str(path) for path in script._version_locations),
        script.recursive_version_locations,
    )
    files = RevisionFiles(lambda path, places: None)
    return {found.revision for found in files.read(places, list_files(places).entries)}


def _read_graph(places: Places) -> RevisionGraph:
    files = RevisionFiles(run_header)
    found = files.read(places, list_files(places).entries)
    return checked_graph(found, places.script_location)


@contextmanager
def writing(script: ScriptDirectory) -> t.Iterator[None]:
    """Keep other processes from writing revisions, so that an id is found free and
    taken in one go. Where the system has no such lock it does nothing.

    :param script: Where they are.
    """
    if fcntl is None:
        yield
        return

    handle = os.open(script.dir, os.O_RDONLY)

    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
