"""What doctor makes of facts: a truth table, without Redis (F074, F075, F216)."""

import json
from dataclasses import replace

import pytest

from pillion.api.doctor import diagnose, worst
from pillion.api.doctor_facts import Facts, KeySample
from pillion.api.process_data import ProcessData
from pillion.api.redis_info import RedisSnapshot
from pillion.api.stats import QueueSummary
from pillion.api.survey import DeadOwner

GB = 1024**3
WELL = RedisSnapshot(
    store="Redis",
    version="7.2.4",
    redis_version="7.2.4",
    connected_clients=10,
    max_clients=10_000,
    used_memory_bytes=GB,
    peak_memory_bytes=GB,
    max_memory_bytes=4 * GB,
    maxmemory_policy="noeviction",
    aof_enabled=True,
    aof_last_write_ok=True,
    appendfsync="everysec",
    rdb_save_points="",
    rdb_last_save_ok=True,
    rdb_last_save_at=900.0,
    role="primary",
    replicas=0,
    rtt_s=0.0004,
    clock_offset_s=0.001,
    taken_at=1000.0,
)


def worker(*queues, **fields):
    """A process that serves queues; `fields` of its record are text."""
    record = {"info": json.dumps({"queues": queues}), "concurrency": "5", **fields}
    return ProcessData("host:1:aaaaaaaaaaaa", {name: value.encode() for name, value in record.items()})


WORKER = worker("default")


def waiting(queue, size):
    return QueueSummary(queue, size, 0.0, is_paused=False)


def facts(processes=(WORKER,), queues=(), dead_owners=(), keys=KeySample(10), refused=None, **redis):
    return Facts(replace(WELL, **redis), keys, list(processes), list(queues), list(dead_owners), refused or {})


def find(name, given):
    """The finding of that name; None if the rule said nothing."""
    found = [finding for finding in diagnose(given) if finding.name == name]
    assert len(found) <= 1
    return found[0] if found else None


def test_a_fleet_that_is_well_has_only_ok_findings():
    assert {finding.level for finding in diagnose(facts())} == {"ok"}


@pytest.mark.parametrize(
    ("name", "redis", "level"),
    [
        ("version", {"redis_version": "6.0.16", "version": "6.0.16"}, "fail"),
        ("version", {"redis_version": "6.2.0"}, "ok"),
        ("version", {"redis_version": None, "store": "unknown"}, "warn"),
        ("version", {"redis_version": "7.2.4", "store": "Valkey", "version": "8.0.1"}, "ok"),
        ("role", {"role": "replica", "replica_read_only": True}, "fail"),
        ("role", {"role": "replica", "replica_read_only": False}, "fail"),
        ("eviction", {"maxmemory_policy": "allkeys-lru"}, "fail"),
        ("eviction", {"maxmemory_policy": "allkeys-random"}, "fail"),
        ("eviction", {"maxmemory_policy": "volatile-ttl"}, "warn"),
        ("eviction", {"maxmemory_policy": None}, "warn"),
        ("persistence", {"aof_enabled": False, "rdb_save_points": ""}, "fail"),
        ("persistence", {"aof_enabled": False, "rdb_save_points": "3600 1"}, "warn"),
        ("persistence", {"aof_enabled": False, "rdb_save_points": None}, "warn"),
        ("persistence", {"aof_enabled": None}, "warn"),
        ("persistence", {"aof_enabled": True, "rdb_save_points": None}, "ok"),
        ("disk", {"aof_last_write_ok": False}, "fail"),
        ("disk", {"rdb_last_save_ok": False, "rdb_save_points": "3600 1"}, "fail"),
        ("disk", {"rdb_last_save_ok": False, "rdb_save_points": None}, "fail"),
        ("disk", {"rdb_last_save_ok": False, "rdb_save_points": ""}, "warn"),
        ("memory", {"used_memory_bytes": int(3.1 * GB)}, "ok"),
        ("memory", {"used_memory_bytes": int(3.3 * GB)}, "warn"),
        ("memory", {"used_memory_bytes": int(3.9 * GB)}, "fail"),
        ("memory", {"max_memory_bytes": 0}, "ok"),
        ("memory", {"used_memory_bytes": None}, "warn"),
        ("connections", {"connected_clients": 8_000}, "ok"),
        ("connections", {"connected_clients": 8_001}, "warn"),
        ("connections", {"connected_clients": 9_501}, "fail"),
        ("latency", {"rtt_s": 0.005}, "ok"),
        ("latency", {"rtt_s": 0.006}, "warn"),
        ("latency", {"rtt_s": 0.2}, "fail"),
        ("clock", {"clock_offset_s": -0.9}, "ok"),
        ("clock", {"clock_offset_s": -1.1}, "warn"),
        ("clock", {"clock_offset_s": 5.1}, "fail"),
    ],
)
def test_the_server(name, redis, level):
    finding = find(name, facts(**redis))
    assert finding is not None
    assert finding.level == level
    if level != "ok":
        assert finding.why_it_matters


