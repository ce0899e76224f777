"""Small parts of what pages show: patterns of errors, keys of rows, trends, series, texts, the cache."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pillion.api.metrics import JobMetrics
from pillion.api.record import JobData
from pillion.web.data.cache import Cache
from pillion.web.data.fingerprints import fingerprint, pattern_of
from pillion.web.data.keys import RowKey, read_key
from pillion.web.data.models import Pager
from pillion.web.data.series import averages, factor, first_of_each, merged, merged_histograms, quantile
from pillion.web.data.texts import clean, short, shown
from pillion.web.data.traces import backtrace, innermost, is_app
from pillion.web.data.trends import Trends
from pillion.web.data.visible import Visible
from pillion.web.data.words import counted, duration, percent
from pillion.wire.backtrace import compress
from pillion.wire.codec import dumps


@pytest.mark.parametrize(
    ("message", "pattern"),
    [
        ("no user 881", "no user <n>"),
        ("took 1,024.5 ms of 30", "took <n> ms of <n>"),
        ("key 550e8400-e29b-41d4-a716-446655440000 is gone", "key <id> is gone"),
        ("at 0x7fff5fbff8c8", "at <id>"),
        ("sha 3f2504e04f89", "sha <id>"),
        ("deadbeef is a word", "deadbeef is a word"),
        ("first line\nsecond 5", "first line"),
        ("", ""),
    ],
)
def test_numbers_and_ids_are_left_out_of_a_pattern(message: str, pattern: str) -> None:
    assert pattern_of(message) == pattern


def test_a_fingerprint_tells_its_parts_apart() -> None:
    assert fingerprint("a", "bc", "") != fingerprint("ab", "c", "")
    assert len(fingerprint("a", "b", "\ud800")) == 12


@given(st.one_of(st.none(), st.floats(allow_nan=False)), st.integers(0, 10**12))
def test_the_key_of_a_row_comes_back_as_it_was(score: float | None, rank: int) -> None:
    key = RowKey(score, "0123456789abcdef", rank)
    assert read_key(str(key)) == key


@given(st.text())
def test_no_text_breaks_the_reading_of_keys(text: str) -> None:
    read_key(text)


@given(st.text(st.characters()))
def test_clean_texts_can_be_written_and_hold_nothing_that_deceives(text: str) -> None:
    cleaned = clean(text)
    cleaned.encode()
    assert len(cleaned) == len(text)
    assert clean(cleaned) == cleaned


def test_a_short_text_is_one_line() -> None:
    assert short("a\nb\tc") == "a b c"
    assert short("x" * 300, 10) == "x" * 9 + "…"


def test_a_shown_text_says_how_large_the_whole_is() -> None:
    text = shown("é" * 3000)
    assert (len(text.text), text.size_bytes, text.is_cut) == (2048, 6000, True)
    assert not shown("é" * 3000, everything=True).is_cut


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("/srv/shop/pay.py:81:in charge", True),
        ("/srv/venv/lib/python3.11/site-packages/httpx/_client.py:9:in get", False),
        ("/usr/local/bundle/gems/sidekiq-8.1/lib/x.rb:1:in `x'", False),
        ("app/jobs/pay_job.rb:3:in `perform'", True),
        ("<frozen importlib._bootstrap>:1:in x", False),
    ],
)
def test_lines_of_libraries_are_told_apart(line: str, *, expected: bool) -> None:
    assert is_app(line) == expected


LIBRARY, OWN = "/venv/lib/python3.11/site-packages/httpx/_client.py:9:in get", "/srv/shop/pay.py:81:in charge"


@pytest.mark.parametrize(
    ("lines", "own"),
    [
        ([LIBRARY, "caused by KeyError", OWN], ["caused by KeyError", OWN]),
        ([OWN, "caused by OSError", LIBRARY, "caused by KeyError", LIBRARY, OWN], [OWN, "caused by KeyError", OWN]),
        ([LIBRARY, "caused by KeyError"], []),
    ],
)
def test_a_heading_stands_where_its_stack_has_own_lines(lines: list[str], own: list[str]) -> None:
    seen = Visible(JobData(dumps({"error_backtrace": compress(lines)})))
    assert [line.text for line in backtrace(seen)] == lines
    assert [line.text for line in backtrace(seen) if line.is_app] == own
    assert innermost(seen) == (OWN if own else "")


# -- pages -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("page", "total", "expected"),
    [
        (1, 0, (1,)),
        (1, 60, (1, 2, 3)),
        (8, 25 * 481, (1, None, 6, 7, 8, 9, 10, None, 481)),
        (481, 25 * 481, (1, None, 479, 480, 481)),
        (9999, 60, (1, None, 3)),
    ],
)
def test_links_to_pages(page: int, total: int, expected: tuple[int | None, ...]) -> None:
    assert Pager(page, 25, total).shown_pages == expected


# -- trends ------------------------------------------------------------------------------------------------


def test_a_trend_needs_some_seconds() -> None:
    trends = Trends()
    trends.add(1000.0, {"q": 5})
    assert trends.per_minute("q", 1004.0, 9) is None
    assert trends.per_minute("q", 1030.0, 9) == 8.0


def test_a_trend_forgets_after_five_minutes() -> None:
    trends = Trends()
    trends.add(0.0, {"q": 1000})
    trends.add(290.0, {"q": 10})
    trends.add(320.0, {"q": 20})
    assert trends.per_minute("q", 320.0, 20) == 20.0


def test_a_history_has_gaps_where_nobody_looked() -> None:
    trends = Trends()
    trends.add(60.0 * 100, {"q": 1})
    trends.add(60.0 * 103, {"q": 3})
    assert trends.history("q", 60.0 * 104)[-6:] == (None, 1, None, None, 3, None)
    assert len(trends.history("other", 0.0)) == 60


# -- series ------------------------------------------------------------------------------------------------


def test_buckets_are_merged_from_the_newest_on() -> None:
    assert merged([1, 2, 3, 4, 5], 2) == (1, 5, 9)
    assert first_of_each([10, 20, 30, 40, 50], 2) == (10, 20, 40)


@given(st.integers(1, 500), st.integers(1, 130))
def test_merged_buckets_and_their_times_are_as_many(count: int, most: int) -> None:
    values = list(range(count))
    by = factor(count, most)
    assert len(merged(values, by)) == len(first_of_each(values, by)) <= most + 1
    assert sum(merged(values, by)) == sum(values)


def test_an_average_is_of_runs_that_did_not_fail() -> None:
    job = JobMetrics()
    job.series = {"p": {"a": 4, "b": 2}, "f": {"a": 2, "b": 2}, "ms": {"a": 500}, "s": {"a": 0.5}}
    assert averages(job, ["a", "b", "c"], 1) == (0.25, None, None)
    assert averages(job, ["a", "b"], 2) == (0.25,)


def test_histograms_are_turned_and_merged() -> None:
    job = JobMetrics(hist={"a": [0] * 25 + [3], "b": [1] + [0] * 25})
    assert merged_histograms(job, ["a", "b"], 2) == ((3, *[0] * 24, 1),)


@pytest.mark.parametrize(
    ("counts", "share", "expected"),
    [
        ([0] * 26, 0.5, None),
        ([10] + [0] * 25, 0.5, 0.01),
        ([0, 0, 10] + [0] * 23, 1.0, 0.045),
        ([5, 5] + [0] * 24, 0.75, 0.025),
        ([0] * 25 + [1], 0.95, 335.0),
    ],
)
def test_quantiles(counts: list[int], share: float, expected: float | None) -> None:
    assert quantile(counts, share) == (None if expected is None else pytest.approx(expected))


# -- the rest ----------------------------------------------------------------------------------------------


def test_the_cache_forgets_when_its_time_is_over() -> None:
    now = [100.0]
    cache = Cache(lambda: now[0])
    cache.put("a", 1, 1.0)
    now[0] = 100.9
    assert cache.get("a") == 1
    now[0] = 101.0
    assert cache.get("a") is None


def test_the_cache_does_not_grow_without_end() -> None:
    cache = Cache(lambda: 0.0)
    for number in range(1000):
        cache.put(number, number, 60.0)
    assert sum(cache.get(number) is not None for number in range(1000)) <= 200


def test_numbers_in_sentences() -> None:
    assert (counted(1, "job"), counted(12_001, "job"), counted(3, "process")) == ("1 job", "12,001 jobs", "3 processes")
    assert [duration(seconds) for seconds in (0, 59.4, 680, 11_100, 187_200)] == [
        "0 s",
        "59 s",
        "11m 20s",
        "3h 5m",
        "2d 4h",
    ]
    assert [percent(share) for share in (0.0, 0.003, 0.42, 1.0)] == ["0%", "0.3%", "42%", "100%"]
