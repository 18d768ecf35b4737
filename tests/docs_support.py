"""Runs what the documentation shows, in a folder of its own for each page.

A block of Python and the like is a file: its first line is a comment with the file's
name. Where the next line is ``...``, the block stands in for what it defines, and the
rest of the file stays. A console block is run by bash, command by command, and what it
prints is compared to what the page says.

To let pages tell what the commands print now, run

    .venv/bin/python tests/docs_support.py README.md docs/*.md
"""

from __future__ import annotations

import ast
import difflib
import itertools
import os
import re
import shlex
import subprocess
import sys
import tempfile
import typing as t
from pathlib import Path

from sybil import Document
from sybil import Example
from sybil import Sybil
from sybil.parsers.myst import CodeBlockParser

from commands import CommandServer
from kept_databases import drop_kept
from servers import Databases
from servers import find

HOME: t.Final = "/home/ada"
"""What the pages call the folder that the apps lie in."""

SERVERS: t.Final = {
    "locks.md": "postgresql",
    "mysql.md": "mariadb",
    "tenants.md": "postgresql",
}
"""The pages that need a server: theirs is the URL in ``DATABASE_URL``."""

FILES: t.Final = ("python", "ini", "mako", "bash")
"""The languages whose blocks are files."""

# Ours are timestamps; those of other tools are made of twelve digits.
_ID: t.Final = re.compile(
    r"(?<!\d)1[5-9]\d{8}(?!\d)|(?<![a-z0-9])[0-9a-f]{12}(?![a-z0-9])"
)
_FIRST_ID: t.Final = 1767605400
_VARYING: t.Final = (
    (re.compile(r" *\b\d+ ms\b"), " N ms"),
    (re.compile(r"\b\d+\.\d s\b|(?<=for )\d+ s\b"), "N s"),
    (re.compile(r"\bsession \d+\b"), "session N"),
    (re.compile(r"\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?"), "TIME"),
    (re.compile(r"\b0x[0-9a-f]+\b"), "0xADDRESS"),
    # Who ran a revision, where, and by which version.
    (re.compile(r"[\w.-]+@[\w.-]+( \(.*|…)$", re.MULTILINE), "WHO"),
)
_TRACEBACK: t.Final = re.compile(r"(Traceback .*\n)((?: .*\n)+)")
_ASSIGNMENT: t.Final = re.compile(r"\w+=")
_FILE: t.Final = re.compile(r"# ([\w./-]+\.(?:py|mako|ini|sh))\n")


class Ids:
    """The ids on one side, by the order in which they appear. The page and the run
    are told alike if both name their first, second ... id in the same places.
    """

    def __init__(self) -> None:
        self.known: list[str] = []

    def number(self, id_: str) -> int:
        if id_ not in self.known:
            self.known.append(id_)

        return self.known.index(id_)


class Runner:
    """Runs commands as a terminal would. ``flask`` and ``python`` need not import
    everything; anything else is bash's.
    """

    def __init__(self) -> None:
        self._server = CommandServer()
        self._later = itertools.count(step=10)

    def run(
        self, command: str, folder: Path, environment: dict[str, str], output: Path
    ) -> int:
        """Run a command.

        :param command: As it is typed.
        :param folder: Where.
        :param environment: All variables.
        :param output: The file that gets what is printed.
        :return: The exit code.
        """
        words = _words(command)
        program = next((word for word in words if not _ASSIGNMENT.match(word)), "")

        at = words.index(program) if program else 0
        is_script = program == "python" and words[at + 1].endswith(".py")

        if program != "flask" and not is_script:
            return _bash(command, folder, environment, output)

        more = dict(word.split("=", 1) for word in words[:at])
        # Ids are made of the time, in seconds: a person does not type so fast. And a
        # page shows what is in a folder without what Python keeps there.
        variables = {**environment, **more, "PYTHONDONTWRITEBYTECODE": "1"}
        return self._server.run(
            words[at:], folder, variables, output, later=next(self._later)
        )

    def close(self) -> None:
        """End."""
        self._server.close()


