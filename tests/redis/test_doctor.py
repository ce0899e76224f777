"""Doctor against real servers that are ill in one way each (F074, F075)."""

import asyncio
import json
import re

import pytest
from redis.exceptions import ResponseError
from redis_process import RedisProcess

from pillion.api.doctor import Doctor
from pillion.api.fleet import Fleet
from pillion.config import Config
from pillion.storage.ops import reap

DEAD, ALIVE = "host:1:dddddddddddd", "host:2:aaaaaaaaaaaa"


@pytest.fixture
def serve(redis_binary, short_tmp):
    """Start a server with options; returns it."""
    servers = []

    def start(*options, aof=True):
        folder = short_tmp / str(len(servers))
        folder.mkdir()
        servers.append(RedisProcess(redis_binary, folder, aof=aof, options=options))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


def levels(url):
    """Name to level of what doctor finds at `url`."""
    return {name: finding.level for name, finding in findings(url).items()}


def findings(url):
    fleet = Fleet(Config(redis=url))
    try:
        return {finding.name: finding for finding in Doctor(fleet=fleet).examine()}
    finally:
        fleet.close()


def report(client, identity, *queues, quiet=False):
    """Write the record of a live process, as its heartbeat does."""
    info = {"hostname": "host", "capsules": {"default": {"weights": dict.fromkeys(queues, 0)}}}
    client.sadd("processes", identity)
    client.hset(identity, mapping={"info": json.dumps(info), "quiet": str(quiet).lower(), "busy": 0, "concurrency": 5})


class TestServer:
    def test_durable_and_never_evicting_is_well(self, serve):
        found = levels(serve().url)
        del found["workers"]  # none in this test
        assert set(found.values()) == {"ok"}

    @pytest.mark.parametrize(
        ("policy", "level"), [("allkeys-lru", "fail"), ("volatile-lru", "warn"), ("noeviction", "ok")]
    )
    def test_eviction(self, serve, policy, level):
        assert levels(serve("--maxmemory-policy", policy).url)["eviction"] == level

    @pytest.mark.parametrize(
        ("aof", "save", "level"),
        [(False, "", "fail"), (False, "900 1", "warn"), (True, "", "ok"), (True, "900 1", "ok")],
    )
    def test_persistence(self, serve, aof, save, level):
        server = serve(aof=aof)
        server.config_set(save=save)
        assert levels(server.url)["persistence"] == level

    def test_a_snapshot_that_cannot_be_written_is_a_failure(self, serve):
        server = serve(aof=False)
        server.config_set(save="900 1")
        with server.client() as client:
            (server.folder / "dump.rdb").mkdir()  # a folder cannot be replaced by a file
            client.bgsave()
            while client.info("persistence")["rdb_bgsave_in_progress"]:
                pass
            found = levels(server.url)
            with pytest.raises(ResponseError, match="MISCONF"):
                client.lpush("queue:a", "job")
            server.config_set(save="")  # no snapshots are due any more
            client.lpush("queue:a", "job")
            found_without = levels(server.url)
        server.kill()  # it would not end in order before it has saved
        assert (found["disk"], found_without["disk"]) == ("fail", "warn")

    @pytest.mark.parametrize(("share", "level"), [(0.5, "ok"), (0.87, "warn"), (0.98, "fail")])
    def test_memory_nearly_full(self, serve, share, level):
        server = serve()
        with server.client() as client:
            client.setrange("pl:ballast", 50_000_000, "x")
            server.config_set(maxmemory=int(client.info()["used_memory"] / share))
        assert levels(server.url)["memory"] == level

    def test_few_places_for_clients_left(self, serve):
        server = serve("--maxclients", "10")
        others = [server.client() for _ in range(9)]
        for other in others:
            other.ping()
        assert levels(server.url)["connections"] in ("warn", "fail")
        for other in others:
            other.close()

    def test_a_replica_is_no_place_for_jobs(self, serve):
        server = serve()
        with server.client() as client:
            client.replicaof("127.0.0.1", 1)
        assert levels(server.url)["role"] == "fail"

    def test_scripts_that_are_forbidden(self, serve):
        server = serve()
        with server.client() as client:
            client.acl_setuser(
                "guest", enabled=True, passwords=["+p"], keys=["*"], commands=["+@all", "-evalsha", "-eval", "-script"]
            )
        assert levels(server.url.replace("unix://", "unix://guest:p@"))["scripts"] == "fail"

    def test_keys_that_may_not_be_read(self, serve):
        server = serve()
        with server.client() as client:
            client.acl_setuser("guest", enabled=True, passwords=["+p"], keys=["queue:*"], commands=["+@all"])
        assert levels(server.url.replace("unix://", "unix://guest:p@"))["access"] == "fail"

    @pytest.mark.parametrize("ill", ["down", "password"])
    def test_a_server_without_an_answer_is_a_finding(self, serve, ill):
        server = serve()
        url = server.url.replace("unix://", "unix://:wrong@")
        if ill == "down":
            server.stop()
        else:
            server.config_set(requirepass="right")
        assert levels(url) == {"connection": "fail"}


