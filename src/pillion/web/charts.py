"""Charts as SVG, drawn by the server: lines, bars, sparklines, meters and a heat map.

Design record. No script and no style attribute (the content security policy allows neither), so a chart works
without JavaScript, on paper and in a screen reader: each has a title and a description, and pages put the same
numbers into a table below. A drawing is stretched to the width of its box by a nested `<svg>` without an aspect
ratio, whose lines do not scale; letters stand outside of it, placed in per cent, and so are never distorted.
Colours are classes (`t-busy`, `t-fail`, ...) of style.css. A gap in the numbers is a gap in the line. Time goes
from left to right in every language, as on any instrument.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from markupsafe import Markup

Value = float | None
Write = Callable[[float], str]
Kind = Literal["number", "count", "time"]

HEIGHT: Final = 180
TOP: Final = 20  # for the names of deploys
BOTTOM: Final = 22  # for the letters below the base line
PLOT: Final = HEIGHT - TOP - BOTTOM
# Colours of lines, largest first; a chart has five at most, and "other".
TONES: Final = ("busy", "ok", "warn", "fail", "dead", "muted")
_STEPS: Final = (1, 2, 2.5, 5, 10)
_TIME_STEPS_S: Final = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400)
_GRID_LINES: Final = 4
# Less than this is drawn as nothing: its logarithm may not even exist.
_NOTHING: Final = 1e-9
# Of a sparkline: less is no trend yet, and looks like a speck of dust.
_FEWEST: Final = 4
# Labels at the ends of lines are moved apart to at least this, in pixels.
_LABEL_HEIGHT: Final = 15
_LETTER_WIDTH: Final = 7
# Of a heat map: more columns would be narrower than a letter, and make the page heavy.
MOST_COLUMNS: Final = 60
_LEVELS: Final = 6
_LONGEST_LABEL: Final = 22


@dataclass(slots=True, frozen=True)
class Series:
    """One line: its name, its values (None: a gap) and a tone of style.css. `filled` shades what is below."""

    name: str
    values: Sequence[Value]
    tone: str = "busy"
    filled: bool = False


@dataclass(slots=True, frozen=True)
class Tick:
    """Letters below the base line, or a dashed mark. `at` is a share of the width, 0 to 1.

    `utc`: the label is a time of day, that of this moment (epoch s), which app.js may write in another zone.
    """

    at: float
    label: str
    utc: float | None = None


@dataclass(slots=True, frozen=True)
class Axis:
    """The vertical axis: from 0 (counts start there) to `top`, with a line at each of `values`."""

    top: float
    values: tuple[float, ...]

    @classmethod
    def up_to(cls, most: float, kind: Kind = "number") -> Axis:
        """An axis with round numbers that holds `most`."""
        step = _step(most / _GRID_LINES if most > _NOTHING else 0.25)
        if kind == "count":
            step = max(1.0, math.ceil(step))
        elif kind == "time" and step > 1:
            step = next((size for size in _TIME_STEPS_S if size * _GRID_LINES >= most), step)
        lines = max(1, math.ceil(most / step - 1e-9))
        return cls(step * lines, tuple(step * index for index in range(lines + 1)))

    def y(self, value: float) -> float:
        """Where a value is, as a share from above."""
        return 1 - min(max(value / self.top, 0.0), 1.0)


def _step(wanted: float) -> float:
    size = 10.0 ** math.floor(math.log10(wanted))
    return size * next(step for step in _STEPS if size * step >= wanted * (1 - 1e-9))


# -- charts with axes ------------------------------------------------------------------------------------


def lines(
    series: Sequence[Series],
    *,
    title: str,
    description: str,
    write: Write,
    ticks: Iterable[Tick] = (),
    marks: Iterable[Tick] = (),
    kind: Kind = "number",
) -> Markup:
    """Lines over one axis of time, each with its name at its end; `marks` are dashed lines with a name.

    Parameters: `title` and `description` are read by screen readers; `write` puts a number into words;
    `kind` says what values are: counts have no fractions, times
    are in seconds.
    """
    shown = [one for one in series if len(one.values) > 1]
    axis = Axis.up_to(_most(value for one in shown for value in one.values), kind)
    width = max((len(one.values) for one in shown), default=2) - 1
    drawn = Markup().join(_line(one, axis) for one in shown)
    plot = _stretched(width, 100, drawn, y=TOP, height_px=PLOT)
    inside = _grid(axis) + _marks(marks) + plot + _ticks(ticks)
    ends = _ends([(one, _last(one.values)) for one in shown], axis) if len(shown) > 1 else Markup()
    return _figure(_scale(axis, write), inside, ends, title, description)


def bars(
    stacks: Sequence[Sequence[float]],
    *,
    tones: Sequence[str],
    title: str,
    description: str,
    write: Write,
    ticks: Iterable[Tick] = (),
) -> Markup:
    """Bars, each a stack of values from the base line up, in `tones`. A value of 0 draws nothing."""
    axis = Axis.up_to(_most(math.fsum(stack) for stack in stacks), "count")
    drawn = Markup().join(_stack(index, stack, tones, axis) for index, stack in enumerate(stacks))
    plot = _stretched(max(len(stacks), 1), 100, drawn, y=TOP, height_px=PLOT)
    return _figure(_scale(axis, write), _grid(axis) + plot + _ticks(ticks), Markup(), title, description)


def heat(
    columns: Sequence[Sequence[int]],
    *,
    title: str,
    description: str,
    ticks: Iterable[Tick] = (),
    marks: Iterable[Tick] = (),
    rows: Sequence[Tick] = (),
) -> Markup:
    """A heat map: a column for each moment, its counts from below up; the more, the fuller the colour.

    `rows` label the vertical axis, their `at` counted from below.
    """
    shown = _merged(columns, MOST_COLUMNS)
    most = max((count for column in shown for count in column), default=0)
    height = max((len(column) for column in shown), default=1)
    levels: list[list[str]] = [[] for _ in range(_LEVELS)]
    for x, column in enumerate(shown):
        for y, count in enumerate(column):
            if count > 0:
                levels[_level(count / most)].append(f"M{x} {height - 1 - y}h1v1h-1z")
    drawn = Markup().join(
        Markup('<path d="{}" fill-opacity="{}"/>').format("".join(cells), _short((level + 1) / _LEVELS))
        for level, cells in enumerate(levels)
        if cells
    )
    plot = _stretched(max(len(shown), 1), height, drawn, y=TOP, height_px=PLOT, css="heat")
    labels = Markup().join(_letters(44, TOP + PLOT * (1 - row.at) + 4, row.label, "end") for row in rows)
    scale = Markup('<svg class="scale" width="52" height="{}" aria-hidden="true">{}</svg>').format(HEIGHT, labels)
    base = Markup('<line class="base" x1="0" x2="100%" y1="{0}" y2="{0}"/>').format(TOP + PLOT)
    return _figure(scale, base + plot + _marks(marks) + _ticks(ticks), Markup(), title, description)


def _figure(scale: Markup, inside: Markup, ends: Markup, title: str, description: str) -> Markup:
    return Markup(
        '<div class="box">{}<svg class="plot" width="100%" height="{}" role="img">'
        "<title>{}</title><desc>{}</desc>{}"
        '<line class="cursor" y1="{}" y2="{}" visibility="hidden"/></svg>{}</div>'
    ).format(scale, HEIGHT, title, description, inside, TOP, TOP + PLOT, ends)


def _stretched(width: float, height: float, drawn: Markup, *, y: int, height_px: int, css: str = "") -> Markup:
    return Markup(
        '<svg x="0" y="{}" width="100%" height="{}" viewBox="0 0 {} {}" preserveAspectRatio="none"{}>{}</svg>'
    ).format(y, height_px, _short(width), _short(height), Markup(' class="{}"').format(css) if css else "", drawn)


def _line(one: Series, axis: Axis) -> Markup:
    runs = _runs(one.values)
    path = "".join(_path(run, axis) for run in runs)
    shade = "".join(_shade(run, axis) for run in runs if len(run) > 1) if one.filled else ""
    filled = Markup('<path class="area" d="{}"/>').format(shade) if shade else Markup()
    return Markup('<g class="t-{}">{}<path class="line" d="{}"/></g>').format(one.tone, filled, path)


def _runs(values: Sequence[Value]) -> list[list[tuple[int, float]]]:
    """The stretches without a gap."""
    runs: list[list[tuple[int, float]]] = [[]]
    for index, value in enumerate(values):
        if value is not None and math.isfinite(value):
            runs[-1].append((index, value))
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if run]


def _path(run: Sequence[tuple[int, float]], axis: Axis) -> str:
    points = [f"{x} {_short(axis.y(value) * 100)}" for x, value in run]
    # A single point would be nothing: a line of no length with round ends is a dot.
    return f"M{points[0]}h0" if len(points) == 1 else f"M{points[0]}L{' '.join(points[1:])}"


def _shade(run: Sequence[tuple[int, float]], axis: Axis) -> str:
    return f"{_path(run, axis)}L{run[-1][0]} 100 {run[0][0]} 100Z"


def _stack(index: int, stack: Sequence[float], tones: Sequence[str], axis: Axis) -> Markup:
    drawn = Markup()
    below = 0.0
    for value, tone in zip(stack, tones, strict=False):
        if value > 0:
            top, bottom = axis.y(below + value) * 100, axis.y(below) * 100
            drawn += Markup('<rect class="barfill t-{}" x="{}" y="{}" width=".76" height="{}"/>').format(
                tone, _short(index + 0.12), _short(top), _short(bottom - top)
            )
            below += value
    return drawn


def _level(share: float) -> int:
    """How full the colour is. The root shows few among many: one slow run is what one looks for."""
    return min(_LEVELS - 1, int(math.sqrt(share) * _LEVELS))


def _merged(columns: Sequence[Sequence[int]], most: int) -> list[list[int]]:
    """At most so many columns: neighbours are added up."""
    every = max(1, math.ceil(len(columns) / most))
    parts = [columns[start : start + every] for start in range(0, len(columns), every)]
    return [[sum(row) for row in zip(*part, strict=True)] for part in parts]


# -- axes and letters --------------------------------------------------------------------------------------


def _scale(axis: Axis, write: Write) -> Markup:
    written = [(value, write(value)) for value in axis.values]
    width = max(len(text) for _, text in written) * _LETTER_WIDTH + 10
    labels = Markup().join(_letters(width - 8, TOP + PLOT * axis.y(value) + 4, text, "end") for value, text in written)
    return Markup('<svg class="scale" width="{}" height="{}" aria-hidden="true">{}</svg>').format(width, HEIGHT, labels)


def _grid(axis: Axis) -> Markup:
    line = Markup('<line class="{}" x1="0" x2="100%" y1="{y}" y2="{y}"/>')
    return Markup().join(
        line.format("grid" if value else "base", y=_short(TOP + PLOT * axis.y(value))) for value in axis.values
    )


def _ticks(ticks: Iterable[Tick]) -> Markup:
    return Markup().join(
        _letters(f"{_short(tick.at * 100)}%", HEIGHT - 4, tick.label, _anchor(tick.at), utc=tick.utc) for tick in ticks
    )


def _marks(marks: Iterable[Tick]) -> Markup:
    line = Markup('<g><title>{}</title><line class="deploy" x1="{x}%" x2="{x}%" y1="{}" y2="{}"/>{}</g>')
    return Markup().join(
        line.format(
            mark.label,
            TOP,
            TOP + PLOT,
            _letters(f"{_short(mark.at * 100)}%", TOP - 6, _cut(mark.label), _anchor(mark.at)),
            x=_short(mark.at * 100),
        )
        for mark in marks
    )


def _anchor(at: float) -> str:
    return "start" if at < 0.04 else "end" if at > 0.96 else "middle"


def _letters(x: float | str, y: float, text: str, anchor: str, css: str = "", utc: float | None = None) -> Markup:
    kind = Markup(' class="{}"').format(css) if css else Markup(' data-utc="{}"').format(utc) if utc is not None else ""
    at = x if isinstance(x, str) else _short(x)
    return Markup('<text x="{}" y="{}" text-anchor="{}"{}>{}</text>').format(at, _short(y), anchor, kind, text)


def _ends(pairs: Sequence[tuple[Series, float]], axis: Axis) -> Markup:
    """The names of lines at their ends, moved apart where they would cover each other."""
    placed: list[float] = []
    ordered = sorted(pairs, key=lambda pair: axis.y(pair[1]))
    for _, last in ordered:
        wanted = TOP + PLOT * axis.y(last) + 4
        placed.append(max(wanted, placed[-1] + _LABEL_HEIGHT) if placed else wanted)
    over = max(0.0, placed[-1] - HEIGHT + 4) if placed else 0.0
    labels = Markup().join(
        _letters(8, y - over, _cut(one.name), "start", f"end t-{one.tone}")
        for (one, _), y in zip(ordered, placed, strict=True)
    )
    width = max(len(_cut(one.name)) for one, _ in pairs) * _LETTER_WIDTH + 12
    return Markup('<svg class="ends" width="{}" height="{}" aria-hidden="true">{}</svg>').format(width, HEIGHT, labels)


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_LABEL else f"…{text[1 - _LONGEST_LABEL :]}"


# -- small ones ------------------------------------------------------------------------------------------------


def sparkline(values: Sequence[Value], *, label: str, tone: str = "busy") -> Markup:
    """A line without axes, as high as a row. `label` says in words what it shows."""
    known = [value for value in values if value is not None and math.isfinite(value)]
    if len(known) < _FEWEST:
        return Markup('<span class="muted" title="{}">–</span>').format(label)
    axis = Axis(max(known) or 1.0, ())
    line = _line(Series("", values, tone, filled=True), axis)
    return Markup(
        '<svg class="spark" viewBox="0 0 {} 100" preserveAspectRatio="none" role="img" aria-label="{}">'
        "<title>{}</title>{}</svg>"
    ).format(len(values) - 1, label, label, line)


def columns(values: Sequence[float], *, label: str, tone: str = "fail") -> Markup:
    """Bars without axes, as high as a row: counts by hour."""
    most = max(values, default=0)
    if most <= 0:
        return Markup('<span class="muted" title="{}">–</span>').format(label)
    axis = Axis(most, ())
    drawn = Markup().join(_stack(index, (value,), (tone,), axis) for index, value in enumerate(values))
    return Markup(
        '<svg class="spark" viewBox="0 0 {} 100" preserveAspectRatio="none" role="img" aria-label="{}">'
        "<title>{}</title>{}</svg>"
    ).format(len(values), label, label, drawn)


def meter(share: Value, *, label: str = "", tone: str = "busy", wide: bool = False) -> Markup:
    """A bar that is `share` full. Without a label it says nothing that the text beside it does not."""
    part = min(max(share, 0.0), 1.0) if share is not None and math.isfinite(share) else 0.0
    said = Markup('role="img" aria-label="{}"').format(label) if label else Markup('aria-hidden="true"')
    return Markup(
        '<svg class="meter{}" viewBox="0 0 100 8" preserveAspectRatio="none" {}>'
        '<rect class="barfill t-{}" width="{}" height="8"/></svg>'
    ).format(" wide" if wide else "", said, tone, _short(part * 100))


# -- numbers -----------------------------------------------------------------------------------------------------


def time_ticks(times: Sequence[float], write: Write, *, most: int = 6) -> list[Tick]:
    """About `most` moments along an axis of `times`, evenly apart, written by `write`."""
    if len(times) < 2:
        return []
    every = max(1, math.ceil((len(times) - 1) / most))
    shown = range(0, len(times), every)
    return [Tick(index / (len(times) - 1), write(times[index]), times[index]) for index in shown]


class Marked(Protocol):
    """Something that happened, such as a deploy."""

    @property
    def at(self) -> float:
        """When, in epoch seconds."""
        ...

    @property
    def label(self) -> str:
        """What it is called."""
        ...


def marks_in(times: Sequence[float], marks: Iterable[Marked]) -> list[Tick]:
    """Where marks are along an axis of `times`; none for those outside of it."""
    if len(times) < 2:
        return []
    span = times[-1] - times[0]
    placed = [Tick((mark.at - times[0]) / span, mark.label) for mark in marks]
    return [tick for tick in placed if 0 <= tick.at <= 1]


def bar_ticks(labels: Sequence[str], times: Sequence[float] = (), *, most: int = 8) -> list[Tick]:
    """About `most` of the labels of bars, each below the middle of its bar; with `times`, they are times of day."""
    every = max(1, math.ceil(len(labels) / most))
    return [
        Tick((index + 0.5) / len(labels), labels[index], times[index] if times else None)
        for index in range(0, len(labels), every)
    ]


def _most(values: Iterable[Value]) -> float:
    return max((value for value in values if value is not None and math.isfinite(value)), default=0.0)


def _last(values: Sequence[Value]) -> float:
    return next((value for value in reversed(values) if value is not None and math.isfinite(value)), 0.0)


def _short(value: float) -> str:
    """At most two digits behind the point: less than a pixel anywhere."""
    return f"{value:.2f}".rstrip("0").rstrip(".") or "0"
