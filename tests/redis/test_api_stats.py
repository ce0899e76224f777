"""Stats: the numbers of a fleet, all at once or one by one."""

from __future__ import annotations

import asyncio
import json

import pytest
from services import GONE, ME, job

from pillion.api.fleet import Fleet
from pillion.api.stats import QueueSummary, Stats
from pillion.config import Config
from pillion.errors import ConfigError, RedisUnavailable

NOW_S = 1795300100.5


@pytest.fixture
def stats(redis_url):
    fleet = Fleet(Config(redis=redis_url), clock=lambda: NOW_S)
    yield Stats(fleet=fleet)
    fleet.close()


def enqueue(raw, queue, *payloads):
    raw.sadd("queues", queue)
    raw.lpush(f"queue:{queue}", *payloads)


def busy_fleet(raw):
    """Something of everything."""
    raw.mset({"stat:processed": 100, "stat:failed": 7})
    for count, name in enumerate(("schedule", "retry", "dead"), 1):
        raw.zadd(name, {job(f"{name}-{n}"): n for n in range(count)})
    for identity, busy in ((ME, 3), (GONE, 4)):
        raw.sadd("processes", identity)
        raw.hset(identity, mapping={"info": "{}", "busy": busy})
    enqueue(raw, "default", job("a", enqueued_at=int((NOW_S - 60) * 1000)), job("b"))
    enqueue(raw, "high", job("c", enqueued_at=NOW_S - 2.5))
    raw.sadd("queues", "idle")
    raw.sadd("paused", "high", "unknown")


# -- all at once -----------------------------------------------------------------------------------


def test_an_empty_redis_has_nothing_but_zeros(stats):
    seen = stats.read()
    assert (seen.processed, seen.failed, seen.scheduled, seen.retry, seen.dead) == (0, 0, 0, 0, 0)
    assert (seen.processes, seen.busy, seen.enqueued, seen.default_queue_latency_s) == (0, 0, 0, 0.0)
    assert (seen.queues, seen.paused, seen.queue_summaries) == ({}, frozenset(), ())


def test_a_snapshot_has_all_numbers(stats, raw):
    busy_fleet(raw)
    seen = stats.read()
    assert (seen.processed, seen.failed, seen.scheduled, seen.retry, seen.dead) == (100, 7, 1, 2, 3)
    assert (seen.processes, seen.busy, seen.enqueued) == (2, 7, 3)
    assert (seen.paused, seen.taken_at) == ({"high"}, NOW_S)


def test_a_snapshot_has_the_queues_with_the_largest_first(stats, raw):
    busy_fleet(raw)
    seen = stats.read()
    assert list(seen.queues.items()) == [("default", 2), ("high", 1), ("idle", 0)]
    assert seen.queue_summaries == stats.queue_summaries()
    assert seen.queue_summaries[1:] == (QueueSummary("high", 1, 2.5, True), QueueSummary("idle", 0, 0.0, False))


def test_latency_is_the_age_of_the_job_that_runs_next_whoever_wrote_it(stats, raw):
    busy_fleet(raw)
    assert stats.read().default_queue_latency_s == 60.0
    assert stats.default_queue_latency() == 60.0
    raw.rpush("queue:default", json.dumps({"class": "OldRuby", "created_at": NOW_S - 90}))
    assert stats.default_queue_latency() == 90.0
    raw.rpush("queue:default", b"no job at all")
    assert stats.default_queue_latency() == stats.read().default_queue_latency_s == 0.0


def test_a_snapshot_takes_two_round_trips_however_much_there_is(stats, raw):
    busy_fleet(raw)
    for n in range(50):
        raw.sadd("processes", f"vm:{n}:x")
        enqueue(raw, f"q{n}", job("x"))
    trips = []
    run_all = stats.fleet.storage.run_all
    stats.fleet.storage.run_all = lambda ops: trips.append(len(ops)) or run_all(ops)
    stats.read()
    assert len(trips) == 2


def test_what_cannot_be_read_as_a_number_counts_as_nothing(stats, raw):
    raw.mset({"stat:processed": "many", "stat:failed": ""})
    raw.sadd("processes", "vm:1:never-said-anything", ME)
    raw.hset(ME, "busy", "?")
    seen = stats.read()
    assert (seen.processed, seen.failed, seen.busy, seen.processes) == (0, 0, 0, 2)


def test_event_loops_see_the_same(stats, raw):
    busy_fleet(raw)

    async def look():
        try:
            return await stats.read.aio(), await stats.enqueued.aio()
        finally:
            await stats.fleet.aclose()

    assert asyncio.run(look()) == (stats.read(), 3)


def test_a_redis_that_is_not_there_is_named():
    with pytest.raises(RedisUnavailable, match=r"127\.0\.0\.1:1"):
        Stats(fleet=Fleet(Config(redis="redis://127.0.0.1:1/0"))).read()


# -- one by one ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("processed", 100),
        ("failed", 7),
        ("scheduled", 1),
        ("retry", 2),
        ("dead", 3),
        ("processes", 2),
        ("busy", 7),
        ("enqueued", 3),
        ("queues", {"default": 2, "high": 1, "idle": 0}),
    ],
)
def test_each_number_can_be_asked_for_alone(stats, raw, name, value):
    busy_fleet(raw)
    assert getattr(stats, name)() == value
    assert getattr(stats.read(), name) == value


@pytest.mark.parametrize(
    ("name", "command"),
    [("processed", "GET"), ("retry", "ZCARD"), ("processes", "SCARD"), ("default_queue_latency", "LINDEX")],
)
def test_a_number_alone_is_one_cheap_command(stats, name, command):
    assert getattr(stats, name).explain() == f"{command}; O(1); 1 round trip"


# -- reset -----------------------------------------------------------------------------------------


def counters(raw):
    return [int(value) for value in raw.mget("stat:processed", "stat:failed", "stat:failed:2026-11-21")]


@pytest.mark.parametrize(
    ("names", "left"),
    [((), [0, 0, 5]), (("failed",), [100, 0, 5]), (("processed",), [0, 7, 5]), (("failed", "processed"), [0, 0, 5])],
)
def test_reset_sets_counters_to_0_but_not_those_of_the_days(stats, raw, names, left):
    raw.mset({"stat:processed": 100, "stat:failed": 7, "stat:failed:2026-11-21": 5})
    stats.reset(*names)
    assert counters(raw) == left


def test_reset_of_anything_else_teaches_and_resets_nothing(stats, raw):
    raw.mset({"stat:processed": 100, "stat:failed": 7, "stat:failed:2026-11-21": 5})
    with pytest.raises(ConfigError, match=r"expected 'processed' or 'failed', got 'retry'.*sizes"):
        stats.reset("failed", "retry")
    assert counters(raw) == [100, 7, 5]