class Page:
    """One page of the documentation, and the folder that its commands run in.

    :param runner: What runs the commands.
    :param path: The page.
    :param folder: An empty folder, which the page calls ``/home/ada``.
    :param url: What ``DATABASE_URL`` is set to for the commands.
    :param rewrite: Whether to note what is printed instead of comparing it.
    """

    def __init__(
        self,
        runner: Runner,
        path: Path,
        folder: Path,
        url: str,
        *,
        rewrite: bool = False,
    ) -> None:
        self.document: Document = Sybil(
            [
                *(CodeBlockParser(name, self._write) for name in FILES),
                CodeBlockParser("console", self._console),
            ]
        ).parse(path)
        self.runner = runner
        self.home = folder.resolve()
        self.folder = self.home / "todo"
        self.folder.mkdir()
        self.environment = new_environment(DATABASE_URL=url)
        self.rewrite = rewrite
        self.told = Ids()
        self.real = Ids()
        self.times = itertools.count(_FIRST_ID)
        self.exit_code = 0
        self.printed: dict[tuple[int, int], str] = {}

    def run(self) -> None:
        """Write the files and run the commands, in the order of the page."""
        for example in self.document.examples():
            example.evaluate()

    def text(self) -> str:
        """The page with what was printed when it was run."""
        text = self.document.text

        for (start, end), block in sorted(self.printed.items(), reverse=True):
            text = text[:start] + block + text[end:]

        return text

    def _write(self, example: Example) -> str | None:
        """Write a Python block to the file that it names."""
        source = self._translate(str(example.parsed))
        match = _FILE.match(source)

        if match is None:
            return "A Python block begins with a comment that names its file."

        path = self.folder / match[1]
        path.parent.mkdir(parents=True, exist_ok=True)
        rest = source[match.end() :]

        if rest.startswith("...\n"):
            source = splice(path.read_text("utf-8"), rest.removeprefix("...\n"))

        path.write_text(source, "utf-8")
        # Python compiles a file anew if its time, in seconds, is another one.
        os.utime(path, (time := next(self.times), time))
        return None

    def _console(self, example: Example) -> str | None:
        """Run the commands of a block, and compare what they print."""
        block = str(example.parsed)
        sessions = commands(block)
        result = []

        for index, (command, wanted) in enumerate(sessions):
            printed = self._run(command)
            followers = [command for command, _ in sessions[index + 1 : index + 2]]
            told = (
                re.search(r"^Error: ", printed, re.MULTILINE) or "Traceback" in wanted
            )

            if self.exit_code and not told and followers != ["echo $?"]:
                return f"$ {command}\n{printed}\nexit code {self.exit_code}"

            ours = self._canonical(printed, self.real)
            theirs = self._canonical(wanted, self.told)
            agree = agrees(theirs, ours)

            if not agree and not self.rewrite:
                return f"$ {command}\n{_difference(theirs, ours)}\n\n{printed}"

            shown = wanted if agree else self._as_told(printed)
            result.append(f"$ {command}\n{shown}")

        start = example.region.start + example.parsed.offset
        self.printed[start, start + len(block)] = "".join(result)
        return None

    def _run(self, command: str) -> str:
        """Run a command, and get what it prints."""
        if command.startswith("cd "):
            self.folder = (self.folder / command.removeprefix("cd ")).resolve()
            return ""

        output = self.home / ".output"
        self.exit_code = self.runner.run(
            self._translate(command).replace("$?", str(self.exit_code)),
            self.folder,
            self.environment,
            output,
        )
        return output.read_text("utf-8").replace(str(self.home), HOME)

    def _translate(self, text: str) -> str:
        """Put the ids of the run in the place of those that the page names."""

        def real(match: re.Match[str]) -> str:
            if match[0] not in self.told.known:
                return match[0]

            return self.real.known[self.told.number(match[0])]

        return _ID.sub(real, text)

    def _canonical(self, text: str, ids: Ids) -> str:
        text = _ID.sub(lambda match: f"<id {ids.number(match[0])}>", text)

        for pattern, name in _VARYING:
            text = pattern.sub(name, text)

        return "\n".join(line.rstrip() for line in text.rstrip().splitlines())

    def _as_told(self, printed: str) -> str:
        """What was printed, with the ids that the page uses."""

        def told(match: re.Match[str]) -> str:
            number = self.real.number(match[0])

            while len(self.told.known) <= number:
                new = _FIRST_ID + 90061 * len(self.told.known)
                is_ours = len(match[0]) == len(str(new))
                self.told.number(str(new) if is_ours else f"{new * 99991:012x}")

            return self.told.known[number]

        printed = _TRACEBACK.sub(_shortened, _ID.sub(told, printed))
        return "".join(f"{line.rstrip()}\n" for line in printed.rstrip().splitlines())


