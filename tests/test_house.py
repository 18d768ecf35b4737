"""The laws of the house, as far as a test can keep them.

The direction of imports is kept by the import-linter contracts in pyproject.toml.
"""

import ast
import inspect
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

import flask_alembic

PACKAGE = Path(flask_alembic.__file__).parent
"""The package as it is imported, which is not always the folder `src`."""

MODULES = {path.relative_to(PACKAGE).as_posix(): path for path in PACKAGE.rglob("*.py")}

LONGEST_MODULE = 300
LONGEST_FUNCTION = 50

LONG_MODULES = {
    "app_binding.py": "Half of the facade, of which most is documentation.",
    "extension.py": "The facade: a few lines a method, and the documentation of each.",
}
"""Modules that may be longer, each with the reason."""

UNDERSCORE_ROOMS = (
    "alembic_batch.py",
    "alembic_comparison.py",
    "alembic_internals.py",
    "revision_map.py",
    "scripts.py",
    "version_rows.py",
)
"""The modules that may use what Alembic does not promise to keep."""

PUBLIC_UNDERSCORES = ("_get_current_object",)
"""Attributes that are documented, and have an underscore to keep out of the way."""

CONTEXT_ROOMS = ("app_binding.py", "cli/", "web/")
"""The modules that may look for the current app."""

FLASK_MODULES = ("flask", "flask.globals")

ASYNCIO_ROOM = "async_engines.py"

LAZY_PACKAGES = (
    "alembic",
    "flask_alembic.adopt_reports",
    "flask_alembic.cli.completion",
    "flask_alembic.cli.forms",
    "flask_alembic.cli.fresh",
    "flask_alembic.cli.folder",
    "flask_alembic.cli.adopt",
    "flask_alembic.cli.options",
    "flask_alembic.cli.read",
    "flask_alembic.cli.repair",
    "flask_alembic.cli.run",
    "flask_alembic.cli.sql",
    "flask_alembic.cli.write",
    "flask_alembic.errors",
    "flask_alembic.history_reports",
    "flask_alembic.operations.",
    "flask_alembic.render",
    "flask_alembic.scratch",
    "flask_alembic.snapshot_reports",
    "flask_alembic.snapshots",
    "flask_alembic.testing",
    "flask_alembic.web",
)
"""What an app that only serves requests must not pay for. With a dot at the end: what
is in the package, but not the package itself."""


def each_module(*, but: t.Iterable[str] = ()) -> pytest.MarkDecorator:
    """Run a test for each module, but those whose path begins so."""
    names = [name for name in sorted(MODULES) if not name.startswith(tuple(but))]
    return pytest.mark.parametrize("name", names)


def test_exports() -> None:
    """The package shows the names in `__all__`, all of them, and no others."""
    names = set(flask_alembic.__all__)
    assert len(names) == len(flask_alembic.__all__)
    assert {name for name in names if not hasattr(flask_alembic, name)} == set()
    assert set(dir(flask_alembic)) == names

    defined = {
        name
        for name, value in vars(flask_alembic).items()
        if not name.startswith("_") and not inspect.ismodule(value)
    }
    assert defined - names - {"annotations"} == set()


def test_import_costs_no_alembic(tmp_path: Path) -> None:
    """An app with the extension imports neither Alembic nor any command."""
    code = f"""
import sys
from flask import Flask
from flask_alembic import Alembic
Alembic(Flask("house", root_path={str(tmp_path)!r}))
print(*sys.modules, sep="\\n")
"""
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr

    loaded = result.stdout.split()
    assert "flask_alembic.extension" in loaded
    assert [name for name in loaded if is_lazy(name)] == []


def test_module_length() -> None:
    """A long module wants splitting, and no module stays excused afterwards."""
    lengths = {name: len(read(name).splitlines()) for name in MODULES}
    too_long = {name for name, length in lengths.items() if length > LONGEST_MODULE}
    assert too_long == set(LONG_MODULES)


@each_module()
def test_function_length(name: str) -> None:
    """A long function wants splitting; its docstring does not count."""
    too_long = {
        node.name: length
        for node in nodes(name)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (length := function_length(node)) > LONGEST_FUNCTION
    }
    assert too_long == {}


@each_module(but=UNDERSCORE_ROOMS)
def test_underscored_attributes(name: str) -> None:
    """What others keep to themselves is used behind one door only."""
    assert [
        f"{name}:{node.lineno}: {ast.unparse(node)}"
        for node in nodes(name)
        if isinstance(node, ast.Attribute)
        and is_private(node.attr)
        and not is_own(node.value)
    ] == []


@each_module(but=CONTEXT_ROOMS)
def test_current_app(name: str) -> None:
    """Only the roof looks for the current app and its context; the rest is told."""
    proxies = {"current_app", "g", "flask.current_app", "flask.g"}
    assert [imported for imported in flask_names(name) if imported in proxies] == []


@each_module(but=[ASYNCIO_ROOM])
def test_asyncio(name: str) -> None:
    """Only one room knows event loops."""
    imported = {module.split(".")[0] for module in imported_modules(name)}
    assert "asyncio" not in imported


@each_module()
def test_silence(name: str) -> None:
    """The library returns what it has to say."""
    calls = [node for node in nodes(name) if isinstance(node, ast.Call)]
    assert [
        f"{name}:{call.lineno}"
        for call in calls
        if isinstance(call.func, ast.Name) and call.func.id == "print"
    ] == []


def is_lazy(module: str) -> bool:
    return any(
        module == package or module.startswith(f"{package.removesuffix('.')}.")
        for package in LAZY_PACKAGES
    )


def read(name: str) -> str:
    return MODULES[name].read_text(encoding="utf-8")


def nodes(name: str) -> t.Iterator[ast.AST]:
    return ast.walk(ast.parse(read(name), filename=name))


def function_length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Count the lines from `def` to the end, without those of the docstring."""
    assert node.end_lineno is not None
    length = node.end_lineno - node.lineno + 1

    if ast.get_docstring(node) is not None:
        docstring = node.body[0]
        assert docstring.end_lineno is not None
        length -= docstring.end_lineno - docstring.lineno + 1

    return length


def is_private(attribute: str) -> bool:
    return (
        attribute.startswith("_")
        and not attribute.startswith("__")
        and attribute not in PUBLIC_UNDERSCORES
    )


def is_own(value: ast.expr) -> bool:
    """Tell `self`, `cls` and `super()`: an object may use its own underscored names."""
    if isinstance(value, ast.Call):
        value = value.func

    return isinstance(value, ast.Name) and value.id in {"self", "cls", "super"}


def imported_modules(name: str) -> t.Iterator[str]:
    """List what a module imports from outside, wherever in it the import stands."""
    for node in nodes(name):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            assert node.module is not None
            yield node.module


def flask_names(name: str) -> t.Iterator[str]:
    """List what a module takes from Flask, by import or by attribute."""
    for node in nodes(name):
        if isinstance(node, ast.ImportFrom) and node.module in FLASK_MODULES:
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.Attribute):
            yield ast.unparse(node)
