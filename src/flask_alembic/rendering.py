"""Render a new revision of a template, and check that it is one."""

from __future__ import annotations

import ast
import re
import typing as t
from pathlib import Path

from mako.exceptions import MakoException
from mako.template import Template

from .errors import TemplateError
from .registration import TEMPLATE_NAME
from .template_files import is_for_several

_TOKEN: t.Final = re.compile(r"(?:^|_)(?:up|down)grades$")


def render_revision(
    template: Path,
    encoding: str,
    values: t.Mapping[str, t.Any],
    databases: t.Sequence[str] = (),
) -> bytes:
    """Render a new revision and check that it is one.

    :param template: A Mako template.
    :param encoding: Of the file.
    :param values: What the template may use.
    :param databases: The identifiers of the databases, if there are several.
    :return: The file's content.
    :raises TemplateError: If the template is broken, or leaves something out.
    """
    values = {
        **values,
        **_bare_tokens(values, databases),
        "message": _for_docstring(values["message"]),
    }

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
        if not databases and "databases" in _text(template):
            raise TemplateError(
                f"{template} is for several databases, and there is one.",
                hint=_other_number(template, databases),
            ) from error

        raise TemplateError(
            f"{template}: {type(error).__name__}: {error}", hint=_TEMPLATE_HINT
        ) from error

    _check_rendered(template, text, tree, values, databases)
    return content


_TEMPLATE_HINT: t.Final = (
    "Mend the template, or delete it and run 'flask db mkdir' for a new one."
)


def _bare_tokens(
    values: t.Mapping[str, t.Any], databases: t.Sequence[str]
) -> dict[str, t.Any]:
    """The operations of the default database, as Flask-Migrate's template for several
    databases calls them: there its name is empty.
    """
    default = "default" if "default" in databases else next(iter(databases), "")
    tokens = {
        token: f"{default}_{token}" if default else token
        for token in ("upgrades", "downgrades")
    }
    return {f"_{k}": values[token] for k, token in tokens.items() if token in values}


def _other_number(template: Path, databases: t.Sequence[str]) -> str:
    """The cure for a template that does not write what it should."""
    several = len(databases) > 1

    if is_for_several(template) == several:
        command = f"flask db init --template {'multidb' if several else 'generic'}"
        return (
            f"'{command}' puts another one in its place, and keeps this one as"
            f" {TEMPLATE_NAME}.bak."
        )

    if several:
        return (
            "It was made for one database. 'flask db init --multidb' puts one for"
            f" several in its place, and keeps this one as {TEMPLATE_NAME}.bak."
        )

    return (
        "It was made for several databases. 'flask db init' puts one for one database"
        f" in its place, and keeps this one as {TEMPLATE_NAME}.bak."
    )


def _text(template: Path) -> str:
    return template.read_text("utf-8", errors="replace")


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
    template: Path,
    text: str,
    tree: ast.Module,
    values: t.Mapping[str, t.Any],
    databases: t.Sequence[str],
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
                hint=_other_number(template, databases),
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
