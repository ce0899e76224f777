"""Circuit breakers on a real Redis: when they open and close, and that no work is lost while they are open (F103)."""

from __future__ import annotations

import asyncio
import json
import logging
import time

import pytest
from engine import Engine, payload, until
from guards import Here, Way

from pillion import CircuitBreaker, default
from pillion.config import Config, RedisConfig
from pillion.errors import CircuitOpen, ConfigError, LockNotAcquired, RedisUnavailable
from pillion.jobs.breaker import Breaker, _entered


class Down(Exception): ...


@pytest.fixture
def home(storage, redis_url):
    return Here(storage, redis_url)


@pytest.fixture(params=["sync", "async"])
def way(request):
    return Way(request.param)


@pytest.fixture
def breaker(home):
    return Breaker(home, "search", threshold=5, window_s=300, when_open="raise")


def fail(way, breaker, times=1, error=Down):
    def body():
        raise error

    for _ in range(times):
        with pytest.raises(error if isinstance(error, type) else type(error)):
            way.hold(breaker, body)


def test_five_failures_open_it_and_the_sixth_makes_no_call(breaker, raw, way):
    calls = []
    fail(way, breaker, 4)
    assert way.hold(Breaker(breaker._home, "other"), lambda: "fine") == "fine"
    fail(way, breaker)
    with pytest.raises(CircuitOpen, match=r"'search' is open: no calls for another (300|299) s") as caught:
        way.hold(breaker, lambda: calls.append(1))
    assert (calls, caught.value.name) == ([], "search")
    assert 290 < caught.value.retry_in_s <= 300
    assert raw.get("pl:circuit:search") == b"5"


def test_a_success_forgets_all_failures(breaker, raw, way):
    fail(way, breaker, 4)
    assert way.hold(breaker, lambda: "fine") == "fine"
    assert not raw.exists("pl:circuit:search")
    fail(way, breaker, 4)
    way.hold(breaker)


def test_an_old_call_that_ends_well_does_not_close_an_open_circuit(breaker, raw, way):
    fail(way, breaker)
    way.hold(breaker, lambda: fail(Way("sync"), breaker, 4))
    assert raw.get("pl:circuit:search") == b"5"
    with pytest.raises(CircuitOpen):
        way.hold(breaker)


def test_a_success_without_failures_writes_nothing(breaker, raw, way):
    raw.config_resetstat()
    way.hold(breaker)
    assert {"cmdstat_del", "cmdstat_evalsha"} & set(raw.info("commandstats")) == set()


def test_it_closes_when_its_time_is_over(home, raw, way):
    breaker = Breaker(home, "search", threshold=2, window_s=0.05, when_open="raise")
    fail(way, breaker, 2)
    until(lambda: not raw.exists("pl:circuit:search"))
    assert way.hold(breaker, lambda: "called again") == "called again"


def test_the_first_failure_begins_the_window_and_the_last_begins_it_anew(home, raw, way):
    breaker = Breaker(home, "search", threshold=3, window_s=300)
    fail(way, breaker)
    raw.pexpire("pl:circuit:search", 100_000)
    fail(way, breaker)
    assert raw.pttl("pl:circuit:search") <= 100_000
    fail(way, breaker)
    assert raw.pttl("pl:circuit:search") > 290_000


def test_only_the_errors_it_is_for_count(home, raw, way):
    breaker = Breaker(home, "search", on=[Down, "Timeout"])
    fail(way, breaker, error=KeyError)
    fail(way, breaker, error=type("Timeout", (Exception,), {}))
    assert raw.get("pl:circuit:search") == b"1"


@pytest.mark.parametrize("error", [KeyboardInterrupt(), CircuitOpen("other", 1), LockNotAcquired("a")])
def test_what_says_nothing_about_the_service_does_not_count(breaker, raw, way, error):
    fail(way, breaker, error=error)
    assert raw.keys("pl:circuit:*") == []


