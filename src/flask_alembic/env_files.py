"""What an env.py says, of Flask-Migrate or of Alembic alone, and where it is. Text is
read here, and nothing is run.
"""

from __future__ import annotations

import ast
import configparser
import tomllib
import typing as t
import warnings
from dataclasses import dataclass

from .adopt_reports import Customised

FLASK_MIGRATE: t.Final = "Flask-Migrate"
ALEMBIC: t.Final = "Alembic"

# What the templates pass to configure(), and what the extension sets itself.
_STANDARD: t.Final = frozenset(
    {
        "connection",
        "dialect_name",
        "dialect_opts",
        "downgrade_token",
        "literal_binds",
        "output_buffer",
        "target_metadata",
        "upgrade_token",
        "url",
    }
)
_EXECUTION: t.Final = "@alembic.prepare_connection"
_IMPORTED: t.Final = "a module that the app imports"

# Keywords of any call, and names of functions, wherever they stand.
_KEYWORDS: t.Final = {
    "naming_convention": "MetaData(naming_convention=...), where the models are",
    "schema_translate_map": _EXECUTION,
}
_NAMES: t.Final = {
    "dispatch_for": _IMPORTED,
    "get_x_argument": "flask db -x NAME=VALUE",
    "register_operation": _IMPORTED,
}

# What Flask-Migrate's own function uses, which only drops an empty revision.
_DROPS_EMPTY: t.Final = frozenset(
    {
        "bind_names",
        "config",
        "context",
        "directives",
        "empty",
        "getattr",
        "len",
        "logger",
        "revision",
        "script",
        "upgrade_ops",
    }
)


@dataclass(frozen=True)
class EnvFile:
    """What an env.py says."""

    tool: str = ALEMBIC
    customised: tuple[Customised, ...] = ()
    problem: str = ""


def read_env(source: str) -> EnvFile:
    """Find out who made an env.py, and what was changed in it.

    :param source: Its text.
    :return: What is in it. What the tools' own templates have is left out.
    """
    try:
        with warnings.catch_warnings(action="ignore"):
            tree = ast.parse(source)
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None) or 1
        return EnvFile(problem=f"line {line}: {getattr(error, 'msg', error)}")

    tool = FLASK_MIGRATE if _knows_flask_migrate(tree) else ALEMBIC
    found = {(name, line, instead) for name, line, instead in _customised(tree)}

    if _only_drops_empty(tree):
        found = {item for item in found if item[0] != "process_revision_directives"}

    ordered = sorted(found, key=lambda item: (item[1], item[0]))
    return EnvFile(tool, tuple(Customised(*item) for item in ordered))


def ini_location(text: str, here: str) -> str | None:
    """The folder that an alembic.ini names.

    :param text: The file.
    :param here: The folder that it is in.
    :return: The folder, or ``None`` if it names none.
    """
    parser = configparser.ConfigParser(interpolation=None)

    try:
        parser.read_string(text)
    except configparser.Error:
        return None

    location = parser.get("alembic", "script_location", fallback=None)
    return location and location.replace("%(here)s", here).replace("%%", "%")


def pyproject_location(text: str, here: str) -> str | None:
    """The folder that a pyproject.toml names.

    :param text: The file.
    :param here: The folder that it is in.
    :return: The folder, or ``None`` if it names none.
    """
    try:
        location = tomllib.loads(text)["tool"]["alembic"]["script_location"]
        return str.replace(location, "%(here)s", here)
    except (tomllib.TOMLDecodeError, KeyError, TypeError):
        return None


def _knows_flask_migrate(tree: ast.AST) -> bool:
    return any(
        isinstance(node, ast.Subscript)
        and isinstance(node.slice, ast.Constant)
        and node.slice.value == "migrate"
        for node in ast.walk(tree)
    )


