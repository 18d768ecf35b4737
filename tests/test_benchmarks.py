"""The benchmark tells what it measured. How long anything takes is not tested."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import typing as t
from datetime import datetime
from pathlib import Path
from xml.etree import ElementTree

import pytest

from bench.chart import draw
from bench.comparisons import against_base
from bench.comparisons import against_peer
from bench.histories import depending
from bench.histories import linear
from bench.histories import merging
from bench.histories import rotating
from bench.histories import Step
from bench.lines import duration
from bench.lines import Limit
from bench.lines import Line
from bench.lines import number
from bench.lines import Point
from bench.lines import problems
from bench.lines import table
from bench.measuring import alternate
from bench.measuring import Contestant
from bench.measuring import Missing
from bench.measuring import Race
from bench.measuring import Sample
from bench.results import BEGIN
from bench.results import END
from bench.results import replace_part
from bench.results import Results
from bench.results import to_json
from tools import OURS

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
PEER = "peer"
NOON = datetime(2026, 1, 2, 12)


def test_in_turns() -> None:
    """Contestants run in turns; a round that warms up does not count, and one that may
    run less often stops earlier.
    """
    ran: list[str] = []

    def contestant(name: str, rounds: int | None = None) -> Contestant:
        def run() -> Sample:
            ran.append(name)
            return Sample(len(ran), 1)

        return Contestant(name, run, rounds)

    race = alternate([contestant("a"), contestant("b", 1)], 2, warm_up=True)
    assert ran == ["a", "b", "a", "b", "a"]
    assert [sample.wall for sample in race.samples["a"]] == [3, 5]
    assert [sample.wall for sample in race.samples["b"]] == [4]


def test_missing() -> None:
    """One that can't run is out, and the others go on."""
    calls: list[int] = []

    def fail() -> Sample:
        calls.append(1)
        raise Missing("there is none")

    contestants = [Contestant("a", fail), Contestant("b", lambda: Sample(1, 1))]
    race = alternate(contestants, 3)
    assert race.problems == {"a": "there is none"}
    assert len(calls) == 1
    assert race.median("a", "wall") is None
    assert race.ratio("a", "b", "wall") is None
    assert len(race.samples["b"]) == 3


def test_medians() -> None:
    """A median is that of the rounds, a ratio that of the ratios in the rounds, so far
    as both ran.
    """
    race = race_of(a=[(2, 1), (30, 1), (4, 1)], b=[(1, 1), (10, 1)])
    assert race.median("a", "wall") == 4
    assert race.ratio("a", "b", "wall") == 2.5
    assert race.without("b").samples.keys() == {"a"}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.0123, "0.0123"),
        (1, "1"),
        (1.239, "1.24"),
        (12.34, "12.3"),
        (250, "250"),
    ],
)
def test_number(value: float, text: str) -> None:
    """A number has three digits."""
    assert number(value) == text


@pytest.mark.parametrize(("seconds", "text"), [(0.0123, "12.3 ms"), (2.5, "2.5 s")])
def test_duration(seconds: float, text: str) -> None:
    """A short time is in milliseconds."""
    assert duration(seconds) == text


def test_limit() -> None:
    """A limit says which side of it is asked for."""
    assert str(Limit(1.12, "× bare")) == "≤ 1.12 × bare"
    assert str(Limit(4, "times faster", at_least=True)) == "≥ 4 times faster"
    assert Limit(1, "x").is_met(1) and not Limit(1, "x").is_met(1.01)
    assert Limit(4, "x", at_least=True).is_met(4)


def test_table() -> None:
    """The table has a row a line and a column a tool, all of one width, and says what
    is not measured, and why.
    """
    base = race_of(
        **{"bare": [(1.0, 2.0)], OURS.name: [(1.0, 2.2)], PEER: [(1.0, 4.0)]}
    )
    none = Race()
    none.problems[OURS.name] = "AttributeError: there is none"
    lines = [
        against_base("a", "heads", base, "bare", Limit(1.12, "× bare")),
        against_peer(
            "g", "prepare", none, PEER, Limit(8, "times faster", at_least=True)
        ),
    ]
    rows = table(lines, [PEER]).splitlines()
    assert len({len(row) for row in rows}) == 1
    assert [re.split(r"\s*\|\s*", row.strip("| ")) for row in rows[2:]] == [
        ["a", "heads", "≤ 1.12 × bare", "1.1", "2", "yes", "cpu", "1"],
        ["g", "prepare", "≥ 8 times faster", "-", "-", "-", "-", "-"],
    ]
    assert problems(lines) == ["g. this package: AttributeError: there is none"]


