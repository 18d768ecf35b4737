"""One revision file: telling it from other files, loading it, rendering a new one."""

from __future__ import annotations

import ast
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
from mako.exceptions import MakoException
from mako.template import Template

from .errors import HistoryError
from .errors import RevisionFileError
from .errors import TemplateError
from .revision_ids import is_id

_MARK: t.Final = re.compile(
    r"^(?:revision|down_revision)\s*[:=]|^def\s+(?:upgrade|downgrade)\s*\(",
    re.MULTILINE,
)
_ID: t.Final = re.compile(r"""^revision\b[^=\n]*=\s*["']([^"'\n]+)["']""", re.MULTILINE)
_TOKEN: t.Final = re.compile(r"(?:^|_)(?:up|down)grades$")


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


def render_revision(
    template: Path, encoding: str, values: t.Mapping[str, t.Any]
) -> bytes:
    """Render a new revision and check that it is one.

    :param template: A Mako template.
    :param encoding: Of the file.
    :param values: What the template may use.
    :return: The file's content.
    :raises TemplateError: If the template is broken, or leaves something out.
    """
    values = {**values, "message": _for_docstring(values["message"])}

    try:
        text = Template(filename=str(template)).render_unicode(**values)
        content: bytes = text.encode(encoding)
        tree = ast.parse(text)
    except OSError:
        raise
    except MakoException as error:
        raise TemplateError(f"{template}: {error}", hint=_TEMPLATE_HINT) from error
    except SyntaxError as error:
        raise TemplateError(
            f"{template} renders a file that is not Python: line {error.lineno}:"
            f" {error.msg}.",
            hint=_TEMPLATE_HINT,
        ) from error
    except Exception as error:
        config = values.get("config")

        if config is not None and config.get_main_option("databases") is None:
            if "databases" in template.read_text("utf-8", errors="replace"):
                raise TemplateError(
                    f"{template} is for several databases, and there is one.",
                    hint=_OTHER_NUMBER,
                ) from error

        raise TemplateError(
            f"{template}: {type(error).__name__}: {error}", hint=_TEMPLATE_HINT
        ) from error

    _check_rendered(template, text, tree, values)
    return content


_OTHER_NUMBER: t.Final = (
    "It was made for another number of databases. Move it away and run 'flask db mkdir'"
    " for one that fits."
)
_TEMPLATE_HINT: t.Final = (
    "Mend the template, or delete it and run 'flask db mkdir' for a new one."
)


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
        line = _line_in(error, path)
        where = f"{name}:{line}" if line else name
        text = f"{type(error).__name__}: {error}".rstrip(": ")
        raise RevisionFileError(
            f"{where}: {text}.",
            path=str(path),
            line=line,
            hint="Mend the file.",
        ) from error


def _line_in(error: BaseException, path: Path) -> int | None:
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


def _for_docstring(message: str) -> str:
    """Escape a message so that it means itself between triple quotes."""
    escaped = message.replace("\\", "\\\\").replace('"', '\\"')
    return "".join(
        char if char.isprintable() or char in "\n\t" else _escape(char)
        for char in escaped
    )


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")


def _check_rendered(
    template: Path, text: str, tree: ast.Module, values: t.Mapping[str, t.Any]
) -> None:
    wanted = str(values["up_revision"])

    if not any(_assigns(node, "revision", wanted) for node in tree.body):
        raise TemplateError(
            f"{template} renders a file without \"revision = '{wanted}'\".",
            hint=_TEMPLATE_HINT,
        )

    present = {line.strip() for line in text.splitlines()}

    for token, code in values.items():
        if not isinstance(code, str) or not _TOKEN.search(token):
            continue

        if _operations(code) - present:
            raise TemplateError(
                f"{template} does not write '{token}', so operations would be lost.",
                hint=_OTHER_NUMBER,
            )


def _operations(code: str) -> set[str]:
    lines = {line.strip() for line in code.splitlines()}
    return {line for line in lines if line not in {"", "pass"} and line[0] != "#"}


def _assigns(node: ast.stmt, name: str, value: str) -> bool:
    targets: list[ast.expr] = []

    if isinstance(node, ast.Assign):
        targets = node.targets
    elif isinstance(node, ast.AnnAssign):
        targets = [node.target]

    return any(
        isinstance(target, ast.Name)
        and target.id == name
        and isinstance(node.value, ast.Constant)  # type: ignore[attr-defined]
        and node.value.value == value  # type: ignore[attr-defined]
        for target in targets
    )
