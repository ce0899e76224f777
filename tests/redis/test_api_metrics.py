"""The metrics as the data API reads them (behaviour 15)."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime

import pytest

from pillion import Job
from pillion.api.deploy import Deploy
from pillion.api.fleet import Fleet
from pillion.api.metrics import JobMetrics, Metrics
from pillion.config import Config
from pillion.errors import ConfigError
from pillion.storage.ops import metrics as ops
from pillion.wire.histogram import LABELS
from pillion.wire.rollup import Counts

NIGHT = datetime(2026, 11, 21, 22, 28, 40, tzinfo=UTC).timestamp()
MINUTE, HOUR, DAY = 60, 3600, 86_400


def counts(times_ms=(), failed=0) -> Counts:
    histogram = [0] * 26
    for time_ms in times_ms:
        histogram[{5: 0, 20: 1, 61: 3, 700_000: 25}[time_ms]] += 1
    return Counts(failed, sum(times_ms), histogram)


class Past:
    """Writes what happened, and reads it at the time `now_s`."""

    def __init__(self, redis_url, storage) -> None:
        self.now_s = NIGHT
        self.storage = storage
        self.fleet = Fleet(Config(redis=redis_url), clock=lambda: self.now_s)
        self.metrics = Metrics(fleet=self.fleet)

    def had(self, ago_s: float = 0, **by_class: Counts) -> None:
        self.storage.transaction(ops.add(by_class, self.now_s - ago_s))


@pytest.fixture
def past(redis_url, storage):
    past = Past(redis_url, storage)
    yield past
    past.fleet.close()


def test_a_known_sequence_gives_3_runs_and_1_failure(past):
    past.had(OkJob=counts([61, 5], failed=1))
    job = past.metrics.top_jobs().job_results["OkJob"]
    assert job.totals == {"p": 3, "f": 1, "ms": 66, "s": 0.066}
    bucket = "2026-11-21T22:28:00Z"
    assert job.series == {"p": {bucket: 3}, "f": {bucket: 1}, "ms": {bucket: 66}, "s": {bucket: 0.066}}


def test_by_default_the_last_60_minutes_are_read(past):
    past.had(59 * MINUTE, Inside=counts([5]))
    past.had(60 * MINUTE, Outside=counts([5]))
    result = past.metrics.top_jobs()
    assert list(result.job_results) == ["Inside"]
    assert (result.granularity_s, result.starts_at, result.ends_at) == (60, NIGHT - HOUR, NIGHT)
    assert (result.buckets[0], result.buckets[-1]) == ("2026-11-21T21:29:00Z", "2026-11-21T22:28:00Z")


def test_hours_are_read_by_ten_minutes(past):
    past.had(2 * HOUR, OkJob=counts([5]))
    past.had(0, OkJob=counts([5], failed=2))
    result = past.metrics.top_jobs(hours=3)
    assert result.job_results["OkJob"].series["p"] == {"2026-11-21T22:20:00Z": 3, "2026-11-21T20:20:00Z": 1}
    assert (result.granularity_s, len(result.buckets)) == (600, 18)


@pytest.mark.parametrize(
    ("asked", "width_s", "buckets"),
    [
        ({}, 60, 60),
        ({"minutes": 1}, 60, 1),
        ({"minutes": 480}, 60, 480),
        ({"minutes": 481}, 60, 60),
        ({"hours": 1}, 600, 6),
        ({"hours": 72}, 600, 432),
        ({"hours": 73}, 600, 432),
    ],
)
def test_a_span_that_is_not_kept_is_cut(past, asked, width_s, buckets):
    for result in (past.metrics.top_jobs(**asked), past.metrics.for_job("OkJob", **asked)):
        assert (result.granularity_s, len(result.buckets)) == (width_s, buckets)


@pytest.mark.parametrize("asked", [{"minutes": 0}, {"minutes": -5}, {"hours": 1.5}, {"hours": "3"}, {"minutes": True}])
def test_a_span_must_be_a_whole_number(past, asked):
    with pytest.raises(ConfigError, match="a whole number above 0"):
        past.metrics.top_jobs(**asked)


def test_minutes_and_hours_exclude_each_other(past):
    with pytest.raises(ConfigError, match="either minutes or hours"):
        past.metrics.for_job("OkJob", minutes=5, hours=5)


def test_the_class_that_took_most_time_comes_first(past):
    past.had(Small=counts([5]), Large=counts([700_000]), Middle=counts([61]))
    assert list(past.metrics.top_jobs().job_results) == ["Large", "Middle", "Small"]


@pytest.mark.parametrize(
    ("class_filter", "found"),
    [
        (None, {"shop.Mail", "shop.Order", "a|b"}),
        ("", {"shop.Mail", "shop.Order", "a|b"}),
        ("MAIL", {"shop.Mail"}),
        ("p.o", {"shop.Order"}),
        (".*", set()),
        (re.compile("^shop"), {"shop.Mail", "shop.Order"}),
        (re.compile(r"\|"), {"a|b"}),
    ],
)
def test_a_filter_chooses_by_class(past, class_filter, found):
    past.had(**{"shop.Mail": counts([5]), "shop.Order": counts([5]), "a|b": counts([5])})
    assert set(past.metrics.top_jobs(class_filter=class_filter).job_results) == found


@pytest.mark.parametrize("class_filter", [5, re.compile(b"x"), ["shop"]])
def test_a_filter_of_another_kind_is_refused(past, class_filter):
    with pytest.raises(ConfigError, match="class_filter: expected a part of a class name"):
        past.metrics.top_jobs(class_filter=class_filter)


def test_a_job_has_its_histograms_slowest_first(past):
    past.had(OkJob=counts([20, 5, 5]))
    past.had(MINUTE, OkJob=counts([700_000]))
    job = past.metrics.for_job("OkJob", minutes=2).job_results["OkJob"]
    assert job.hist == {
        "2026-11-21T22:28:00Z": [*[0] * 24, 1, 2],
        "2026-11-21T22:27:00Z": [1, *[0] * 25],
    }
    assert {label: runs for label, runs in job.hist_total().items() if runs} == {"20ms": 2, "30ms": 1, "Slow": 1}
    assert tuple(job.hist_total()) == LABELS


def test_by_hours_there_are_no_histograms(past):
    past.had(OkJob=counts([20]))
    job = past.metrics.for_job("OkJob", hours=1).job_results["OkJob"]
    assert (job.hist, job.totals["p"]) == ({}, 1)


def test_a_job_that_did_not_run_is_there_all_the_same(past):
    past.had(Other=counts([5]))
    result = past.metrics.for_job("OkJob")
    assert list(result.job_results) == ["OkJob"]
    job = result.job_results["OkJob"]
    assert (job.totals, job.total_avg(), job.series_avg()) == ({"p": 0, "f": 0, "ms": 0, "s": 0}, 0, {})
    assert set(job.hist_total().values()) == {0}


def test_one_job_and_all_jobs_agree(past):
    past.had(OkJob=counts([61, 5], failed=1))
    past.had(7 * MINUTE, OkJob=counts([5], failed=3))
    of_all, of_one = past.metrics.top_jobs().job_results["OkJob"], past.metrics.for_job("OkJob").job_results["OkJob"]
    assert (of_one.totals, of_one.series) == (of_all.totals, of_all.series)


def test_a_job_can_be_asked_for_by_its_class(past):
    class Order(Job, wire_name="shop.Order.of.test_api_metrics"):
        def perform(self) -> None: ...

    past.had(**{"shop.Order.of.test_api_metrics": counts([5])})
    (job,) = past.metrics.for_job(Order).job_results.values()
    assert job.totals["p"] == 1


@pytest.mark.parametrize("job_class", ["", None, 5, object])
def test_what_is_no_class_is_refused(past, job_class):
    with pytest.raises(ConfigError, match="job_class: expected a job class or its name"):
        past.metrics.for_job(job_class)


def test_averages_are_over_the_runs_that_did_not_fail():
    job = JobMetrics()
    job.totals = {"p": 5, "f": 3, "ms": 80, "s": 0.08}
    job.series = {"p": {"a": 4, "b": 1}, "f": {"a": 2, "b": 1}, "ms": {"a": 80}, "s": {"a": 0.08}}
    assert (job.total_avg(), job.total_avg("s")) == (40, 0.04)
    assert job.series_avg() == {"a": 40, "b": 0}


def test_marks_of_earlier_days_are_found_and_those_outside_are_not(past):
    deploy = Deploy(fleet=past.fleet)
    for label, ago_s in {"now": 0, "yesterday": DAY, "old": 2 * DAY, "too old": 3 * DAY + MINUTE}.items():
        deploy.mark(label, past.now_s - ago_s)
    deploy.mark("to come", past.now_s + HOUR)
    marks = past.metrics.top_jobs(hours=72).marks
    assert [(mark.label, mark.bucket) for mark in marks] == [
        ("old", "2026-11-19T22:20:00Z"),
        ("yesterday", "2026-11-20T22:20:00Z"),
        ("now", "2026-11-21T22:20:00Z"),
    ]
    assert [mark.at for mark in marks] == [past.now_s - 40 - days * DAY for days in (2, 1, 0)]
    assert [mark.label for mark in past.metrics.for_job("OkJob", minutes=30).marks] == ["now"]


def test_what_others_have_put_there_is_read_with_patience(past, raw):
    past.had(OkJob=counts([5]))
    raw.hset("j|261121|22:28", mapping={"no field": 1, "OkJob|x": 1, "OkJob|f": "many", "|p": 2, b"\xff|p": 3})
    raw.hset("20261121-marks", mapping={"yesterday": "odd"})
    result = past.metrics.top_jobs()
    assert {name: job.totals["p"] for name, job in result.job_results.items()} == {"OkJob": 1, "": 2, "\ufffd": 3}
    assert (result.job_results["OkJob"].totals["f"], result.marks) == (0, [])


def test_an_answer_takes_one_round_trip(past, monkeypatch):
    trips = []
    storage = past.fleet.storage
    original = storage.run_all
    monkeypatch.setattr(storage, "run_all", lambda ops: (trips.append(len(ops)), original(ops))[1])
    past.metrics.top_jobs(hours=72)
    past.metrics.for_job("OkJob", minutes=480)
    assert len(trips) == 2


def test_from_an_event_loop(past):
    async def ask():
        try:
            return await past.metrics.top_jobs.aio(), await past.metrics.for_job.aio("OkJob")
        finally:
            await past.fleet.aclose()

    past.had(OkJob=counts([61]))
    for result in asyncio.run(ask()):
        assert result.job_results["OkJob"].totals["ms"] == 61


def test_what_a_call_costs_can_be_asked():
    assert Metrics().top_jobs.explain().startswith("HGETALL; O(B*C)")
