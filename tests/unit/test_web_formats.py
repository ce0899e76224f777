"""Numbers, lengths of time, moments and sizes as people read them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pillion.web.formats import DASH, Formats
from pillion.web.locale import Locales

LOCALES = Locales.load().by_code
NOW_S = 1_795_312_000.0
EN = Formats(LOCALES["en"], NOW_S)
ANYTHING = st.one_of(st.none(), st.integers(), st.floats(), st.booleans())


def test_numbers_are_grouped_as_the_language_does():
    assert [Formats(LOCALES[code], NOW_S).number(1_204_331) for code in ("en", "de", "fr")] == [
        "1,204,331",
        "1.204.331",
        "1\u202f204\u202f331",
    ]


def test_numbers_below_ten_keep_one_digit_behind_the_point():
    assert [EN.number(value) for value in (0, 3, 3.14159, 9.96, 12.7)] == ["0", "3", "3.1", "10", "13"]


def test_short_numbers_are_exact_up_to_five_digits():
    assert [EN.short(value) for value in (12_480, 99_999, 120_000, 1_204_331, 2.5e9)] == [
        "12,480",
        "99,999",
        "120k",
        "1.2M",
        "2.5B",
    ]


def test_signed_numbers_show_where_they_go():
    assert [EN.signed(value) for value in (400, -20, 0)] == ["+400", "−20", "0"]


def test_shares_are_per_cent_with_digits_only_where_they_matter():
    assert [EN.percent(value) for value in (0, 0.003, 0.42, 1, 0.096)] == ["0%", "0.3%", "42%", "100%", "9.6%"]


def test_sizes_take_the_unit_that_fits():
    assert [EN.size(value) for value in (0, 512, 1536, 430_000_000, 2_040_109_465)] == [
        "0 B",
        "512 B",
        "1.5 KB",
        "410 MB",
        "1.9 GB",
    ]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0s"),
        (0.0004, "0.4ms"),
        (0.03, "30ms"),
        (0.9996, "1s"),
        (1.23, "1.2s"),
        (59.6, "1m"),
        (680, "11m 20s"),
        (3600, "1h"),
        (93_600, "1d 2h"),
        (-4, "−4s"),
    ],
)
def test_lengths_of_time_have_their_two_largest_units(seconds, words):
    assert EN.duration(seconds) == words


def test_a_moment_is_told_as_seen_from_now():
    assert [EN.ago(NOW_S + distance) for distance in (-200, 0.4, 240, -90_000)] == ["3m ago", "now", "in 4m", "1d ago"]


def test_a_moment_in_full_is_utc_and_sorts():
    assert (EN.moment(NOW_S), EN.iso(NOW_S), EN.day(NOW_S)) == (
        "2026-11-22 01:46:40 UTC",
        "2026-11-22T01:46:40Z",
        "2026-11-22",
    )


def test_the_time_of_another_day_comes_with_its_date():
    assert [EN.clock(NOW_S), EN.clock(NOW_S - 86_400)] == ["01:46:40", "11-21 01:46"]


def test_facts_are_written_as_the_end_of_their_name_says():
    facts = {
        "wait_s": 680,
        "first_at": NOW_S - 60,
        "used_bytes": 1536,
        "failed_share": 0.42,
        "size": 12,
        "queue": "a_s",
    }
    assert EN.facts(facts) == {
        "wait_s": "11m 20s",
        "first_at": "1m ago",
        "used_bytes": "1.5 KB",
        "failed_share": "42%",
        "size": 12,
        "queue": "a_s",
    }


def test_a_fact_that_nobody_knows_is_a_dash():
    assert EN.facts({"policy": None}) == {"policy": DASH}


WRITERS = (
    "number",
    "short",
    "signed",
    "percent",
    "size",
    "duration",
    "rough",
    "ago",
    "moment",
    "clock",
    "minute",
    "day",
)


@pytest.mark.parametrize("name", WRITERS)
@given(value=ANYTHING)
def test_no_value_makes_a_writer_fail_or_say_nothing(name, value):
    assert getattr(EN, name)(value)


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf, 10**400])
@pytest.mark.parametrize("name", WRITERS)
def test_what_is_no_number_is_a_dash(name, value):
    assert getattr(EN, name)(value) == DASH


@given(value=ANYTHING)
def test_the_time_for_machines_is_empty_if_there_is_none(value):
    written = EN.iso(value)
    assert written == "" or written.endswith("Z")
