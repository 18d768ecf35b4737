"""Runs a command, and writes down what it took. Linux counts the memory of the process
that starts another one in the peak of that one, so this one has to be small.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time


def main() -> None:
    """Run the command that follows the name of the file to write."""
    report, *command = sys.argv[1:]
    started = time.perf_counter()
    process = os.posix_spawn(command[0], command, os.environ)
    _, status, usage = os.wait4(process, 0)
    found = {
        "wall": time.perf_counter() - started,
        "cpu": usage.ru_utime + usage.ru_stime,
        "peak": usage.ru_maxrss / 1024,
    }

    with open(report, "w") as file:
        json.dump(found, file)

    code = os.waitstatus_to_exitcode(status)
    sys.exit(code if code >= 0 else f"ended by {signal.Signals(-code).name}")


if __name__ == "__main__":
    main()