def commands(block: str) -> list[tuple[str, str]]:
    """Split a console block into commands and what they print."""
    result: list[tuple[str, str]] = []

    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, printed = re.sub(r"\\\n +", "\0", part).partition("\n")
        result.append((command.replace("\0", "\\\n    "), printed))

    return result


def agrees(wanted: str, printed: str) -> bool:
    """Whether what was printed is what the page says. There, a line ``...`` stands for
    any number of lines.
    """
    parts = re.split(r"^\.\.\.\n", f"{wanted}\n", flags=re.MULTILINE)
    pattern = r"(?:.*\n)*".join(map(re.escape, parts))
    return re.fullmatch(pattern, f"{printed}\n") is not None


def splice(source: str, part: str) -> str:
    """Replace in a file what a part of it defines anew. What is new comes before the
    next thing that is replaced, or at the end; an import at the beginning.
    """
    lines = source.splitlines()
    first, *_ = ast.parse(source).body
    docstring = first.end_lineno or 0 if ast.get_docstring(ast.parse(source)) else 0
    known = {name: node for node in ast.parse(source).body for name in _names(node)}
    changes: dict[tuple[int, int], list[str]] = {}
    imports: list[str] = []
    new: list[str] = []

    for node in ast.parse(part).body:
        text = part.splitlines()[_start(node) : node.end_lineno]
        old = next((known[name] for name in _names(node) if name in known), None)

        if old is not None:
            changes[_start(old), old.end_lineno or 0] = [*new, *text]
            new = []
        elif isinstance(node, ast.Import | ast.ImportFrom):
            imports += text
        else:
            new += [*text, "", ""]

    for (start, end), text in sorted(changes.items(), reverse=True):
        lines[start:end] = text

    lines[docstring:docstring] = imports
    return "\n".join([*lines, "", "", *new])


def _start(node: ast.stmt) -> int:
    """The line that a statement begins at, counted from 0, with its decorators."""
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(item.lineno for item in decorators)]) - 1


def _names(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.ClassDef | ast.FunctionDef):
        return [node.name]

    if isinstance(node, ast.Assign):
        return [ast.unparse(target) for target in node.targets]

    if isinstance(node, ast.Import | ast.ImportFrom):
        return [ast.unparse(node)]

    return []


def _words(command: str) -> list[str]:
    """The words of a command; none if it takes a shell to understand it."""
    command = command.replace("\\\n", " ")
    return [] if re.search(r"[;|&<>$*?`\\]", command) else shlex.split(command)


def _bash(command: str, folder: Path, environment: dict[str, str], output: Path) -> int:
    with output.open("wb") as file:
        return subprocess.run(
            ["bash", "-c", command],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            check=False,
        ).returncode


def new_environment(**more: str) -> dict[str, str]:
    """What a new user has: nothing that the caller set for an app of their own."""
    own = {k: v for k, v in os.environ.items() if not k.startswith("FLASK_")}
    binaries = Path(sys.executable).parent
    return {
        **own,
        "PATH": f"{binaries}{os.pathsep}{own.get('PATH', '')}",
        "LC_ALL": "C.UTF-8",
        **more,
    }


def _shortened(traceback: re.Match[str]) -> str:
    """A traceback without what differs between machines and versions of Python."""
    lines = traceback[2].splitlines(keepends=True)
    kept = lines[:2] if HOME in lines[0] else []
    return "".join([traceback[1], *kept, "...\n"])


def _difference(wanted: str, printed: str) -> str:
    lines = difflib.unified_diff(
        wanted.splitlines(), printed.splitlines(), "page", "run", lineterm=""
    )
    return "\n".join(lines)


def main() -> None:
    """Rewrite pages, so that they tell what is printed."""
    runner = Runner()

    for path in map(Path, sys.argv[1:]):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            databases = Databases(find(SERVERS.get(path.name, "sqlite")), folder)
            page = Page(runner, path, folder, databases.make(), rewrite=True)

            try:
                page.run()
            finally:
                databases.drop_all()
                path.write_text(page.text(), "utf-8")

    drop_kept()
    runner.close()


if __name__ == "__main__":
    main()
