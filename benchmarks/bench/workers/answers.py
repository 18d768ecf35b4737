"""How a worker is told what to do, times it, and answers."""

from __future__ import annotations

import json
import sys
import time
import typing as t

Task = dict[str, t.Any]
Found = dict[str, t.Any]


class Missing(Exception):
    """What is to be measured does not exist in this version."""


def answer(measure: t.Callable[[Task], Found]) -> None:
    """Do what the command line says, and print what was found.

    :param measure: Gets the task, returns what was found: ``wall``, ``cpu`` and more.
    """
    try:
        found = measure(json.loads(sys.argv[1]))
    except Missing as error:
        found = {"missing": str(error)}

    print(f"\n{json.dumps(found)}", flush=True)


def timed(function: t.Callable[[], t.Any]) -> tuple[t.Any, Found]:
    """Call a function once.

    :return: What it returned, and the seconds it took: ``wall`` and ``cpu``.
    """
    started, cpu = time.perf_counter(), time.process_time()
    result = function()
    return result, {
        "wall": time.perf_counter() - started,
        "cpu": time.process_time() - cpu,
    }


def method(extension: object, name: str) -> t.Callable[..., t.Any]:
    """A method that not all versions have.

    :raises Missing: If this one does not.
    """
    found: t.Callable[..., t.Any] | None = getattr(extension, name, None)

    if found is None:
        raise Missing(f"AttributeError: there is no Alembic.{name}()")

    return found
