"""Metrics of all classes and of one; the audit log."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis
from web_fleet import NOW_S, Scene, count_runs, failed, mark_deploy


@pytest.fixture
def scene(redis_url: str) -> Iterator[Scene]:
    made = Scene(redis_url)
    yield made
    made.fleet.close()


def test_classes_are_listed_by_the_time_they_took(scene: Scene) -> None:
    count_runs(scene.fleet, "Quick", 3, ran=100, ms=10)
    count_runs(scene.fleet, "Slow", 5, ran=10, ms=2000, failed=5)
    page = scene.data.metrics()
    assert [(row.job_class, row.runs, row.failed, row.total_s, row.average_s) for row in page.rows] == [
        ("Slow", 15, 5, 20.0, 2.0),
        ("Quick", 100, 0, 1.0, 0.01),
    ]
    assert page.rows[0].failed_share == 1 / 3


def test_a_class_that_only_fails_has_its_row_and_its_page(scene: Scene) -> None:
    count_runs(scene.fleet, "Broken", 3, failed=7)
    assert [(row.job_class, row.runs, row.average_s) for row in scene.data.metrics().rows] == [("Broken", 7, 0)]
    page = scene.data.metrics_job("Broken")
    assert (page.exists, page.row.failed_share, page.p99_s) == (True, 1.0, None)


@pytest.mark.parametrize("measure", ["total", "runs", "failures", "average"])
def test_the_chart_has_five_classes_and_others(scene: Scene, measure: str) -> None:
    for number in range(8):
        count_runs(scene.fleet, f"J{number}", 4, ran=number + 1, failed=number + 1, ms=100 * (number + 1))
    chart = scene.data.metrics(by=measure).chart
    names = [line.name for line in chart.lines]
    assert names[:5] == ["J7", "J6", "J5", "J4", "J3"]
    assert names[5:] == ([] if measure == "average" else ["other"])
    assert all(len(line.values) == len(chart.times) for line in chart.lines)


def test_the_minute_that_is_not_over_is_in_no_chart(scene: Scene) -> None:
    count_runs(scene.fleet, "A", 0, ran=5)
    count_runs(scene.fleet, "A", 1, ran=7)
    chart = scene.data.metrics(by="runs").chart
    assert (chart.times[-1], chart.lines[0].values[-1]) == (NOW_S - 60, 7.0)
    assert scene.data.metrics().rows[0].runs == 12


@pytest.mark.parametrize("period", ["1h", "2h", "4h", "8h", "24h", "48h", "72h"])
def test_charts_have_at_most_120_buckets_and_trends_60(scene: Scene, period: str) -> None:
    count_runs(scene.fleet, "A", 30, ran=5)
    page = scene.data.metrics(period=period, by="runs")
    assert len(page.chart.times) <= 120
    assert len(page.rows[0].trend) <= 60
    assert sum(value or 0 for value in page.chart.lines[0].values) == 5
    detail = scene.data.metrics_job("A", period=period)
    assert len(detail.runs.times) <= 120
    assert len(detail.heat) <= 60
    assert bool(detail.histogram) == (period in ("1h", "2h", "4h", "8h"))


def test_deploys_are_marked(scene: Scene, raw: redis.Redis) -> None:
    mark_deploy(raw, "v2", 600)
    count_runs(scene.fleet, "A", 3, ran=1)
    assert [(mark.label, mark.at) for mark in scene.data.metrics().chart.marks] == [("v2", NOW_S - 600)]


def test_a_period_that_there_is_not_is_an_hour(scene: Scene) -> None:
    assert scene.data.metrics(period="9999h", by="nonsense", sort="nonsense").period == "1h"
    assert scene.data.metrics_job("A", period="").period == "1h"


def test_classes_can_be_filtered_and_sorted(scene: Scene) -> None:
    count_runs(scene.fleet, "MailJob", 3, ran=1)
    count_runs(scene.fleet, "emailer", 3, ran=5)
    count_runs(scene.fleet, "Other", 3, ran=9)
    page = scene.data.metrics(q="MAIL", sort="runs")
    assert ([row.job_class for row in page.rows], page.total) == (["emailer", "MailJob"], 2)


def test_quantiles_come_with_the_second_look(scene: Scene) -> None:
    count_runs(scene.fleet, "A", 3, ran=10)
    assert scene.data.metrics().rows[0].p95_s is None
    scene.later()
    row = scene.data.metrics().rows[0]
    assert row.p50_s == pytest.approx(0.125)
    assert row.p95_s == pytest.approx(0.1475)


def test_one_class_in_detail(scene: Scene) -> None:
    count_runs(scene.fleet, "A", 1, ran=8, failed=2)
    count_runs(scene.fleet, "A", 2, ran=2)
    page = scene.data.metrics_job("A")
    assert (page.row.runs, page.row.failed) == (12, 2)
    assert sum(bar.count for bar in page.histogram) == 10
    assert [(bar.label, bar.count) for bar in page.histogram if bar.count] == [("150ms", 10)]
    assert page.heat[-1][5] == 8
    assert [line.values[-1] for line in page.runs.lines] == [10.0, 2.0]


def test_the_errors_of_a_class_are_on_its_page(scene: Scene, raw: redis.Redis) -> None:
    count_runs(scene.fleet, "A", 1, ran=8)
    raw.zadd("retry", {failed("a", "A"): 1.0, failed("b", "B"): 2.0})
    assert [group.label for group in scene.data.metrics_job("A").errors.groups] == ["A"]


@pytest.mark.parametrize("name", ["", "nobody", "a|b|c", "<b>", "x" * 5000, "\n"])
def test_a_class_that_did_not_run_has_an_empty_page(scene: Scene, name: str) -> None:
    page = scene.data.metrics_job(name)
    assert (page.exists, page.row.runs) == (False, 0)


# -- the audit log -----------------------------------------------------------------------------------------


def log(raw: redis.Redis, count: int) -> None:
    for number in range(count):
        who = "bob" if number % 10 == 0 else "ana"
        raw.xadd(
            "pl:audit", {"who": who, "action": "set_retry", "target": "retries", "count": number}, id=f"{number + 1}-0"
        )


def test_the_log_is_read_page_by_page(scene: Scene, raw: redis.Redis) -> None:
    log(raw, 60)
    first = scene.data.audit(count=25)
    assert ([row.count for row in first.rows], first.total) == (list(range(59, 34, -1)), 60)
    assert first.cursor is not None
    rest = scene.data.audit(count=50, cursor=first.cursor)
    assert ([row.count for row in rest.rows], rest.cursor) == (list(range(34, -1, -1)), None)


def test_the_log_of_one_person(scene: Scene, raw: redis.Redis) -> None:
    log(raw, 60)
    first = scene.data.audit(count=4, who="bob")
    assert [row.count for row in first.rows] == [50, 40, 30, 20]
    assert first.cursor is not None
    assert [row.count for row in scene.data.audit(count=4, who="bob", cursor=first.cursor).rows] == [10, 0]


def test_entries_of_others_may_lack_anything(scene: Scene, raw: redis.Redis) -> None:
    raw.xadd("pl:audit", {"x": "y", "count": "many"}, id="1795312000123-0")
    (row,) = scene.data.audit().rows
    assert (row.at, row.actor, row.count) == (1795312000.123, "", None)


@pytest.mark.parametrize("cursor", ["x", "5", "1-", "-", "+", "1-0 COUNT 5"])
def test_a_cursor_of_nonsense_begins_anew(scene: Scene, raw: redis.Redis, cursor: str) -> None:
    log(raw, 3)
    assert len(scene.data.audit(cursor=cursor).rows) == 3
