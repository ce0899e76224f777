"""Poison pills: jobs that were running each time their process died (pro-enterprise A3)."""

from __future__ import annotations

import hashlib
import json

import pytest
import redis
from services import GONE, NOW_S, ReaperScene, hold, inflight, job, list_owner, run_order

from pillion.errors import PoisonPill, RedisError
from pillion.storage.sync import Storage


@pytest.fixture
def scene(storage: Storage) -> ReaperScene:
    return ReaperScene(storage)


def die_with(raw: redis.Redis, scene: ReaperScene, payload: bytes) -> None:
    """A process dies with this job in flight, and is recovered."""
    list_owner(raw)
    raw.delete("queue:default")
    hold(raw, payload)
    scene.reaper.recover(GONE)


def test_the_third_recovery_goes_to_the_dead_set(scene: ReaperScene, raw: redis.Redis) -> None:
    for _ in range(2):
        die_with(raw, scene, job("pill"))
        assert run_order(raw) == [job("pill")]
    die_with(raw, scene, job("pill"))
    assert run_order(raw) == []
    ((member, score),) = raw.zrange("dead", 0, -1, withscores=True)
    fields = json.loads(member)
    assert score == NOW_S
    assert fields["error_class"] == "pillion.errors.PoisonPill"
    assert "3 times" in fields["error_message"]
    assert (fields["queue"], fields["retry_count"], fields["failed_at"]) == ("default", 0, int(NOW_S * 1000))
    assert not raw.exists("pl:owners")


def test_the_death_handlers_are_told(scene: ReaperScene, raw: redis.Redis) -> None:
    for _ in range(3):
        die_with(raw, scene, job("pill"))
    ((payload, error),) = scene.deaths
    assert payload["jid"] == "pill"
    assert "discarded_at" not in payload
    assert isinstance(error, PoisonPill)


def test_a_pill_that_says_dead_false_is_dropped(scene: ReaperScene, raw: redis.Redis) -> None:
    for _ in range(3):
        die_with(raw, scene, job("pill", dead=False))
    assert not raw.exists("dead", "queue:default", inflight())
    assert scene.deaths[0][0]["discarded_at"] == int(NOW_S * 1000)


def test_recoveries_are_counted_for_72_hours_from_the_first(scene: ReaperScene, raw: redis.Redis) -> None:
    die_with(raw, scene, job("pill"))
    assert 72 * 3600 - 5 <= raw.ttl("pl:recovered:pill") <= 72 * 3600
    raw.expire("pl:recovered:pill", 100)
    die_with(raw, scene, job("pill"))
    assert raw.ttl("pl:recovered:pill") <= 100


def test_recoveries_that_were_forgotten_do_not_count(scene: ReaperScene, raw: redis.Redis) -> None:
    for _ in range(4):
        die_with(raw, scene, job("pill"))
        raw.delete("pl:recovered:pill")
    assert run_order(raw) == [job("pill")]


def test_a_pill_is_known_by_its_jid_whatever_else_changes(scene: ReaperScene, raw: redis.Redis) -> None:
    for n in range(3):
        die_with(raw, scene, job("pill", retry_count=n))
    assert raw.zcard("dead") == 1


def test_a_pill_revived_from_the_dead_set_has_three_tries_again(scene: ReaperScene, raw: redis.Redis) -> None:
    for _ in range(3):
        die_with(raw, scene, job("pill"))
    die_with(raw, scene, job("pill"))
    assert run_order(raw) == [job("pill")]


@pytest.mark.parametrize("payload", [b"no json", b"[1]", b'{"class":"A"}', b'{"jid":7}', b"\xff"])
def test_bytes_without_a_jid_are_counted_by_their_digest(scene: ReaperScene, raw: redis.Redis, payload: bytes) -> None:
    die_with(raw, scene, payload)
    assert raw.get(f"pl:recovered:{hashlib.sha1(payload).hexdigest()}") == b"1"
    assert run_order(raw) == [payload]


def test_a_pill_that_is_no_job_is_buried_as_it_is(scene: ReaperScene, raw: redis.Redis) -> None:
    for _ in range(3):
        die_with(raw, scene, b"no json")
    assert raw.zrange("dead", 0, -1) == [b"no json"]
    assert scene.deaths == []


def test_burying_a_pill_trims_the_dead_set(storage: Storage, raw: redis.Redis) -> None:
    scene = ReaperScene(storage, dead_max_jobs=3, dead_timeout_s=100)
    raw.zadd("dead", {"old": NOW_S - 100, "young1": NOW_S - 2, "young2": NOW_S - 1})
    for _ in range(3):
        die_with(raw, scene, job("pill"))
    assert raw.zcard("dead") == 2
    assert raw.zscore("dead", "young2")


def test_innocent_jobs_beside_a_pill_go_back(scene: ReaperScene, raw: redis.Redis) -> None:
    for n in range(3):
        list_owner(raw)
        raw.delete("queue:default")
        hold(raw, job(f"before{n}"), job("pill"), job(f"after{n}"))
        scene.reaper.recover(GONE)
    assert run_order(raw) == [job("before2"), job("after2")]
    assert [told.kind for told in scene.recoveries].count("poison") == 1


def test_who_does_not_know_the_death_handlers_leaves_pills_where_they_are(storage: Storage, raw: redis.Redis) -> None:
    supervisor, worker = ReaperScene(storage, bury_poison=False), ReaperScene(storage)
    for _ in range(3):
        list_owner(raw)
        raw.delete("queue:default")
        hold(raw, job("pill"))
        finished = supervisor.reaper.recover(GONE, force=True).finished
    assert not finished
    assert raw.hvals(inflight()) == [job("pill")]
    assert worker.reaper.recover(GONE).finished
    assert len(worker.deaths) == raw.zcard("dead") == 1


def test_a_pill_that_cannot_be_buried_stays_in_flight(scene: ReaperScene, raw: redis.Redis) -> None:
    raw.set("dead", "not a sorted set")
    raw.set("pl:recovered:pill", 2)
    list_owner(raw)
    hold(raw, job("pill"))
    with pytest.raises(RedisError, match="WRONGTYPE"):
        scene.reaper.recover(GONE)
    assert raw.hvals(inflight()) == [job("pill")]
    assert scene.deaths == []
