"""The templates of new revisions: those of the package, and those of the user. Nothing
is written here, and Alembic is not loaded.
"""

from __future__ import annotations

import typing as t
from pathlib import Path

from .registration import TEMPLATE_NAME
from .reports import Template

_PACKAGED: t.Final = Path(__file__).parent / "templates"
_READMES: t.Final = ("README", "README.md", "README.rst", "README.txt")


def list_templates(folder: Path | None) -> list[Template]:
    """The templates that have a name.

    :param folder: The user's, which has a folder for each template.
    :return: The templates, by name. One of the user's stands in for the packaged one
        that is called so.
    """
    found = {
        path.parent.name: path
        for parent in (_PACKAGED, folder)
        if parent is not None
        for path in sorted(parent.glob(f"*/{TEMPLATE_NAME}"))
    }
    return [Template(name, _description(p), p) for name, p in sorted(found.items())]


def default_template(several: bool, folder: Path | None) -> Path:
    """The template for a number of databases.

    :param several: Whether it is for several.
    :param folder: The user's templates.
    :return: Its path.
    """
    name = "multidb" if several else "generic"
    return next(item.path for item in list_templates(folder) if item.name == name)


def find_template(
    name: str, folder: Path | None, resolve: t.Callable[[str], Path]
) -> Path:
    """The template that the user asks for.

    :param name: The name of one, or the path of a folder with a template in it.
    :param folder: The user's templates.
    :param resolve: Makes a path absolute.
    :return: Its path.
    :raises TemplateError: If there is none.
    """
    templates = list_templates(folder)

    for template in templates:
        if template.name == name:
            return template.path

    path = resolve(name) / TEMPLATE_NAME

    if path.is_file():
        return path

    from .errors import TemplateError

    raise TemplateError(
        f"There is no template '{name}', and no {path}.",
        hint=f"There are {', '.join(item.name for item in templates)}: see 'flask db"
        " list-templates'.",
    )


def is_for_several(template: Path) -> bool:
    """Whether a template is for several databases.

    :param template: Its path.
    :return: ``True`` if its functions take the name of a database, as those of
        Alembic's and Flask-Migrate's do.
    """
    return "engine_name" in template.read_text("utf-8", errors="replace")


def _description(template: Path) -> str:
    for name in _READMES:
        path = template.with_name(name)

        if path.is_file():
            lines = path.read_text("utf-8", errors="replace").splitlines()
            texts = (line.strip("#= \t") for line in lines)
            return next(filter(None, texts), "")

    return ""
