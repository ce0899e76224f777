"""Charts: well-formed SVG that says the same in words, without script, style or a value that breaks it."""

import itertools
import math
from dataclasses import dataclass
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pillion.web import charts
from pillion.web.charts import Axis, Series, Tick

NAMES = st.text()
VALUES = st.lists(st.one_of(st.none(), st.floats(-1e15, 1e15), st.just(math.nan), st.just(math.inf)), max_size=80)


def write(value):
    return f"{value:g}"


def read(markup):
    return ET.fromstring(str(markup))


def draw_lines(series, **more):
    return charts.lines(series, title="Runs", description="By minute", write=write, **more)


def printable(text):
    """What XML can hold at all: control characters never get this far."""
    return "".join(letter for letter in text if letter.isprintable() and not 0xD800 <= ord(letter) < 0xE000)


def test_a_chart_says_what_it_shows():
    drawn = read(draw_lines([Series("runs", (1, 2, 3))]))
    plot = drawn.find("svg[@class='plot']")
    assert (plot.get("role"), plot.find("title").text, plot.find("desc").text) == ("img", "Runs", "By minute")


def test_a_gap_in_the_numbers_is_a_gap_in_the_line():
    drawn = draw_lines([Series("runs", (1, 1, None, 1, 1))])
    (path,) = [one.get("d") for one in read(drawn).iter("path")]
    assert path.count("M") == 2


def test_a_single_point_between_gaps_is_a_dot():
    (path,) = [one.get("d") for one in read(draw_lines([Series("runs", (None, 4, None))])).iter("path")]
    assert path.endswith("h0")


def test_counts_start_at_zero_and_have_whole_numbers_at_their_lines():
    assert Axis.up_to(3, "count") == Axis(3, (0, 1, 2, 3))
    assert Axis.up_to(87, "count") == Axis(100, (0, 25, 50, 75, 100))


def test_times_have_steps_of_a_clock():
    assert Axis.up_to(200, "time").values == (0, 60, 120, 180, 240)
    assert Axis.up_to(0.03, "time").values == (0, 0.01, 0.02, 0.03)


def test_an_axis_without_values_still_has_a_top():
    assert Axis.up_to(0).top > 0


@given(st.floats(0, 1e15))
def test_an_axis_holds_the_largest_value_in_few_lines(most):
    axis = Axis.up_to(most)
    assert axis.top >= most * (1 - 1e-6)
    assert 2 <= len(axis.values) <= 6


def test_lines_are_named_at_their_ends_and_apart():
    drawn = read(draw_lines([Series("a", (1, 5)), Series("b", (1, 5)), Series("c", (1, 4.9))]))
    ends = drawn.find("svg[@class='ends']")
    heights = [float(text.get("y")) for text in ends.iter("text")]
    assert all(after - before >= 14.9 for before, after in itertools.pairwise(heights))


def test_a_deploy_is_a_dashed_line_with_its_name():
    drawn = read(draw_lines([Series("a", (1, 5))], marks=[Tick(0.5, "a1b2c3")]))
    mark = next(group for group in drawn.iter("g") if group.find("line[@class='deploy']") is not None)
    assert (mark.find("title").text, mark.find("line").get("x1")) == ("a1b2c3", "50%")


@dataclass
class Deploy:
    at: float
    label: str


def test_deploys_outside_of_the_time_are_left_out():
    marks = [Deploy(0, "before"), Deploy(150, "inside"), Deploy(201, "after")]
    assert charts.marks_in((100, 150, 200), marks) == [Tick(0.5, "inside")]


def test_stacks_of_bars_grow_from_the_base_line():
    drawn = read(charts.bars([(3, 1)], tones=("ok", "fail"), title="t", description="d", write=write))
    low, high = drawn.iter("rect")
    assert float(low.get("y")) + float(low.get("height")) == pytest.approx(100)
    assert float(high.get("y")) + float(high.get("height")) == pytest.approx(float(low.get("y")))


def test_an_empty_bar_draws_nothing():
    drawn = charts.bars([(0,), (2,)], tones=("ok",), title="t", description="d", write=write)
    assert len(list(read(drawn).iter("rect"))) == 1


def test_a_sparkline_without_numbers_is_a_dash_with_words():
    assert (
        charts.sparkline((None, 3, None), label="Trend of <a>")
        == '<span class="muted" title="Trend of &lt;a&gt;">–</span>'
    )


def test_a_meter_is_never_more_than_full():
    widths = [read(charts.meter(share)).find("rect").get("width") for share in (None, -1, 0.5, 7, math.nan)]
    assert widths == ["0", "0", "50", "100", "0"]


def test_a_heat_map_merges_neighbours_when_there_are_too_many():
    drawn = charts.heat([(1, 0)] * 480, title="t", description="d")
    plot = next(one for one in read(drawn).iter("svg") if one.get("class") == "heat")
    assert plot.get("viewBox").split()[2] == str(charts.MOST_COLUMNS)
    assert len(drawn) < 3000


def test_ticks_are_few_and_even():
    ticks = charts.time_ticks([float(minute) for minute in range(60)], write)
    assert [tick.at for tick in ticks] == pytest.approx([index * 10 / 59 for index in range(6)])


def test_a_chart_of_three_hours_is_small():
    assert len(draw_lines([Series("a", [float(n % 97) for n in range(180)]), Series("b", [1.0] * 180)])) < 5500


@given(st.lists(st.tuples(NAMES, VALUES), max_size=5), NAMES, st.lists(st.tuples(st.floats(0, 1), NAMES), max_size=3))
def test_whatever_the_names_and_values_the_drawing_is_well_formed(series, title, marks):
    drawn = charts.lines(
        [Series(printable(name), values, "ok", filled=True) for name, values in series],
        title=printable(title),
        description=printable(title),
        write=write,
        ticks=[Tick(at, printable(name)) for at, name in marks],
        marks=[Tick(at, printable(name)) for at, name in marks],
    )
    tags = {one.tag for one in read(drawn).iter()}
    assert tags <= {"div", "svg", "title", "desc", "g", "line", "path", "text"}


@given(VALUES, NAMES)
def test_small_charts_are_well_formed_whatever_they_show(values, label):
    known = [value for value in values if value is not None and math.isfinite(value)]
    for drawn in (charts.sparkline(values, label=printable(label)), charts.columns(known, label=printable(label))):
        assert read(drawn).tag in ("svg", "span")


def test_no_chart_has_a_style_or_a_script():
    drawn = draw_lines([Series('"><script>', (1, 2))]) + charts.meter(0.5, label='" onload="x')
    assert [name for name in (" style=", "<script", ' onload="') if name in drawn] == []
