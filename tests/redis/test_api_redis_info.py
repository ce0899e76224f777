"""RedisInfo against real servers: its numbers are those of INFO (F216)."""

import asyncio
import time

import pytest

from pillion.api.fleet import Fleet
from pillion.api.redis_info import RedisInfo
from pillion.config import Config
from pillion.errors import RedisRefused, RedisUnavailable


@pytest.fixture
def look():
    """Take a snapshot of a server."""
    fleets = []

    def snapshot(url, **options):
        fleet = Fleet(Config(redis=url), **options)
        fleets.append(fleet)
        return RedisInfo(fleet=fleet).snapshot()

    yield snapshot
    for fleet in fleets:
        fleet.close()


def test_the_numbers_are_those_of_info(look, own_redis):
    own_redis.config_set(maxmemory="200mb", maxmemory_policy="volatile-lru", maxclients=500, save="900 1")
    with own_redis.client() as client:
        client.set("queue", "x")
        client.bgsave()
        snapshot = look(own_redis.url)
        info = client.info()
    assert (snapshot.version, snapshot.store) == (info["redis_version"], "Redis")
    assert (snapshot.max_memory_bytes, snapshot.max_clients) == (200 * 1024**2, 500)
    assert (snapshot.maxmemory_policy, snapshot.role, snapshot.replicas) == ("volatile-lru", "primary", 0)
    assert (snapshot.aof_enabled, snapshot.aof_last_write_ok, snapshot.appendfsync) == (True, True, "always")
    assert snapshot.rdb_save_points == "900 1"
    assert snapshot.evicted_keys == 0
    assert snapshot.keys_by_database == {0: 1}
    assert snapshot.connected_clients >= 2  # the test's own, and the one that asked
    assert abs(snapshot.used_memory_bytes - info["used_memory"]) < 5 * 1024**2
    assert 0 < snapshot.memory_share < 1
    assert snapshot.latest_fork_s > 0
    assert 0 < snapshot.rtt_s < 10
    assert abs(snapshot.clock_offset_s) < 5  # the same machine


def test_a_clock_that_is_behind_is_measured(look, redis_url):
    snapshot = look(redis_url, clock=lambda: time.time() - 100)
    assert 95 < snapshot.clock_offset_s < 105


def test_from_an_event_loop(redis_url):
    async def ask():
        fleet = Fleet(Config(redis=redis_url))
        try:
            return await RedisInfo(fleet=fleet).snapshot.aio()
        finally:
            await fleet.aclose()

    assert asyncio.run(ask()).role == "primary"


def test_a_server_that_hides_settings_and_info_is_still_measured(look, own_redis):
    with own_redis.client() as client:
        client.acl_setuser(
            "guest", enabled=True, passwords=["+pass"], keys=["*"], commands=["+@all", "-@admin", "-info"]
        )
    snapshot = look(own_redis.url.replace("unix://", "unix://guest:pass@"))
    assert (snapshot.store, snapshot.maxmemory_policy, snapshot.rdb_save_points) == ("unknown", None, None)
    assert snapshot.rtt_s > 0
    assert snapshot.clock_offset_s is not None


def test_a_wrong_password_is_refused(look, own_redis):
    own_redis.config_set(requirepass="right")
    with pytest.raises(RedisRefused):
        look(own_redis.url.replace("unix://", "unix://:wrong@"))


def test_a_server_that_is_down_is_an_error(look, own_redis):
    own_redis.stop()
    with pytest.raises(RedisUnavailable):
        look(own_redis.url)


def test_a_replica_says_so(look, own_redis):
    with own_redis.client() as client:
        client.replicaof("127.0.0.1", 1)  # nobody there: it is a replica all the same
    snapshot = look(own_redis.url)
    assert (snapshot.role, snapshot.replica_read_only, snapshot.primary_link_up) == ("replica", True, False)