class TestForeignKeys:
    def test_a_cache_in_the_same_database_is_named(self, redis_url, raw):
        raw.mset({f"cache:{number}": "x" for number in range(20)})
        raw.lpush("queue:mail", "{}")
        finding = findings(redis_url)["dedicated"]
        assert finding.level == "warn"
        assert "20 of 21 keys" in finding.what_is
        assert "cache:" in finding.what_is

    def test_what_pillion_writes_is_no_strangers(self, redis_url, raw, storage):
        storage.run(reap.register(ALIVE, b'{"queues": ["default"]}'))
        report(raw, ALIVE, "default")
        raw.hset(f"{{queue:default}}:inflight:{ALIVE}", "1", "{}")
        raw.set("stat:processed:2026-11-22", 5)
        assert levels(redis_url)["dedicated"] == "ok"

    def test_of_a_huge_database_only_a_sample_is_looked_at(self, redis_url, raw):
        with raw.pipeline(transaction=False) as pipe:
            for number in range(20_000):
                pipe.set(f"cache:{number}", "")
            pipe.execute()
        raw.config_resetstat()
        finding = findings(redis_url)["dedicated"]
        assert raw.info("commandstats")["cmdstat_scan"]["calls"] <= 10
        foreign, sampled = re.match(r"(\d+) of (\d+) keys", finding.what_is).groups()
        assert foreign == sampled
        assert 800 <= int(sampled) <= 1200


class TestFleet:
    def test_a_live_worker(self, redis_url, raw):
        report(raw, ALIVE, "default")
        raw.sadd("queues", "default")
        raw.lpush("queue:default", "{}")
        found = levels(redis_url)
        assert (found["workers"], found["served"]) == ("ok", "ok")

    def test_a_fleet_that_has_died(self, redis_url, raw):
        raw.sadd("processes", DEAD)  # its record has expired
        assert levels(redis_url)["workers"] == "fail"

    def test_a_queue_that_nobody_serves(self, redis_url, raw):
        report(raw, ALIVE, "default")
        raw.sadd("queues", "default", "mial")
        raw.lpush("queue:mial", "{}", "{}")
        finding = findings(redis_url)["served"]
        assert finding.level == "fail"
        assert "mial (2 jobs)" in finding.what_is

    def test_a_paused_queue(self, redis_url, raw):
        report(raw, ALIVE, "default")
        raw.sadd("queues", "default")
        raw.sadd("paused", "default")
        assert levels(redis_url)["paused"] == "warn"

    def test_jobs_in_the_hands_of_the_dead(self, redis_url, raw, storage):
        for identity in (DEAD, ALIVE):
            storage.run(reap.register(identity, b'{"queues": ["default", "mail"]}'))
        raw.delete(f"pl:alive:{DEAD}")
        raw.hset(f"{{queue:mail}}:inflight:{DEAD}", mapping={"1": "{}", "2": "{}", "3": "{}"})
        finding = findings(redis_url)["orphans"]
        assert finding.level == "warn"
        assert f"1 process died with 3 jobs in flight: {DEAD}" in finding.what_is

    def test_more_queues_and_processes_than_one_page(self, redis_url, raw):
        for number in range(450):
            report(raw, f"host:{number}:aaaaaaaaaaaa", f"q{number}")
            raw.sadd("queues", f"q{number}")
            raw.lpush(f"queue:q{number}", "{}")
        found = findings(redis_url)
        assert found["served"].level == "ok"
        assert "450 processes" in found["workers"].what_is

    def test_a_key_of_another_type_does_not_stop_it(self, redis_url, raw):
        raw.sadd("queues", "odd")
        raw.set("queue:odd", "no list")
        found = levels(redis_url)
        assert found["access"] == "fail"
        assert found["eviction"] == "ok"


def test_from_an_event_loop_and_without_writing_anything(redis_url, raw):
    async def ask():
        fleet = Fleet(Config(redis=redis_url))
        try:
            return await Doctor(fleet=fleet).examine.aio()
        finally:
            await fleet.aclose()

    names = {finding.name for finding in asyncio.run(ask())}
    assert {"version", "workers", "served"} <= names
    assert raw.keys("*") == []
