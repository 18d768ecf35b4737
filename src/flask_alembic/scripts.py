"""The revision files: reading them, checking that they form one history, and writing
new ones. Nothing here knows of databases.
"""

from __future__ import annotations

import os
import sys
import typing as t
from contextlib import contextmanager
from pathlib import Path

from alembic.config import Config
from alembic.config import PostWriteHookConfig
from alembic.script import Script
from alembic.script import ScriptDirectory
from alembic.script import write_hooks
from alembic.script.revision import CycleDetected
from alembic.script.revision import DependencyCycleDetected
from alembic.script.revision import RevisionError
from alembic.util import CommandError
from alembic.util import to_tuple

from .alembic_config import database_names
from .alembic_config import flag
from .alembic_config import truncation
from .alembic_config import version_locations
from .errors import ConfigurationError
from .errors import FlaskAlembicError
from .errors import HistoryError
from .folders import write_whole
from .rendering import render_revision
from .revision_files import display
from .revision_files import load_revision
from .revision_files import looks_like_revision
from .revision_files import read_id
from .template_files import default_template

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


class RevisionIndex(ScriptDirectory):
    """Alembic's script directory, which checks what it reads and writes files whole.

    :param config: Where the files are.
    :raises FlaskAlembicError: If a file can't be loaded, or the files don't form a
        history. The message names the file.
    """

    def __init__(self, config: Config) -> None:
        location = config.get_main_option("script_location") or ""
        _check_folder(Path(location))
        _prepend_sys_path(config)
        super().__init__(
            location,
            file_template=config.get_main_option("file_template", "%(rev)s_%(slug)s"),
            truncate_slug_length=truncation(config),
            version_locations=version_locations(config),
            sourceless=flag(config, "sourceless"),
            output_encoding=config.get_main_option("output_encoding", "utf-8"),
            timezone=config.get_main_option("timezone"),
            recursive_version_locations=flag(config, "recursive_version_locations"),
            messaging_opts={"quiet": True},
        )
        # Not given to Alembic, which tells on stdout that it runs one.
        self.write_hooks: list[PostWriteHookConfig] = config.get_hooks_list()
        self._check()

    def _check(self) -> None:
        try:
            self.revision_map.heads  # noqa: B018 - builds the map
        except DependencyCycleDetected as error:
            ids = ", ".join(sorted(error.revisions))
            raise HistoryError(
                f"The revisions depend on each other in a circle: {ids}.",
                hint="Take one of them out of the other's depends_on.",
            ) from error
        except CycleDetected as error:
            ids = ", ".join(sorted(error.revisions))
            raise HistoryError(
                f"The revisions revise each other in a circle: {ids}.",
                hint="Set the down_revision of one of them to what it was made on.",
            ) from error
        except RevisionError as error:
            raise HistoryError(f"{error}.") from error

    def _load_revisions(self) -> t.Iterator[Script]:
        scripts: dict[str, Script] = {}

        for path in revision_files(self):
            script = load_revision(path, display(path, self.dir))

            if other := scripts.get(script.revision):
                raise HistoryError(
                    f"Two files have the id '{script.revision}':"
                    f" {display(other.path, self.dir)} and"
                    f" {display(script.path, self.dir)}.",
                    hint="Give the newer one another id, or delete it if it is a copy.",
                )

            scripts[script.revision] = script

        self._check_parents(scripts)
        return iter(scripts.values())

    def _check_parents(self, scripts: dict[str, Script]) -> None:
        labels = {
            label for script in scripts.values() for label in script.branch_labels
        }

        for script in scripts.values():
            parents = set(script._versioned_down_revisions) - scripts.keys()
            others = set(to_tuple(script.dependencies or ())) - scripts.keys() - labels

            for missing, verb in [
                *((id_, "revises") for id_ in sorted(parents)),
                *((id_, "depends on") for id_ in sorted(others)),
            ]:
                raise HistoryError(
                    f"{display(script.path, self.dir)}: '{script.revision}' {verb}"
                    f" '{missing}', which does not exist.",
                    hint="Restore the file of that revision, or mend the id.",
                )

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


def revision_files(script: ScriptDirectory) -> t.Iterator[Path]:
    """The files that are revisions, each once.

    :param script: Where they are.
    :return: Their paths. Other Python files beside them are left alone: an ``env.py``
        or a helper module is not run.
    """
    seen = set()

    for location in script._version_locations:
        for path in Script._list_py_dir(script, location) if location.exists() else ():
            real = path.resolve()

            name = display(path, script.dir)

            if real not in seen and looks_like_revision(path, name, script.sourceless):
                seen.add(real)
                yield path


def ids_on_disk(script: ScriptDirectory) -> set[str]:
    """The ids that the files have now, also those written since they were loaded.

    :param script: Where they are.
    :return: The ids.
    """
    return {id_ for path in revision_files(script) if (id_ := read_id(path))}


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


def _prepend_sys_path(config: Config) -> None:
    paths = config.get_prepend_sys_paths_list() or []
    sys.path[:0] = [path for path in paths if path not in sys.path]


def _check_folder(path: Path) -> None:
    if path.is_dir():
        return

    problem = "is not a folder" if path.exists() else "does not exist"
    raise FlaskAlembicError(
        f"The script location {path} {problem}.",
        hint="Run 'flask db mkdir', or set ALEMBIC['script_location'].",
    )
