"""Runs commands and workers in fresh processes, and tells what they took."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import typing as t
from pathlib import Path

from bench.measuring import Missing
from bench.measuring import Sample
from tools import Environment

LAUNCHER: t.Final = Path(__file__).with_name("launcher.py")
BENCHMARKS: t.Final = Path(__file__).resolve().parent.parent
LIMIT: t.Final = 300
"""Seconds after which a process counts as one that hangs."""


def run_command(
    command: t.Sequence[str], folder: Path, **variables: str
) -> tuple[Sample, str]:
    """Run a command.

    :param command: The path of a program, and its arguments.
    :param folder: Where it runs.
    :param variables: For its environment.
    :return: What it took, and what it printed.
    :raises Missing: If it fails.
    """
    with tempfile.NamedTemporaryFile("r") as report:
        launched = [sys.executable, "-S", "-E", str(LAUNCHER), report.name, *command]
        process = subprocess.Popen(
            launched,
            cwd=folder,
            env=_environment(variables),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        output, errors = _wait(process)

        if process.returncode:
            raise Missing(_reason(errors))

        return Sample(**json.load(report)), output


def run_worker(
    environment: Environment, name: str, folder: Path, **task: t.Any
) -> Sample:
    """Let a module of :mod:`bench.workers` measure something in an environment.

    :param environment: The environment of a tool.
    :param name: The name of the module.
    :param folder: Where it runs.
    :param task: What the worker is told, as JSON.
    :return: What it measured, which is less than its process took.
    :raises Missing: If it fails, or what it measures does not exist.
    """
    program = environment.binary("python")
    command = [program, "-m", f"bench.workers.{name}", json.dumps(task)]
    whole, output = run_command(command, folder, PYTHONPATH=str(BENCHMARKS))
    found = json.loads(output.splitlines()[-1])

    if "missing" in found:
        raise Missing(found["missing"])

    wall, cpu = found.pop("wall"), found.pop("cpu")
    return Sample(wall, cpu, peak=whole.peak, facts=found)


def _environment(variables: t.Mapping[str, str]) -> dict[str, str]:
    """What the caller has, without what is meant for an app or a Python of theirs."""
    own = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("FLASK_", "PYTHON", "COVERAGE_"))
    }
    return {**own, **variables}


def _reason(errors: str) -> str:
    """Why a program failed: its last line that names an error, or its last line."""
    lines = errors.strip().splitlines() or ["it failed"]
    named = [line for line in lines if re.match(r"[\w.]*(Error|Exception)\b", line)]
    return (named or lines)[-1]


def _wait(process: subprocess.Popen[str]) -> tuple[str, str]:
    try:
        return process.communicate(timeout=LIMIT)
    except subprocess.TimeoutExpired:
        raise Missing(f"it hung for {LIMIT} s") from None
    finally:
        if process.poll() is None:
            # The command is a child of the launcher.
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
