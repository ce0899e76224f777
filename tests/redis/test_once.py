"""once: the marker is set after the work and only after success, and lasts as long as it should (F111)."""

from __future__ import annotations

import asyncio
import logging

import pytest
from engine import Engine, payload, until
from guards import Here, Way

from pillion import default, once
from pillion.config import Config, RedisConfig
from pillion.errors import ConfigError, RedisUnavailable
from pillion.jobs.once import Once


@pytest.fixture
def home(storage, redis_url):
    return Here(storage, redis_url)


@pytest.fixture(params=["sync", "async"])
def way(request):
    return Way(request.param)


def do(way, home, body=lambda: None, key="payment:1", **options):
    """Enter a block; run `body` if it is the first; return whether it was."""
    guard = Once(home, key, **options)
    if way.kind == "sync":
        with guard as first:
            if first:
                body()
        return first

    async def enter():
        async with guard as first:
            if first:
                body()
        return first

    return asyncio.run(enter())


def test_the_second_time_there_is_nothing_to_do_for_a_day(home, raw, way):
    assert [do(way, home), do(way, home), do(way, home, key="payment:2")] == [True, False, True]
    assert 86_390_000 < raw.pttl("pl:once:payment:1") <= 86_400_000
    assert raw.get("pl:once:payment:1") == b"1"


def test_what_failed_is_done_again(home, raw, way):
    with pytest.raises(ZeroDivisionError):
        do(way, home, lambda: 1 / 0)
    assert raw.keys("*") == []
    assert do(way, home)


def test_nothing_is_marked_before_the_end(home, raw, way):
    do(way, home, lambda: raw.set("seen", raw.exists("pl:once:payment:1")))
    assert raw.get("seen") == b"0"


def test_a_later_block_leaves_the_marker_as_it_is(home, raw, way):
    do(way, home, ttl_s=60)
    do(way, home, ttl_s=3600)
    assert raw.pttl("pl:once:payment:1") <= 60_000


def test_it_is_forgotten_in_time(home, raw, way):
    do(way, home, ttl_s=0.01)
    until(lambda: not raw.exists("pl:once:payment:1"))
    assert do(way, home)


def test_the_marker_names_the_job(storage, home, raw):
    engine = Engine(storage)

    def charge():
        with Once(home, "payment:1") as first:
            assert first

    engine.job("Charge", charge)
    try:
        raw.lpush("queue:default", payload("Charge", jid="abc"))
        engine.start()
        until(lambda: raw.get("stat:processed") == b"1")
    finally:
        engine.stop()
    assert raw.get("pl:once:payment:1") == b"abc"


def test_redis_away_at_the_end_is_said_and_the_work_stays_done(own_redis, caplog, way):
    default.install(Config(redis=RedisConfig(url=own_redis.url, timeout_s=0.5)))
    try:
        with caplog.at_level(logging.ERROR, "pillion"):
            assert do(way, default, own_redis.stop)
        assert "'payment:1' is done, but could not be marked so" in caplog.text
        with pytest.raises(RedisUnavailable):
            do(way, default)
    finally:
        default.reset()


def test_by_the_process_wide_name(redis_url, raw):
    default.install(Config(redis=RedisConfig(url=redis_url)))
    try:
        with once("a") as first:
            assert first
        with once("a") as first:
            assert not first
    finally:
        default.reset()


@pytest.mark.parametrize(("key", "ttl_s"), [("", 1), (None, 1), ("a", 0), ("a", "1")])
def test_what_cannot_be_right_is_refused(home, key, ttl_s):
    with pytest.raises(ConfigError):
        Once(home, key, ttl_s)
