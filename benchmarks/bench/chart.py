"""Draws how cost grows, as SVG: a panel for each kind of work, a line for each tool.
The colours can be read on a light and on a dark page.
"""

from __future__ import annotations

import typing as t
from xml.sax.saxutils import escape

from bench.lines import duration
from bench.lines import Point

WIDTH: t.Final = 240
HEIGHT: t.Final = 170
GAP: t.Final = 60
TOP: t.Final = 60
COLUMNS: t.Final = 3
INK: t.Final = "#7d7d7d"
COLOURS: t.Final = ("#1f8fd6", "#d9730d", "#2f9e63", "#9a6fd0", "#7d7d7d")

Panel = dict[str, list[tuple[int, float]]]
"""Contestant to its sizes and seconds."""


def draw(points: t.Iterable[Point]) -> str:
    """Draw a chart.

    :param points: What was measured.
    :return: The SVG.
    """
    panels = gather(points)
    names = list(dict.fromkeys(name for panel in panels.values() for name in panel))
    colours = dict(zip(names, COLOURS, strict=False))
    rows = -(-len(panels) // COLUMNS)
    width = COLUMNS * (WIDTH + GAP) + GAP
    height = TOP + rows * (HEIGHT + GAP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"'
        f' font-family="sans-serif" font-size="12" fill="{INK}">',
        *_legend(colours),
    ]

    for number, (title, panel) in enumerate(panels.items()):
        x = GAP + number % COLUMNS * (WIDTH + GAP)
        y = TOP + number // COLUMNS * (HEIGHT + GAP)
        parts.append(f'<g transform="translate({x} {y})">')
        parts += _panel(title, panel, colours)
        parts.append("</g>")

    return "\n".join([*parts, "</svg>", ""])


def gather(points: t.Iterable[Point]) -> dict[str, Panel]:
    """The points of each panel, by tool."""
    panels: dict[str, Panel] = {}

    for point in points:
        panel = panels.setdefault(point.chart, {})

        for name, seconds in point.seconds.items():
            panel.setdefault(name, []).append((point.size, seconds))

    return panels


def _legend(colours: t.Mapping[str, str]) -> t.Iterator[str]:
    x = GAP

    for name, colour in colours.items():
        yield f'<circle cx="{x}" cy="16" r="5" fill="{colour}"/>'
        yield f'<text x="{x + 10}" y="20">{escape(name)}</text>'
        x += 40 + 7 * len(name)


def _panel(title: str, panel: Panel, colours: t.Mapping[str, str]) -> t.Iterator[str]:
    largest = max(size for points in panel.values() for size, _ in points)
    longest = max(seconds for points in panel.values() for _, seconds in points)
    yield f'<text x="0" y="-10" font-weight="bold">{escape(title)}</text>'
    yield (
        f'<path d="M0 0V{HEIGHT}H{WIDTH}" fill="none" stroke="{INK}" stroke-width="1"/>'
    )
    yield f'<text x="-6" y="4" text-anchor="end">{duration(longest)}</text>'
    yield f'<text x="-6" y="{HEIGHT + 4}" text-anchor="end">0</text>'
    yield f'<text x="{WIDTH}" y="{HEIGHT + 18}" text-anchor="end">{largest}</text>'

    for name, points in panel.items():
        places = [
            (WIDTH * size / largest, HEIGHT * (1 - seconds / longest))
            for size, seconds in sorted(points)
        ]
        yield from _series(places, colours[name])


def _series(places: list[tuple[float, float]], colour: str) -> t.Iterator[str]:
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    yield f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>'

    for x, y in places:
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>'
