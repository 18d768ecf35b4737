"""Commands, each in a process of its own, which does not have to import everything: it
is forked from one that has.
"""

from __future__ import annotations

import functools
import json
import os
import signal
import subprocess
import sys
import tempfile
import typing as t
from pathlib import Path

PROGRAM: t.Final = Path(__file__).with_name("forked_commands.py")

LONG: t.Final = 120.0
"""Seconds after which a process is thought to hang. Nothing takes so long."""


class CommandServer:
    """The process that others are forked from."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-u", PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )

    def start(
        self,
        arguments: t.Sequence[str],
        folder: Path,
        environment: t.Mapping[str, str],
        output: Path,
        errors: Path | None = None,
        later: int = 0,
    ) -> int:
        """Start a command: the id of its process. It has to be waited for.

        :param arguments: As they are typed: ``flask``, ``alembic`` or ``python``, and
            what comes after it.
        :param folder: Where.
        :param environment: All variables.
        :param output: The file that gets what is printed.
        :param errors: The file that gets the errors, if that is another one.
        :param later: The seconds that the process lives later than we do.
        """
        pid: int = self._ask(
            arguments=arguments,
            folder=str(folder),
            environment=dict(environment),
            output=str(output),
            errors=str(errors or output),
            later=later,
        )
        return pid

    def wait(self, pid: int, seconds: float = LONG) -> int:
        """Wait until a process ends, and kill it if that takes too long.

        :return: The exit code, or the number of the signal that killed it, negative.
        """
        code: int | None = self._ask(pid=pid, seconds=seconds)

        if code is None:
            os.kill(pid, signal.SIGKILL)
            self.wait(pid)
            raise TimeoutError(f"process {pid} did not end")

        return code

    def run(self, arguments: t.Sequence[str], *args: t.Any, **kwargs: t.Any) -> int:
        """Run a command, and wait until it ends. It is told as to :meth:`start`."""
        return self.wait(self.start(arguments, *args, **kwargs))

    def _ask(self, **request: t.Any) -> t.Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{json.dumps(request)}\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

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


def run_command(
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
