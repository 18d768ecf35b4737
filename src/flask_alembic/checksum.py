"""What a revision file does, as a short text to compare: formatting and comments do not
change it. Pure.
"""

from __future__ import annotations

import ast
import hashlib
import typing as t
import warnings

# What is hashed may be another thing one day. Texts of two versions say nothing of each
# other.
_VERSION: t.Final = "1"

# Where a revision stands is compared apart from what it does.
_HEADER: t.Final = frozenset(
    {"revision", "down_revision", "branch_labels", "depends_on"}
)

# What the parser notes of the writing: u"" or "", (x): int or x: int, load or store,
# and where it stands.
_WRITING: t.Final = frozenset(
    {
        "col_offset",
        "ctx",
        "end_col_offset",
        "end_lineno",
        "kind",
        "lineno",
        "simple",
        "type_comment",
        "type_ignores",
    }
)

_BLOCKS: t.Final = frozenset({"body", "orelse", "finalbody"})

_WITH_DOCSTRING: t.Final = (
    ast.AsyncFunctionDef,
    ast.ClassDef,
    ast.FunctionDef,
    ast.Module,
)


def file_hash(content: bytes) -> str:
    """What tells at once that a file is the same.

    :param content: What is in the file.
    :return: 64 characters.
    """
    return hashlib.sha256(content).hexdigest()


def checksum(content: bytes) -> str | None:
    """What stays the same when a file is formatted. It is the same in all versions of
    Python, which ``ast.dump()`` and ``ast.unparse()`` are not.

    :param content: What is in the file.
    :return: 66 characters; ``None`` if it is no Python source.
    """
    try:
        text = _dump(_parse(content))
    # Null bytes and numbers that are too long, nesting that is too deep.
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None

    return f"{_VERSION}-{hashlib.sha256(text.encode('ascii')).hexdigest()}"


def is_same(one: str | None, other: str | None) -> bool:
    """Whether two checksums may be of the same code.

    :param one: A checksum; ``None`` if none was made.
    :param other: Another.
    :return: ``False`` only if the code is another one for sure.
    """
    if one is None or other is None:
        return True

    return one == other or one.partition("-")[0] != other.partition("-")[0]


def _parse(content: bytes) -> ast.Module:
    with warnings.catch_warnings():
        # Such as of a wrong escape. Who loads the file is told of it.
        warnings.simplefilter("ignore")
        return ast.parse(content)


def _dump(node: object) -> str:
    """The text of a part of the tree, in few calls: it is made of each revision that
    runs.
    """
    if isinstance(node, ast.AST):
        return _dump_node(node)

    if isinstance(node, list):
        return f"[{','.join([_dump(item) for item in node])}]"

    # Not repr(): which characters it escapes depends on the version of Unicode.
    return ascii(node)


def _dump_node(node: ast.AST) -> str:
    """A node with the fields that mean something. Newer versions of Python add fields,
    which are empty where nothing new is used.
    """
    fields = []

    for name, value in sorted(vars(node).items()):
        if value is None or name in _WRITING:
            continue

        kept = _kept(node, name, value) if isinstance(value, list) and value else value

        if kept != []:
            fields.append(f"{name}={_dump(kept)}")

    return f"{type(node).__name__}({','.join(fields)})"


def _kept(node: ast.AST, name: str, value: list[t.Any]) -> list[t.Any]:
    if isinstance(node, ast.JoinedStr):
        return _joined(node.values)

    if isinstance(node, ast.Delete):
        return _without_parentheses(node.targets)

    if name in _BLOCKS:
        return _statements(node, name, value)

    return value


def _statements(node: ast.AST, name: str, found: list[ast.stmt]) -> list[ast.stmt]:
    if name == "body" and isinstance(node, _WITH_DOCSTRING) and _is_text(found[0]):
        found = found[1:]

    is_module = isinstance(node, ast.Module)
    return [
        statement
        for statement in found
        if not isinstance(statement, ast.Pass)
        and not (is_module and _is_header(statement))
    ]


def _is_text(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def _is_header(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.AnnAssign):
        return _names(statement.target) <= _HEADER

    return isinstance(statement, ast.Assign) and all(
        _names(target) <= _HEADER for target in statement.targets
    )


def _names(target: ast.expr) -> set[str]:
    if isinstance(target, ast.Tuple):
        return {name for item in target.elts for name in _names(item)}

    # The empty name is none of a header's.
    return {target.id if isinstance(target, ast.Name) else ""}


def _joined(values: list[ast.expr]) -> list[ast.expr]:
    """The parts of an f-string. Versions of Python differ in how they split the plain
    ones.
    """
    result: list[ast.expr] = []

    for value in values:
        last = result[-1] if result else None

        if isinstance(value, ast.Constant) and isinstance(last, ast.Constant):
            result[-1] = ast.Constant(f"{last.value!s}{value.value!s}")
        else:
            result.append(value)

    return [v for v in result if not (isinstance(v, ast.Constant) and v.value == "")]


def _without_parentheses(targets: list[ast.expr]) -> list[ast.expr]:
    """What is deleted: ``del (a, b)`` is ``del a, b``."""
    return [
        item
        for target in targets
        for item in (target.elts if isinstance(target, ast.Tuple) else [target])
    ]
