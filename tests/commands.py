"""Commands, each in a process of its own, which does not have to import everything: it
is forked from one that has.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
import tempfile
import typing as t
from pathlib import Path

PROGRAM: t.Final = Path(__file__).with_name("forked_commands.py")


class CommandServer:
    """The process that others are forked from."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-u", PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )

    def run(
        self,
        arguments: t.Sequence[str],
        folder: Path,
        environment: t.Mapping[str, str],
        output: Path,
        errors: Path | None = None,
        later: int = 0,
    ) -> int:
        """Run a command, and wait until it ends.

        :param arguments: As they are typed: ``flask``, ``alembic`` or ``python``, and
            what comes after it.
        :param folder: Where.
        :param environment: All variables.
        :param output: The file that gets what is printed.
        :param errors: The file that gets the errors, if that is another one.
        :param later: The seconds that the process lives later than we do.
        :return: The exit code, or the number of the signal that killed it, negative.
        """
        request = {
            "arguments": arguments,
            "folder": str(folder),
            "environment": dict(environment),
            "output": str(output),
            "errors": str(errors or output),
            "later": later,
        }
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{json.dumps(request)}\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def close(self) -> None:
        """End."""
        self._process.communicate()


@functools.cache
def command_server() -> CommandServer:
    """The one of all tests of this process."""
    return CommandServer()


def close_command_server() -> None:
    """End it, when the tests are over."""
    if command_server.cache_info().currsize:
        command_server().close()


def run(
    *arguments: str, folder: Path | None = None, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run a command, and get what it prints.

    :param arguments: As they are typed: ``flask``, ``alembic`` or ``python``, and what
        comes after it.
    :param folder: Where.
    :param variables: Environment variables beside our own.
    """
    with tempfile.TemporaryDirectory() as name:
        output, errors = Path(name, "output"), Path(name, "errors")
        environment = {**os.environ, **variables}
        code = command_server().run(
            arguments, folder or Path.cwd(), environment, output, errors
        )
        return subprocess.CompletedProcess(
            arguments, code, output.read_text("utf-8"), errors.read_text("utf-8")
        )
