"""Bar charts as SVG, drawn by hand: a bar for the median, a thin line from the smallest to the largest run."""

from __future__ import annotations

import statistics
from html import escape

from bench.full.record import Record
from bench.full.roster import PILLION
from bench.full.scenario import Figure

WIDTH, LABEL, VALUE, ROW, TOP = 720, 130, 90, 24, 40
OURS, OTHERS, FLOOR, INK = "#b3202c", "#7d8a97", "#c9cfd6", "#1f2328"


def chart(record: Record, figure: str, about: Figure) -> str | None:
    """The chart of one figure, the best on top; None if nobody has it."""
    found = {name: values for name in record.names() if (values := record.values(name, figure))}
    if not found:
        return None
    order = sorted(found, key=lambda name: statistics.median(found[name]), reverse=not about.less_is_better)
    most = max(max(values) for values in found.values()) or 1
    floors = {about.floor, *record.scenario.floors, "bare-loop"}
    bars = [_bar(row, name, found[name], most, about.digits, name in floors) for row, name in enumerate(order)]
    better = "less is better" if about.less_is_better else "more is better"
    return _frame(f"{record.scenario.title}: {about.unit} ({better})", bars)


def _bar(row: int, name: str, values: list[float], most: float, digits: int, is_floor: bool) -> str:  # noqa: FBT001
    scale = (WIDTH - LABEL - VALUE) / most
    top, middle = TOP + row * ROW, statistics.median(values)
    colour = OURS if name == PILLION.name else FLOOR if is_floor else OTHERS
    low, high = LABEL + min(values) * scale, LABEL + max(values) * scale
    centre = top + ROW / 2 - 2
    return (
        f'<text x="{LABEL - 8}" y="{top + 15}" text-anchor="end">{escape(name)}</text>'
        f'<rect x="{LABEL}" y="{top + 3}" width="{max(middle * scale, 1):.1f}" height="{ROW - 9}" fill="{colour}"/>'
        f'<line x1="{low:.1f}" x2="{high:.1f}" y1="{centre:.1f}" y2="{centre:.1f}" stroke="{INK}"/>'
        f'<text x="{max(high, LABEL + middle * scale) + 6:.1f}" y="{top + 15}">{middle:,.{digits}f}</text>'
    )


def _frame(title: str, bars: list[str]) -> str:
    height = TOP + len(bars) * ROW + 10
    body = "\n".join(bars)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'font-family="sans-serif" font-size="12" fill="{INK}" role="img" aria-label="{escape(title)}">\n'
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>\n'
        f'<text x="8" y="22" font-size="14" font-weight="bold">{escape(title)}</text>\n{body}\n</svg>\n'
    )