def _customised(tree: ast.Module) -> t.Iterator[tuple[str, int, str]]:
    dicts = dict(_dicts(tree))
    texts = _docstrings(tree)

    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield from _in_call(node, dicts)
        elif isinstance(node, ast.Attribute | ast.Name):
            name = node.attr if isinstance(node, ast.Attribute) else node.id

            if name in _NAMES:
                yield name, node.lineno, _NAMES[name]
        elif isinstance(node, ast.Constant) and node not in texts:
            if isinstance(node.value, str) and "search_path" in node.value:
                yield "search_path", node.lineno, _EXECUTION


def _in_call(
    call: ast.Call, dicts: t.Mapping[str, list[tuple[str, int]]]
) -> t.Iterator[tuple[str, int, str]]:
    keywords = list(_keywords(call, dicts))
    function = getattr(call.func, "attr", None) or getattr(call.func, "id", None)

    for name, line in keywords:
        if name in _KEYWORDS:
            yield name, line, _KEYWORDS[name]
        elif function == "configure" and name not in _STANDARD:
            yield name, line, f"ALEMBIC_CONTEXT['{name}']"
        elif function == "run_migrations" and name != "engine_name":
            yield f"run_migrations({name})", line, "Alembic.run_migrations, overridden"


def _keywords(
    call: ast.Call, dicts: t.Mapping[str, list[tuple[str, int]]]
) -> t.Iterator[tuple[str, int]]:
    """The keywords of a call, with those in a dict that is passed by ``**``."""
    for keyword in call.keywords:
        if keyword.arg is not None:
            yield keyword.arg, keyword.value.lineno
        elif isinstance(keyword.value, ast.Name):
            yield from dicts.get(keyword.value.id, ())
        else:
            yield from _dict_keys(keyword.value)


def _dicts(tree: ast.AST) -> t.Iterator[tuple[str, list[tuple[str, int]]]]:
    """The dicts that are written out and have a name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            yield node.targets[0].id, list(_dict_keys(node.value))


def _dict_keys(node: ast.expr) -> t.Iterator[tuple[str, int]]:
    if isinstance(node, ast.Dict):
        for key in node.keys:
            if isinstance(key, ast.Constant) and isinstance(key.value, str):
                yield key.value, key.lineno
    elif isinstance(node, ast.Call) and getattr(node.func, "id", None) == "dict":
        for keyword in node.keywords:
            if keyword.arg is not None:
                yield keyword.arg, keyword.value.lineno


def _docstrings(tree: ast.AST) -> set[ast.AST]:
    return {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}


def _only_drops_empty(tree: ast.AST) -> bool:
    """Whether the revision directives are processed as Flask-Migrate's template does:
    a function of that name which knows nothing else.
    """
    functions = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
        and node.name == "process_revision_directives"
    ]
    return bool(functions) and all(
        {n.id for n in ast.walk(f) if isinstance(n, ast.Name)} <= _DROPS_EMPTY
        for f in functions
    )


def differences(
    tool: str, customised: t.Collection[str], problem: str
) -> t.Iterator[str]:
    """What is different from the tool that an env.py is of.

    :param tool: The tool.
    :param customised: What was changed in env.py.
    :param problem: Why it can't be read, if so.
    :return: Sentences.
    """
    if problem:
        yield f"env.py can't be read, {problem}. What it sets is not known."

    yield "env.py is not run: what it sets goes to the app's config."
    yield "alembic.ini is not read, unless ALEMBIC['config_file'] names it."

    if tool == FLASK_MIGRATE:
        yield "'flask db' is this extension's: take Migrate(app, db) out of the app."
        yield "Options of Migrate(...), such as compare_type, go to ALEMBIC_CONTEXT."
        yield "'flask db revision' compares too, unless --empty is given."

    if "compare_server_default" not in customised:
        yield (
            "Server defaults are compared: ALEMBIC_CONTEXT['compare_server_default']"
            " = False turns that off."
        )

    if "transaction_per_migration" not in customised:
        yield "Each revision is a transaction, not all pending ones together."
