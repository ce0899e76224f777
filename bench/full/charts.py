"""Bar charts as SVG, drawn by hand: a bar for the median, a thin line from the smallest to the largest run."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from bench.full.record import Record
from bench.full.roster import BARE, PILLION
from bench.full.scenario import Figure

WIDTH, LABEL, VALUE, ROW, TOP, BOTTOM = 760, 150, 96, 26, 62, 30
OURS, OTHERS, FLOOR = "#b3202c", "#8593a1", "#ccd3da"
INK, QUIET, GRID = "#1f2328", "#656d76", "#e6e9ec"
FONT = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif"


@dataclass(frozen=True)
class Bar:
    """One row."""

    label: str
    values: Sequence[float]
    colour: str
    bold: bool = False

    @property
    def middle(self) -> float:
        """Its length."""
        return statistics.median(self.values)


def chart(record: Record) -> str | None:
    """The first figure of a scenario, the best on top; None if nobody has it."""
    figure, about = next(iter(record.scenario.figures.items()))
    floors = {about.floor, *record.scenario.floors, BARE.name}
    bars: list[Bar] = []
    for name in record.names():
        if values := record.values(name, figure):
            colour = OURS if name == PILLION.name else FLOOR if name in floors else OTHERS
            bars.append(Bar(name, values, colour, bold=name == PILLION.name))
    bars.sort(key=lambda bar: bar.middle, reverse=not about.less_is_better)
    return (
        _frame(record.scenario.title, f"{about.unit}, {_better(about)}; light: floors", bars, about.digits)
        if bars
        else None
    )


def steps_chart(record: Record) -> str | None:
    """All steps of those that take part, side by side."""
    steps = {step: about for step, about in record.scenario.figures.items() if not about.row}
    bars = [
        Bar(f"{name}, {step}", values, OURS if name == PILLION.name else OTHERS, bold=name == PILLION.name)
        for step in steps
        for name in record.scenario.who
        if (values := record.values(name, step))
    ]
    about = next(iter(steps.values()))
    return _frame(record.scenario.title, f"{about.unit}, {_better(about)}", bars, about.digits) if bars else None


def _better(about: Figure) -> str:
    return "less is better" if about.less_is_better else "more is better"


def _frame(title: str, subtitle: str, bars: Sequence[Bar], digits: int) -> str:
    height = TOP + len(bars) * ROW + BOTTOM
    most = max(max(bar.values) for bar in bars)
    most = most if most > 0 else 1.0
    scale = (WIDTH - LABEL - VALUE) / most
    body = "\n".join([*_grid(most, scale, height), *(_bar(row, bar, scale, digits) for row, bar in enumerate(bars))])
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'font-family="{escape(FONT)}" font-size="12" fill="{INK}" role="img" aria-label="{escape(title)}">\n'
        f'<rect width="{WIDTH}" height="{height}" rx="6" fill="#fff"/>\n'
        f'<text x="16" y="26" font-size="15" font-weight="600">{escape(title)}</text>\n'
        f'<text x="16" y="44" fill="{QUIET}">{escape(subtitle)}</text>\n{body}\n</svg>\n'
    )


def _grid(most: float, scale: float, height: int) -> list[str]:
    """A line at each round number, four of them or so."""
    step = _round_step(most / 4)
    lines: list[str] = []
    for number in range(int(most / step) + 1):
        x, y = LABEL + number * step * scale, height - BOTTOM + 4
        digits = max(0, -math.floor(math.log10(step)))
        lines.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP - 4}" y2="{y}" stroke="{GRID}"/>')
        lines.append(
            f'<text x="{x:.1f}" y="{y + 14}" font-size="10" fill="{QUIET}" text-anchor="middle">'
            f"{number * step:,.{digits}f}</text>"
        )
    return lines


def _round_step(about: float) -> float:
    """1, 2 or 5 times a power of ten, not below `about`."""
    power = 10.0 ** math.floor(math.log10(about))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= about)


def _bar(row: int, bar: Bar, scale: float, digits: int) -> str:
    top, centre = TOP + row * ROW, TOP + row * ROW + ROW / 2
    low, high, length = (value * scale for value in (max(0, min(bar.values)), max(bar.values), max(0, bar.middle)))
    weight = ' font-weight="600"' if bar.bold else ""
    whisker = "".join(
        f'<line x1="{LABEL + x1:.1f}" x2="{LABEL + x2:.1f}" y1="{centre + y1:.1f}" y2="{centre + y2:.1f}" '
        f'stroke="{INK}" stroke-opacity=".55"/>'
        for x1, x2, y1, y2 in ((low, high, 0, 0), (low, low, -3, 3), (high, high, -3, 3))
        if high - low > 3
    )
    return (
        f'<text x="{LABEL - 10}" y="{centre + 4:.1f}" text-anchor="end"{weight}>{escape(bar.label)}</text>'
        f'<rect x="{LABEL}" y="{top + 4}" width="{max(length, 1.5):.1f}" height="{ROW - 8}" rx="2" '
        f'fill="{bar.colour}"/>{whisker}'
        f'<text x="{LABEL + max(high, length) + 8:.1f}" y="{centre + 4:.1f}"{weight}>{bar.middle:,.{digits}f}</text>'
    )
