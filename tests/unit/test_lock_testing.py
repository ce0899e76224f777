"""Locks, markers and circuits where jobs are tested without Redis: in memory, by the clock of the test."""

from __future__ import annotations

import asyncio

import pytest

from pillion import testing
from pillion.client import Client
from pillion.config import Config
from pillion.default import Default
from pillion.errors import CircuitOpen, LockNotAcquired
from pillion.jobs.base import BaseJob
from pillion.jobs.breaker import Breaker
from pillion.jobs.lock import Lock
from pillion.jobs.once import Once


class NoRedis:
    def run_all(self, ops):
        raise AssertionError(f"this went to Redis: {[op.command for op in ops]}")


@pytest.fixture
def home():
    home = Default()
    config = Config()
    home.install(config, Client(NoRedis(), config))
    return home


@pytest.fixture(params=["fake", "inline"])
def mode(request, home):
    with getattr(testing, request.param)(home=home):
        yield request.param


def test_a_job_with_a_lock_and_a_marker_runs_without_redis(home, mode):
    charged = []

    class Charge(BaseJob, home=home):
        def perform(self, number):
            with self.lock(f"payment:{number}") as held, self.once(f"payment:{number}") as first:
                held.extend(60)
                if first:
                    charged.append(number)

    for number in (1, 1, 2):
        Charge.perform_inline(number)
    assert charged == [1, 2]


def test_async_too(home, mode):
    async def work():
        async with Lock(home, "a") as held, Once(home, "a") as first, Breaker(home, "b"):
            await held.extend_aio()
            with pytest.raises(LockNotAcquired):
                async with Lock(home, "a"):
                    pass
            return first

    assert [asyncio.run(work()), asyncio.run(work())] == [True, False]


def test_somebody_else_does_not_get_it_and_it_is_free_afterwards(home, mode, caplog):
    with Lock(home, "a"), pytest.raises(LockNotAcquired), Lock(home, "a"):
        pass
    with Lock(home, "a"):
        pass
    assert caplog.messages == []


def test_they_end_when_time_is_travelled(home, caplog):
    with testing.fake(home=home):
        lost = Lock(home, "a", timeout_s=300)
        with lost, Once(home, "b", ttl_s=3600):
            testing.travel(seconds=301, home=home)
            with Lock(home, "a"), pytest.raises(LockNotAcquired):
                lost.extend()
        assert "The lock 'a' ended after 300 s" in caplog.text
        with Once(home, "b") as first:
            assert not first
        testing.travel(hours=2, home=home)
        with Once(home, "b") as first:
            assert first


def fail(breaker, times):
    for _ in range(times):
        with pytest.raises(ZeroDivisionError), breaker:
            _ = 1 / 0


def test_a_circuit_opens_closes_in_time_and_forgets_after_a_success(home):
    breaker = Breaker(home, "search", threshold=3, window_s=300, when_open="raise")
    with testing.fake(home=home):
        fail(breaker, 2)
        with breaker:
            pass
        fail(breaker, 2)
        testing.travel(seconds=200, home=home)
        fail(breaker, 1)
        with pytest.raises(CircuitOpen) as caught, breaker:
            pass
        assert 290 < caught.value.retry_in_s <= 300
        testing.travel(seconds=301, home=home)
        with breaker:
            pass


def test_an_old_call_that_ends_well_does_not_close_an_open_circuit(home):
    breaker = Breaker(home, "search", threshold=2, window_s=300, when_open="raise")
    with testing.fake(home=home):
        fail(breaker, 1)
        with breaker:
            fail(breaker, 1)
        with pytest.raises(CircuitOpen), breaker:
            pass


def test_each_mode_has_its_own_and_disabled_has_redis(home):
    with testing.fake(home=home), Lock(home, "a"):
        with testing.fake(home=home), Lock(home, "a"):
            pass
        with testing.inline(home=home), pytest.raises(LockNotAcquired), Lock(home, "a"):
            pass
        with testing.disabled(home=home), pytest.raises(AssertionError, match="went to Redis"), Lock(home, "a"):
            pass
    with pytest.raises(AssertionError, match="went to Redis"), Lock(home, "a"):
        pass