def test_nobody_is_told_to_upgrade_the_server_that_an_extra_brought():
    finding = find("version", facts(redis_version="6.2.14", version="6.2.14", is_bundled=True))
    assert finding.level == "ok"
    assert "Nothing has to be done" in finding.cure
    assert "install redis-server 7 or newer" in finding.cure
    assert "upgrade" not in finding.cure


def test_an_old_server_of_this_machine_is_to_be_upgraded():
    finding = find("version", facts(redis_version="6.2.14", version="6.2.14", is_bundled=False))
    assert finding.cure == "Plan to upgrade to Redis 7 or newer."


def test_every_failure_says_what_to_do():
    ill = facts(
        (),
        [waiting("mail", 3)],
        redis_version="5.0.1",
        maxmemory_policy="allkeys-lru",
        aof_last_write_ok=False,
        clock_offset_s=9.0,
        role="replica",
        refused={"scripts": "NOPERM"},
    )
    ill_at_rest = facts(aof_enabled=False, rdb_save_points="")  # no write can fail there
    failures = [finding for finding in [*diagnose(ill), *diagnose(ill_at_rest)] if finding.level == "fail"]
    assert len(failures) == 9
    assert all(finding.cure for finding in failures)


def test_the_loss_of_snapshots_is_told_in_numbers():
    finding = find("persistence", facts(aof_enabled=False, rdb_save_points="3600 1 300 100", unsaved_changes=42))
    assert "every 3600 s if 1 change, every 300 s if 100 changes" in finding.what_is
    assert "42 changes of the last 100 s" in finding.why_it_matters


def test_what_the_server_does_not_tell_is_no_finding():
    names = {finding.name for finding in diagnose(facts(role=None, connected_clients=None, clock_offset_s=None))}
    assert names.isdisjoint({"role", "connections", "clock"})


class TestDedicated:
    def test_keys_of_others_are_named(self):
        finding = find("dedicated", facts(keys=KeySample(1000, 3, ("cache:1", "session:2", "views/3"))))
        assert finding.level == "warn"
        assert "3 of 1000 keys" in finding.what_is
        assert "cache:1, session:2, views/3" in finding.what_is

    def test_other_databases_of_the_server_are_mentioned(self):
        finding = find("dedicated", facts(keys_by_database={0: 5, 3: 8, 4: 0}))
        assert finding.level == "ok"
        assert "0, 3" in finding.what_is


class TestFleet:
    def test_no_worker_is_a_failure(self):
        assert find("workers", facts(())).level == "fail"

    def test_only_quiet_workers_are_a_warning(self):
        assert find("workers", facts([worker("default", quiet="true")])).level == "warn"
        assert find("workers", facts([worker("default", quiet="true"), WORKER])).level == "ok"

    def test_a_worker_far_from_redis_is_a_warning(self):
        assert find("latency", facts([worker("default", rtt_us="80000")])).level == "warn"

    def test_queues_without_a_worker_are_named(self):
        finding = find("served", facts(queues=[waiting("default", 9), waiting("mial", 2), waiting("old", 0)]))
        assert finding.level == "fail"
        assert "mial (2 jobs)" in finding.what_is
        assert "default" not in finding.what_is
        assert "old" not in finding.what_is

    def test_a_process_that_does_not_name_its_queues_may_serve_any(self):
        assert find("served", facts([worker()], [waiting("mial", 2)])).level == "ok"

    def test_paused_queues_are_named(self):
        finding = find("paused", facts(queues=[QueueSummary("default", 1, 0.0, is_paused=True)]))
        assert finding.level == "warn"
        assert "default (1 job)" in finding.what_is

    def test_a_command_with_a_name_from_redis_can_be_copied_into_a_shell(self):
        finding = find("served", facts(queues=[waiting("$(reboot)", 1)]))
        assert finding.cure.startswith("pillion run MODULE -q '$(reboot)', or")

    def test_jobs_of_dead_processes_are_counted(self):
        finding = find("orphans", facts(dead_owners=[DeadOwner("host:7:x", 3), DeadOwner("host:8:y", 1)]))
        assert finding.level == "warn"
        assert "2 processes died with 4 jobs in flight: host:7:x, host:8:y" in finding.what_is

    def test_many_names_are_cut(self):
        finding = find("served", facts(queues=[waiting(f"q{number:02}", 1) for number in range(14)]))
        assert "q09 (1 job) and 4 more" in finding.what_is

    def test_what_may_not_be_looked_at_is_a_failure_and_no_guess(self):
        found = diagnose(facts((), refused={"processes": "NOPERM no"}))
        assert [finding.name for finding in found if finding.level == "fail"] == ["access"]
        assert "NOPERM no" in found[-2].what_is


def test_the_gravest_level_counts():
    assert worst(diagnose(facts())) == "ok"
    assert worst(diagnose(facts(clock_offset_s=2.0))) == "warn"
    assert worst(diagnose(facts((), clock_offset_s=2.0))) == "fail"
    assert worst([]) == "ok"
