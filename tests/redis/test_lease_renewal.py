"""Leases of processes, and their entries in the list of owners."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
import redis
from engine import until
from redis_process import RedisProcess
from services import ME, Reports, alive, hold, inflight, job, soon, waiting

from pillion.config import Config, RedisConfig
from pillion.errors import RedisUnavailable
from pillion.server.lease import Lease
from pillion.server.owner import OwnerRecord, Ownership
from pillion.storage.connect import open_target
from pillion.storage.sync import Storage
from pillion.storage.target import resolve_url


@pytest.fixture
def ownership(storage: Storage) -> Ownership:
    return Ownership(storage, ME, ["default", "high", "default"])


@pytest.fixture
def own_storage(own_redis: RedisProcess) -> Iterator[Storage]:
    settings = RedisConfig(url=own_redis.url)
    storage = open_target(resolve_url(settings, {}), settings)
    yield storage
    storage.close()


# -- renewing --------------------------------------------------------------------------------------


def test_leases_are_begun_for_thirty_seconds(storage: Storage, raw: redis.Redis) -> None:
    Lease(storage, lambda: ["a", "b"]).renew()
    for key in ("pl:alive:a", "pl:alive:b"):
        assert raw.get(key) == b"1"
        assert 29 <= raw.ttl(key) <= 30


def test_a_running_lease_is_prolonged(storage: Storage, raw: redis.Redis) -> None:
    raw.set("pl:alive:a", "as it was", ex=3)
    Lease(storage, lambda: ["a"]).renew()
    assert raw.ttl("pl:alive:a") >= 29
    assert raw.get("pl:alive:a") == b"as it was"


def test_each_renewal_asks_anew_whose_leases_to_renew(storage: Storage, raw: redis.Redis) -> None:
    children = ["a"]
    lease = Lease(storage, lambda: children)
    lease.renew()
    children[:] = ["b"]
    raw.delete("pl:alive:a")
    lease.renew()
    assert raw.keys("pl:alive:*") == [b"pl:alive:b"]


def test_nobody_to_renew_for_is_no_error(storage: Storage) -> None:
    assert Lease(storage, list).renew() == []


def test_a_lease_that_ran_out_begins_anew_and_is_warned_of(
    storage: Storage, raw: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    lease = Lease(storage, lambda: ["a"])
    assert lease.renew() == []
    raw.delete("pl:alive:a")
    with caplog.at_level(logging.WARNING, logger="pillion"):
        assert lease.renew() == ["a"]
    assert "lease of a" in caplog.text
    assert raw.exists("pl:alive:a")


def test_leases_are_renewed_and_begun_when_redis_is_full(own_storage: Storage, own_redis: RedisProcess) -> None:
    own_redis.config_set(maxmemory=1, maxmemory_policy="noeviction")
    Lease(own_storage, lambda: ["a"]).renew()
    with own_redis.client() as raw:
        assert raw.exists("pl:alive:a")


def test_the_service_renews_at_once(storage: Storage, raw: redis.Redis) -> None:
    lease = Lease(storage, lambda: [ME])
    lease.start()
    until(lambda: raw.exists(alive(ME)))
    lease.quiet()
    lease.stop(soon())


def test_an_outage_is_reported_once_and_tried_again_each_second(own_storage: Storage, own_redis: RedisProcess) -> None:
    reports = Reports(Config())
    lease = Lease(own_storage, lambda: [ME], reports)
    own_redis.kill()
    assert lease._tick() == lease._tick() == 1.0
    assert [type(error) for error, _ in reports.errors] == [RedisUnavailable]
    own_redis.start()
    assert lease._tick() == 5.0
    with own_redis.client() as raw:
        assert raw.exists(alive(ME))


# -- the list of owners ----------------------------------------------------------------------------


def test_registering_enters_the_process_and_begins_its_lease(ownership: Ownership, raw: redis.Redis) -> None:
    ownership.register()
    record = OwnerRecord.parse(raw.hget("pl:owners", ME) or b"")
    assert record.queues == ("default", "high")
    assert record.pid
    assert raw.ttl(alive(ME)) >= 29


def test_a_process_can_register_when_redis_is_full(own_storage: Storage, own_redis: RedisProcess) -> None:
    own_redis.config_set(maxmemory=1, maxmemory_policy="noeviction")
    Ownership(own_storage, ME, ["default"]).register()
    with own_redis.client() as raw:
        assert raw.hexists("pl:owners", ME)
        assert raw.exists(alive(ME))


def test_keeping_the_entry_restores_it(ownership: Ownership, raw: redis.Redis) -> None:
    ownership.register()
    raw.flushall()
    ownership.keep()
    assert raw.hexists("pl:owners", ME)


def test_a_process_that_holds_nothing_is_struck_off(ownership: Ownership, raw: redis.Redis) -> None:
    ownership.register()
    raw.sadd("processes", ME, "another")
    assert ownership.release()
    assert not raw.exists("pl:owners", alive(ME))
    assert raw.smembers("processes") == {b"another"}


@pytest.mark.parametrize("where", ["in flight", "private list"])
def test_a_process_that_still_holds_a_job_stays_listed(ownership: Ownership, raw: redis.Redis, where: str) -> None:
    ownership.register()
    if where == "in flight":
        hold(raw, job("a"), queue="high", identity=ME)
    else:
        raw.lpush(waiting("high", ME), job("a"))
    assert not ownership.release()
    assert raw.hexists("pl:owners", ME)
    assert raw.exists(inflight("high", ME), waiting("high", ME)) == 1
