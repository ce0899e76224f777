"""The verdict: what is wrong, since when, and what helps."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis
from redis_process import RedisProcess
from web_fleet import NOW_S, Scene, add_process, count_runs, enqueue, failed, mark_deploy, payload

from pillion.features.health.thresholds import Thresholds
from pillion.web.data.data import Data
from pillion.web.data.models import Reason, Verdict
from pillion.web.routes import ROUTES

METHODS = {route.name: route.method for route in ROUTES}
PATHS = {route.name: route for route in ROUTES}


@pytest.fixture
def scene(redis_url: str) -> Iterator[Scene]:
    made = Scene(redis_url)
    yield made
    made.fleet.close()


def reason(verdict: Verdict, code: str) -> Reason:
    """The one reason of this kind."""
    (found,) = [one for one in verdict.reasons if one.code == code]
    return found


def codes(verdict: Verdict) -> list[str]:
    return [one.code for one in verdict.reasons]


def test_a_fleet_that_works_is_healthy(scene: Scene, raw: redis.Redis) -> None:
    add_process(raw)
    enqueue(raw, "default", payload("a", enqueued_at=int(NOW_S * 1000) - 500))
    raw.zadd("retry", {failed(f"j{n}"): NOW_S for n in range(3)})
    assert scene.data.health() == Verdict("ok")


def test_without_workers_that_is_the_first_reason(scene: Scene, raw: redis.Redis) -> None:
    enqueue(raw, "default", payload("a"), payload("b"))
    verdict = scene.data.health()
    assert codes(verdict) == ["no_workers"]
    assert verdict.reasons[0].facts == {"enqueued": 2}
    assert verdict.reasons[0].cures[0].explain == "pillion run MODULE"
    assert verdict.since == NOW_S - 60


def test_a_queue_that_no_process_serves(scene: Scene, raw: redis.Redis) -> None:
    add_process(raw)
    enqueue(raw, "mail", payload("a", enqueued_at=int(NOW_S * 1000) - 680_000))
    found = reason(scene.data.health(), "queue_unserved")
    assert found.text == 'Queue "mail": 1 job waits, the oldest for 11m 20s, no process listens.'
    assert (found.level, found.since, found.facts["wait_s"]) == ("fail", NOW_S - 680, 680.0)
    assert "pillion run MODULE -q mail" in found.advice[0]


def test_a_slow_queue_offers_a_pause(scene: Scene, raw: redis.Redis) -> None:
    add_process(raw)
    enqueue(raw, "default", payload("a", enqueued_at=int(NOW_S * 1000) - 300_000))
    found = reason(scene.data.health(), "queue_slow")
    assert (found.level, found.facts["target_s"]) == ("warn", 60.0)
    assert [(cure.route, cure.method) for cure in found.cures] == [("queue", "GET"), ("queue_pause", "POST")]


def test_how_long_a_queue_may_wait_can_be_said(scene: Scene, raw: redis.Redis) -> None:
    add_process(raw)
    enqueue(raw, "default", payload("a", enqueued_at=int(NOW_S * 1000) - 300_000))
    assert Data(scene.fleet, thresholds=Thresholds(max_latency_s=900)).health().level == "ok"


def test_a_paused_queue_with_jobs_offers_to_resume(scene: Scene, raw: redis.Redis) -> None:
    add_process(raw)
    enqueue(raw, "default", payload("a"))
    raw.sadd("paused", "default")
    found = reason(scene.data.health(), "queue_paused_full")
    assert found.cures[0].route == "queue_resume"
    assert found.level == "warn"


def test_a_class_that_fails_more_than_before(scene: Scene, raw: redis.Redis) -> None:
    add_process(raw)
    for minute in range(15, 40):
        count_runs(scene.fleet, "PayJob", minute, ran=100)
    for minute in range(1, 4):
        count_runs(scene.fleet, "PayJob", minute, ran=58, failed=42)
    found = reason(scene.data.health(), "failing_class")
    assert (found.level, found.facts["failed_share"], found.facts["before_share"]) == ("fail", 0.42, 0.0)
    assert found.text == "PayJob fails 42% (0% in the hour before)."


def test_a_class_that_always_fails_a_little_is_no_reason(scene: Scene, raw: redis.Redis) -> None:
    add_process(raw)
    for minute in range(1, 60):
        count_runs(scene.fleet, "Flaky", minute, ran=80, failed=20)
    assert scene.data.health().level == "ok"


def test_many_jobs_of_one_error_are_a_reason_without_metrics(scene: Scene, raw: redis.Redis) -> None:
    add_process(raw)
    raw.zadd("retry", {failed(f"j{n}", "PayJob", "Timeout::Error"): NOW_S + n for n in range(30)})
    found = reason(scene.data.health(), "errors_burst")
    assert (found.facts["jobs"], found.facts["error"], found.since) == (30, "Timeout::Error", NOW_S - 60)


def test_old_failures_are_no_burst(scene: Scene, raw: redis.Redis) -> None:
    add_process(raw)
    at_ms = int((NOW_S - 3600) * 1000)
    raw.zadd("retry", {failed(f"j{n}", failed_at=at_ms): NOW_S + n for n in range(300)})
    assert scene.data.health().level == "ok"


def test_jobs_of_the_schedule_that_do_not_go(scene: Scene, raw: redis.Redis) -> None:
    add_process(raw)
    raw.zadd("schedule", {payload(f"j{n}"): NOW_S - 90 for n in range(3)})
    assert reason(scene.data.health(), "overdue").facts == {"count": 3}


def test_a_process_that_does_not_beat(scene: Scene, raw: redis.Redis) -> None:
    add_process(raw, beat=NOW_S - 45)
    found = reason(scene.data.health(), "late_processes")
    assert (found.facts["count"], found.since) == (1, NOW_S - 45)


def test_a_key_of_a_wrong_type_is_a_reason_and_does_not_break_the_page(scene: Scene, raw: redis.Redis) -> None:
    add_process(raw)
    raw.set("retry", "text")
    raw.sadd("queues", "odd")
    raw.set("queue:odd", 1)
    page = scene.data.dashboard()
    assert "wrong_keys" in codes(page.verdict)
    assert {problem.code for problem in page.frame.problems} == {"wrong_type", "refused"}


def test_dead_jobs_that_are_dropped_soon(redis_url: str, raw: redis.Redis) -> None:
    scene = Scene(redis_url, dead_max_jobs=10)
    add_process(raw)
    raw.zadd("dead", {failed(f"j{n}", failed_at=1): n for n in range(10)})
    assert reason(scene.data.health(), "dead_full").facts == {"dead": 10, "limit": 10}
    scene.fleet.close()


def test_three_in_the_morning(own_redis: RedisProcess) -> None:
    """200 jobs of one error after a deploy, a queue without workers, Redis nearly full: all three, with a way out."""
    scene = Scene(own_redis.url)
    with own_redis.client() as raw:
        add_process(raw)
        mark_deploy(raw, "a1b2c3", 420)
        raw.set("ballast", b"x" * 40_000_000)  # beside which answers in buffers are small
        raw.zadd(
            "retry",
            {failed(f"p{n:03}", "PaymentJob", "Timeout::Error", f"after {n} ms"): NOW_S + n for n in range(200)},
        )
        for minute in range(15, 50):
            count_runs(scene.fleet, "PaymentJob", minute, ran=300, failed=1)
        count_runs(scene.fleet, "PaymentJob", 2, ran=276, failed=200)
        enqueue(
            raw,
            "mail",
            *(payload(f"m{n}", "MailJob", "mail", enqueued_at=int(NOW_S * 1000) - 680_000) for n in range(50)),
        )
        used = raw.info("memory")["used_memory"]
        own_redis.config_set(**{"maxmemory": int(used / 0.93), "maxmemory-policy": "allkeys-lru"})
        verdict = scene.data.dashboard().verdict
        own_redis.config_set(maxmemory=0)
    assert verdict.level == "fail"
    assert set(codes(verdict)) == {"queue_unserved", "failing_class", "redis_memory"}
    payment = reason(verdict, "failing_class")
    assert payment.text.startswith(
        "PaymentJob fails 42% (0.3% in the hour before), 200 jobs with Timeout::Error, the first 1m 0s ago"
    )
    assert payment.text.endswith("6m 0s after deploy a1b2c3.")
    assert "jobs can be lost" in reason(verdict, "redis_memory").text
    scene.fleet.close()


def test_every_cure_leads_to_a_route_that_there_is(scene: Scene, raw: redis.Redis) -> None:
    add_process(raw, beat=NOW_S - 45)
    enqueue(raw, "mail", payload("a"))
    enqueue(raw, "default", payload("b", enqueued_at=int(NOW_S * 1000) - 300_000))
    enqueue(raw, "stopped", payload("c"))
    raw.sadd("paused", "stopped")
    raw.zadd("schedule", {payload("late"): NOW_S - 90})
    raw.zadd("retry", {failed(f"j{n}"): NOW_S for n in range(30)} | {b"{": NOW_S})
    cures = [cure for one in scene.data.health().reasons for cure in one.cures]
    assert len(cures) >= 9
    for cure in cures:
        route = PATHS[cure.route]
        assert METHODS[cure.route] == cure.method
        known = {param.name for param in route.params}
        in_path = {name for name in cure.params if f"{{{name}}}" in route.path}
        assert set(cure.params) - in_path <= known
        assert set(cure.fields) <= known


def test_the_button_of_a_group_retries_exactly_that_group(scene: Scene, raw: redis.Redis) -> None:
    add_process(raw)
    raw.zadd("retry", {failed(f"p{n}", "PayJob", message=f"try {n}"): NOW_S + n for n in range(25)})
    raw.zadd("retry", {failed("other", "PayJob", "ValueError"): NOW_S})
    (cure,) = [cure for cure in reason(scene.data.health(), "errors_burst").cures if cure.method == "POST"]
    report = scene.data.bulk_start("retries", "retry", q=str(cure.fields["q"]), actor="ana")
    assert scene.data.bulk_run(report.bulk_id).moved == 25
    assert raw.zcard("retry") == 1
