"""History: the counters of the days."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta

import pytest

from pillion.api.fleet import Fleet
from pillion.api.history import History
from pillion.config import Config
from pillion.errors import ConfigError

NOON_S = datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp()


class Clock:
    now_s = NOON_S

    def __call__(self):
        return self.now_s


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def fleet(redis_url, clock):
    opened = Fleet(Config(redis=redis_url), clock=clock)
    yield opened
    opened.close()


def test_days_come_newest_first_and_a_day_without_jobs_is_0(fleet, raw):
    raw.mset({"stat:processed:2026-11-22": 30, "stat:processed:2026-11-20": 10, "stat:failed:2026-11-20": 1})
    history = History(3, fleet=fleet)
    days = [date(2026, 11, 22), date(2026, 11, 21), date(2026, 11, 20)]
    assert list(history.processed().items()) == list(zip(days, [30, 0, 10], strict=True))
    assert list(history.failed().items()) == list(zip(days, [0, 0, 1], strict=True))


def test_both_come_in_one_round_trip(fleet, raw):
    raw.mset({"stat:processed:2026-11-22": 30, "stat:failed:2026-11-22": 2})
    seen = History(1, fleet=fleet).read()
    assert (seen.processed, seen.failed) == ({date(2026, 11, 22): 30}, {date(2026, 11, 22): 2})
    assert asyncio.run(both_aio(fleet)) == seen


async def both_aio(fleet):
    try:
        return await History(1, fleet=fleet).read.aio()
    finally:
        await fleet.aclose()


def test_the_newest_day_can_be_chosen(fleet, raw):
    raw.mset({"stat:processed:2026-02-28": 3, "stat:processed:2026-03-01": 4})
    assert History(2, date(2026, 3, 1), fleet=fleet).processed() == {date(2026, 3, 1): 4, date(2026, 2, 28): 3}


def test_a_new_day_begins_at_midnight_utc(fleet, clock):
    history = History(1, fleet=fleet)
    midnight_s = datetime(2026, 11, 23, tzinfo=UTC).timestamp()
    clock.now_s = midnight_s - 0.001
    assert history.days == [date(2026, 11, 22)]
    clock.now_s = midnight_s
    assert history.days == [date(2026, 11, 23)]


def test_local_time_does_not_matter(fleet, raw, monkeypatch):
    import time

    monkeypatch.setenv("TZ", "Pacific/Kiritimati")  # 14 hours ahead: it is tomorrow there
    time.tzset()
    try:
        assert History(1, fleet=fleet).days == [date(2026, 11, 22)]
    finally:
        monkeypatch.undo()
        time.tzset()


def test_five_years_are_one_command(fleet, raw):
    raw.set(f"stat:failed:{date(2026, 11, 22) - timedelta(days=1824)}", 9)
    failed = History(1825, fleet=fleet).failed()
    assert len(failed) == 1825
    assert failed[date(2026, 11, 22) - timedelta(days=1824)] == 9


@pytest.mark.parametrize("days", [0, -1, 1826, 2.0, "7", None, True])
def test_other_numbers_of_days_are_refused(days):
    with pytest.raises(ConfigError, match=r"days: expected a whole number from 1 to 1825, got .*five years"):
        History(days)


@pytest.mark.parametrize("start", ["2026-11-22", NOON_S, datetime(2026, 11, 22, tzinfo=UTC)])
def test_a_start_that_is_no_date_is_refused(start):
    with pytest.raises(ConfigError, match=r"start: expected a datetime.date or None.*fromisoformat"):
        History(7, start)


def test_a_start_before_the_calendar_is_refused():
    with pytest.raises(ConfigError, match="year 1"):
        History(1825, date(2, 1, 1))
