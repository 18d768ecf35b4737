"""A few rounds of ``make chaos``, always the same ones."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from servers import Server

pytestmark = pytest.mark.faults

SCENARIOS = (
    "kill at a statement",
    "race with kills",
    "mended after kill",
)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_rounds(server: Server, scenario: str, tmp_path: Path) -> None:
    """Upgrades are injured, and when they are typed again everything is as it would be
    without faults.
    """
    options = ["--database", server.name, "--seed", "1", "--scenario", scenario]
    result = subprocess.run(
        [sys.executable, "-W", "error", "-m", "chaos", "--rounds", "3", *options],
        env={
            **os.environ,
            "PYTHONPATH": os.path.dirname(__file__),
            "TMPDIR": str(tmp_path),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert f"Injected on {server.name}: " in result.stdout
    assert list(tmp_path.iterdir()) == []
