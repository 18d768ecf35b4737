"""An unusual header, read from the syntax of its file without running it. Pure."""

from __future__ import annotations

import ast
import typing as t
import warnings

from .header import Header
from .header import Ids
from .header import NAMES

_BOUND: t.Final = frozenset({*NAMES, "__doc__"})

# By these a name can be set without being written where it is.
_HIDDEN: t.Final = frozenset(
    {
        "__builtins__",
        "__dict__",
        "__import__",
        "eval",
        "exec",
        "f_globals",
        "globals",
        "locals",
        "modules",
        "setattr",
        "vars",
    }
)

_FUNCTIONS: t.Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def parse_header(content: bytes) -> Header | None:
    """Read a header that is a plain assignment for each name, whatever else is in the
    file.

    :param content: All that is in the file.
    :return: What running the file would define; ``None`` if only that can tell, as
        where a value is computed.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # such as of a wrong escape
            module = ast.parse(content)
    # Null bytes, nesting that is too deep: who runs the file is told of it.
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None

    values = _plain_values(module)

    if values is None or "revision" not in values or "down_revision" not in values:
        return None

    revision = values["revision"]

    if not isinstance(revision, str):
        return None

    return Header(
        revision,
        values["down_revision"],
        values.get("branch_labels"),
        values.get("depends_on"),
        ast.get_docstring(module, clean=False),
    )


def _plain_values(module: ast.Module) -> dict[str, Ids] | None:
    """The values that plain assignments give, if nothing else may give another."""
    values: dict[str, Ids] = {}
    others: list[ast.stmt] = []

    try:
        for statement in module.body:
            names = _assigned(statement)

            if names and names <= _BOUND - {"__doc__"}:
                value = _value(t.cast(ast.Assign, statement).value)
                values.update(dict.fromkeys(names, value))
            else:
                others.append(statement)
    except ValueError:
        return None

    return None if _may_bind(others) else values


def _assigned(statement: ast.stmt) -> set[str]:
    """The names that an assignment sets, if it sets nothing but names."""
    targets: list[ast.expr]

    if isinstance(statement, ast.AnnAssign) and statement.value is not None:
        targets = [statement.target]
    elif isinstance(statement, ast.Assign):
        targets = statement.targets
    else:
        return set()

    names = {target.id for target in targets if isinstance(target, ast.Name)}
    return names if len(names) == len(targets) else set()


def _value(node: ast.expr) -> Ids:
    value = ast.literal_eval(node)
    items = value if isinstance(value, (tuple, list)) else [value or ""]

    if not all(isinstance(item, str) for item in items):
        raise ValueError(f"not an id: {value!r}")

    return t.cast(Ids, value)


def _may_bind(statements: list[ast.stmt]) -> bool:
    """Whether statements set one of the names when the file is run: themselves, or by
    a function of the file that they call.
    """
    outer = [node for statement in statements for node in _run_at_once(statement)]
    suspects = [
        node
        for node in outer
        if isinstance(node, (*_FUNCTIONS, ast.ClassDef))
        and any(_is_hidden_or_global(inner) for inner in ast.walk(node))
    ]

    # Who calls a lambda, or what a decorator does, does not show.
    named = [
        suspect
        for suspect in suspects
        if not isinstance(suspect, ast.Lambda) and not suspect.decorator_list
    ]

    if len(named) < len(suspects):
        return True

    names = {suspect.name for suspect in named}
    return any(
        _binds(node) or (isinstance(node, ast.Name) and node.id in names)
        for node in outer
    )


def _run_at_once(node: ast.AST) -> t.Iterator[ast.AST]:
    """A node and all below it, without what is in functions: that is run later. Their
    decorators and defaults are not.
    """
    yield node

    for name, value in ast.iter_fields(node):
        if isinstance(node, _FUNCTIONS) and name == "body":
            continue

        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, ast.AST):
                yield from _run_at_once(item)


def _is_hidden_or_global(node: ast.AST) -> bool:
    return _is_hidden(node) or (
        isinstance(node, ast.Global) and not _BOUND.isdisjoint(node.names)
    )


def _is_hidden(node: ast.AST) -> bool:
    if isinstance(node, ast.Name):
        return node.id in _HIDDEN

    return isinstance(node, ast.Attribute) and node.attr in _HIDDEN


def _binds(node: ast.AST) -> bool:
    """Whether a node sets one of the names, or any name, for all that shows."""
    if isinstance(node, ast.alias):
        name = node.asname or node.name.partition(".")[0]
        return name in _BOUND or name == "*"

    if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
        return node.id in _BOUND

    # Functions and classes, "except ... as", and the patterns of "match".
    named = {getattr(node, "name", None), getattr(node, "rest", None)}
    return not _BOUND.isdisjoint(named) or _is_hidden(node)