def test_against_peer() -> None:
    """Beside how often faster it was, a line tells how long it took."""
    race = race_of(**{OURS.name: [(2, 1), (2, 1)], PEER: [(8, 1), (16, 1)]})
    limit = Limit(7, "times faster", at_least=True)
    faster = against_peer("h", "upgrade", race, PEER, limit)
    assert (faster.value, faster.verdict) == (6, "no")
    assert faster.cells == {OURS.name: "6 (2 s)", PEER: "12 s"}
    share = against_peer("f", "upgrade", race, PEER, Limit(1, "of its time"))
    assert (share.value, share.verdict) == (0.1875, "yes")


def test_chart() -> None:
    """The chart has a panel for each kind of work, and a line for each tool in it."""
    points = [
        Point("revisions", 10, {"a": 0.5, "b <": 1}),
        Point("revisions", 20, {"a": 0.6, "b <": 4}),
        Point("tables", 5, {"a": 2}),
    ]
    root = ElementTree.fromstring(draw(points))
    space = {"svg": "http://www.w3.org/2000/svg"}
    texts = [each.text for each in root.iterfind(".//svg:text", space)]
    assert {"revisions", "tables", "a", "b <", "4 s", "20"} <= set(texts)
    lines = [each.get("points") for each in root.iterfind(".//svg:polyline", space)]
    assert len(lines) == 3
    assert lines[1] == "120.0,127.5 240.0,0.0"


def test_results() -> None:
    """The page gets the table between its marks, and a file gets all samples."""
    race = race_of(**{OURS.name: [(2, 1)]})
    line = Line("c", "import", {OURS.name: "1 %"}, 1, Limit(1, "%"), "cpu", race)
    results = Results(NOON, {"python": "3.13"}, [line], [PEER])
    page = replace_part(f"# Title\n\n{BEGIN}\nold\n{END}\nrest\n", results.text())
    assert page.startswith(f"# Title\n\n{BEGIN}\n\n2026-01-02: python 3.13.\n\n|")
    assert page.endswith(f"|\n\n{END}\nrest\n")
    assert replace_part(page, results.text()) == page
    kept = json.loads(to_json(results))
    assert kept["lines"][0]["samples"][OURS.name]["wall"] == [2]


@pytest.mark.parametrize("make", [linear, rotating, merging, depending])
def test_histories(make: t.Callable[[int], list[Step]]) -> None:
    """A history has as many revisions as asked for, each after what it needs."""
    steps = make(23)
    assert [step.number for step in steps] == list(range(23))
    assert len({step.id for step in steps}) == 23
    assert all(
        needed < step.number for step in steps for needed in step.down + step.depends_on
    )


def test_run(tmp_path: Path) -> None:
    """The program measures rows and prints a table, where nothing was left out."""
    folders = ["--folder", str(tmp_path), "--disk", str(tmp_path)]
    options = ["--quick", "--no-peers", "--database", "sqlite", *folders]
    result = subprocess.run(
        [sys.executable, "-W", "error", "-m", "bench", *options, "--only", "c,d,e,k"],
        env={
            **os.environ,
            "PYTHONPATH": f"{BENCHMARKS}{os.pathsep}{Path(__file__).parent}",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    rows = re.findall(r"^\| (\w) +\| (.+?) +\| .+? \| (.+?) +\|", result.stdout, re.M)
    assert {row for row, _, _ in rows} == {"c", "d", "e", "k"}
    assert [work for _, work, cell in rows if cell == "-"] == []
    assert ("8 threads at once, sqlite", "ok") in [row[1:] for row in rows]
    assert list(tmp_path.iterdir()) == []


def race_of(**samples: t.Sequence[tuple[float, float]]) -> Race:
    """A race with these samples: seconds on the wall, and of the processor."""
    race = Race()
    race.samples = {name: [Sample(*pair) for pair in s] for name, s in samples.items()}
    return race