def test_circuits_inside_of_circuits(home, raw):
    outer, inner = Breaker(home, "outer"), Breaker(home, "inner")
    raw.set("pl:circuit:inner", 1)
    with outer:
        with pytest.raises(Down), inner:
            raise Down
        with outer, inner:
            pass
    assert raw.keys("pl:circuit:*") == []
    assert _entered.get() == ()


def test_tasks_that_take_turns_do_not_mix(home, raw):
    raw.set("pl:circuit:a", 1)
    one, two = Breaker(home, "a"), Breaker(home, "b")

    async def enter(breaker, mine, other):
        async with breaker:
            mine.set()
            await other.wait()

    async def both():
        first, second = asyncio.Event(), asyncio.Event()
        await asyncio.gather(enter(one, first, second), enter(two, second, first))

    asyncio.run(both())
    assert raw.keys("pl:circuit:*") == []


@pytest.mark.parametrize("is_async", [False, True])
def test_in_a_job_it_postpones_the_job_and_spends_no_retry(storage, home, raw, is_async):
    breaker = Breaker(home, "search", threshold=1, window_s=200, rand=lambda: 0.5)
    raw.set("pl:circuit:search", 1, px=200_000)
    engine, calls = Engine(storage), []

    def index(number):
        with breaker:
            calls.append(number)

    async def index_async(number):
        async with breaker:
            calls.append(number)

    engine.job("Index", index_async if is_async else index, is_async=is_async)
    try:
        raw.lpush("queue:default", payload("Index", 1, retry=0))
        engine.start()
        until(lambda: raw.get("stat:processed") == b"1")
    finally:
        engine.stop()
    ((stored, at_s),) = raw.zrange("schedule", 0, -1, withscores=True)
    assert json.loads(stored) == json.loads(payload("Index", 1, retry=0))
    assert 200 < at_s - time.time() <= 211  # what is left of the window, and half of the jitter
    assert (calls, raw.exists("retry"), raw.exists("dead"), raw.get("stat:failed"), engine.reports) == (
        [],
        0,
        0,
        None,
        [],
    )


def test_in_a_job_with_raise_the_job_is_retried(storage, home, raw):
    raw.set("pl:circuit:search", 5, px=200_000)
    engine, breaker = Engine(storage), Breaker(home, "search", when_open="raise")

    def index():
        with breaker:
            pass

    engine.job("Index", index)
    try:
        raw.lpush("queue:default", payload("Index"))
        engine.start()
        until(lambda: raw.zcard("retry") == 1)
    finally:
        engine.stop()
    assert json.loads(raw.zrange("retry", 0, 0)[0])["error_class"] == "pillion.errors.CircuitOpen"


def test_outside_of_a_worker_it_raises_whatever_it_was_told(home, raw, way):
    raw.set("pl:circuit:search", 5, px=200_000)
    with pytest.raises(CircuitOpen):
        way.hold(Breaker(home, "search", when_open="reschedule"))
    assert _entered.get() == ()


def test_redis_away_when_it_is_asked_is_an_error_afterwards_a_warning(own_redis, caplog, way):
    default.install(Config(redis=RedisConfig(url=own_redis.url, timeout_s=0.5)))

    def stop_and_fail():
        own_redis.stop()
        raise Down

    try:
        breaker = CircuitBreaker("search")
        with caplog.at_level(logging.WARNING, "pillion"), pytest.raises(Down):
            way.hold(breaker, stop_and_fail)
        assert "The circuit 'search' could not be told how a call went" in caplog.text
        with pytest.raises(RedisUnavailable):
            way.hold(breaker)
    finally:
        default.reset()


@pytest.mark.parametrize(
    "options",
    [{"threshold": 0}, {"threshold": True}, {"window_s": 0}, {"when_open": "return"}, {"on": 5}, {"name": ""}],
)
def test_what_cannot_be_right_is_refused(home, options):
    with pytest.raises(ConfigError):
        Breaker(home, **{"name": "search", **options})
