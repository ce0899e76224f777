"""Time on the wire (wire-format 0.2) and the time rules of perform_in and perform_at (behaviour 1.1)."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest

from pillion.errors import InvalidJob
from pillion.wire.timestamps import due_at, to_ms, to_seconds

NOW_S = 1_795_300_000.25


def test_an_integer_is_milliseconds_as_sidekiq_8_writes_it() -> None:
    assert to_seconds(1795300027713) == 1795300027.713


def test_a_float_is_seconds_as_sidekiq_6_and_7_wrote_it() -> None:
    assert to_seconds(1795300027.713) == 1795300027.713


def test_the_type_decides_and_not_the_size() -> None:
    assert to_seconds(1795300027) == 1795300.027  # integer seconds are a bug of their writer
    assert to_seconds(1795300027713.0) == 1795300027713.0


@pytest.mark.parametrize("value", [None, "1795300027", True, [], {}])
def test_what_is_no_number_is_no_time(value: object) -> None:
    assert to_seconds(value) is None


def test_an_integer_too_large_for_a_float_is_no_time() -> None:
    assert to_seconds(10**400) is None


def test_milliseconds_are_whole_and_rounded_down() -> None:
    assert to_ms(1795300027.7139) == 1795300027713


@pytest.mark.parametrize("interval", [0, 60, 0.5, -5, 999_999_999])
def test_a_small_number_counts_from_now(interval: float) -> None:
    assert due_at(interval, NOW_S) == NOW_S + interval


@pytest.mark.parametrize("moment", [1_000_000_000, 2_000_000_000, 1795300071.5323694])
def test_a_large_number_is_a_point_in_time(moment: float) -> None:
    assert due_at(moment, NOW_S) == moment


def test_a_timedelta_counts_from_now_however_long_it_is() -> None:
    assert due_at(timedelta(minutes=5), NOW_S) == NOW_S + 300
    assert due_at(timedelta(days=20_000), NOW_S) == NOW_S + 20_000 * 86_400


def test_an_aware_datetime_is_the_moment_it_names() -> None:
    moment = datetime(2027, 1, 1, 1, tzinfo=timezone(timedelta(hours=1)))
    assert due_at(moment, NOW_S) == datetime(2027, 1, 1, tzinfo=UTC).timestamp()


def test_a_naive_datetime_is_refused_with_the_reason() -> None:
    with pytest.raises(InvalidJob, match="time zone") as caught:
        due_at(datetime(2027, 1, 1), NOW_S)  # noqa: DTZ001 - on purpose
    assert caught.value.field == "at"


def test_text_is_refused_with_what_to_write_instead() -> None:
    with pytest.raises(InvalidJob, match=r"got '5m'\. Text is not read .*: .* timedelta\(minutes=5\) or 300"):
        due_at("5m", NOW_S)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [None, "60", True, math.nan, math.inf, 10**400, date(2027, 1, 1), [60]])
def test_anything_else_is_refused(value: Any) -> None:
    with pytest.raises(InvalidJob, match="expected seconds as a number, a timedelta or an aware datetime"):
        due_at(value, NOW_S)
