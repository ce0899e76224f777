"""Giving back what one dead process held."""

from __future__ import annotations

import logging

import pytest
import redis
from redis_process import RedisProcess
from services import GONE, ME, NOW_S, ReaperScene, Reports, alive, hold, inflight, job, list_owner, run_order, waiting

from pillion.config import Config, RedisConfig
from pillion.errors import RedisError
from pillion.server.give_back import Recovery
from pillion.server.reaper import Reaper
from pillion.storage.connect import open_target
from pillion.storage.ops import reap as ops
from pillion.storage.sync import Storage
from pillion.storage.target import resolve_url


@pytest.fixture
def scene(storage: Storage) -> ReaperScene:
    return ReaperScene(storage)


def everything(raw: redis.Redis) -> dict[bytes, bytes | None]:
    return {key: raw.dump(key) for key in raw.scan_iter()}


# -- back to the queue -----------------------------------------------------------------------------


def test_jobs_go_back_byte_for_byte_the_oldest_next_to_run(scene: ReaperScene, raw: redis.Redis) -> None:
    odd = b'{"jid": "x",  "args":[1.0,[],12345678901234567890123], "class":"A"}'
    list_owner(raw)
    hold(raw, *(job(f"j{token}") for token in range(1, 12)), odd)
    raw.lpush("queue:default", job("waiting"))
    scene.reaper.recover(GONE)
    assert run_order(raw) == [*(job(f"j{token}") for token in range(1, 12)), odd, job("waiting")]


def test_every_queue_gets_its_own_jobs(scene: ReaperScene, raw: redis.Redis) -> None:
    list_owner(raw, "high", "a:b")
    hold(raw, job("a"), queue="high")
    hold(raw, job("b"), queue="a:b")
    scene.reaper.recover(GONE)
    assert (run_order(raw, "high"), run_order(raw, "a:b")) == ([job("a")], [job("b")])


def test_an_owner_with_nothing_left_is_struck_off(scene: ReaperScene, raw: redis.Redis) -> None:
    list_owner(raw)
    hold(raw, job("a"))
    raw.sadd("processes", GONE, ME)
    assert scene.reaper.recover(GONE).finished
    assert not raw.exists("pl:owners", alive(), inflight())
    assert raw.smembers("processes") == {ME.encode()}


def test_an_owner_that_is_not_listed_is_nothing_to_do(scene: ReaperScene, raw: redis.Redis) -> None:
    assert scene.reaper.recover("nobody", force=True) == scene.reaper.recover("nobody")
    assert raw.dbsize() == 0


def test_many_jobs_come_back_in_order(scene: ReaperScene, raw: redis.Redis) -> None:
    jobs = [job(f"j{n:04}") for n in range(1050)]
    list_owner(raw)
    hold(raw, *jobs)
    assert len(scene.reaper.recover(GONE).jobs) == 1050
    assert run_order(raw) == jobs


def test_each_recovery_is_logged_and_told(
    scene: ReaperScene, raw: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    list_owner(raw)
    hold(raw, job("j1"))
    with caplog.at_level(logging.WARNING, logger="pillion"):
        scene.reaper.recover(GONE)
    assert all(part in caplog.text for part in ("j1", "app.Job", "default", GONE, "recovery 1"))
    assert [(told.held.raw, told.count, told.kind) for told in scene.recoveries] == [(job("j1"), 1, "returned")]


def test_a_listener_that_fails_stops_nothing(storage: Storage, raw: redis.Redis) -> None:
    def listen(recovery: Recovery) -> None:
        raise LookupError("no metrics today")

    reports = Reports(Config())
    list_owner(raw)
    hold(raw, job("a"), job("b"))
    Reaper(storage, Config(), ME, reports, on_recovery=listen).recover(GONE)
    assert run_order(raw) == [job("a"), job("b")]
    assert [type(error) for error, _ in reports.errors] == [LookupError, LookupError]


# -- private wait lists ----------------------------------------------------------------------------


def test_private_wait_lists_are_emptied_and_counted_for_their_job_may_have_run(
    scene: ReaperScene, raw: redis.Redis
) -> None:
    list_owner(raw)
    raw.lpush(waiting(), job("a"), job("b"))
    result = scene.reaper.recover(GONE)
    assert run_order(raw) == [job("a"), job("b")]
    assert [recovery.count for recovery in result.jobs] == [1, 1]
    assert not raw.exists(waiting(), inflight())


def test_a_job_that_kills_its_process_from_the_wait_list_is_a_poison_pill(scene: ReaperScene, raw: redis.Redis) -> None:
    for _ in range(3):
        list_owner(raw)
        raw.lpush(waiting(), job("pill"))
        raw.delete("queue:default")
        scene.reaper.recover(GONE)
    assert raw.zcard("dead") == 1
    assert run_order(raw) == []


def test_a_wait_list_whose_jobs_cannot_be_put_in_flight_keeps_them(scene: ReaperScene, raw: redis.Redis) -> None:
    list_owner(raw)
    raw.set(inflight(), "not a hash")
    raw.lpush(waiting(), job("a"), job("b"))
    with pytest.raises(RedisError, match="WRONGTYPE"):
        scene.reaper.recover(GONE)
    assert raw.lrange(waiting(), 0, -1) == [job("b"), job("a")]


def test_jobs_in_flight_run_before_those_of_the_wait_list(scene: ReaperScene, raw: redis.Redis) -> None:
    list_owner(raw)
    hold(raw, job("running"))
    raw.lpush(waiting(), job("not begun"))
    scene.reaper.recover(GONE)
    assert run_order(raw) == [job("running"), job("not begun")]


def test_a_long_wait_list_is_emptied(scene: ReaperScene, raw: redis.Redis) -> None:
    jobs = [job(f"j{n}") for n in range(250)]
    list_owner(raw)
    raw.lpush(waiting(), *jobs)
    scene.reaper.recover(GONE)
    assert run_order(raw) == jobs


# -- leases ----------------------------------------------------------------------------------------


def test_while_the_lease_runs_nothing_is_touched(scene: ReaperScene, raw: redis.Redis) -> None:
    list_owner(raw)
    hold(raw, job("a"))
    raw.lpush(waiting(), job("b"))
    raw.set(alive(), 1, ex=30)
    before = everything(raw)
    assert not scene.reaper.recover(GONE).finished
    assert everything(raw) == before


def test_force_goes_over_a_running_lease(scene: ReaperScene, raw: redis.Redis) -> None:
    list_owner(raw)
    hold(raw, job("a"))
    raw.lpush(waiting(), job("b"))
    raw.set(alive(), 1, ex=30)
    assert scene.reaper.recover(GONE, force=True).finished
    assert run_order(raw) == [job("a"), job("b")]
    assert not raw.exists(alive())


def test_a_lease_that_returns_halfway_stops_the_give_back_there(storage: Storage, raw: redis.Redis) -> None:
    scene = ReaperScene(storage, then=lambda: raw.set(alive(), 1))
    list_owner(raw, "one", "two")
    hold(raw, job("a"), queue="one")
    hold(raw, job("b"), queue="two")
    assert not scene.reaper.recover(GONE).finished
    assert run_order(raw, "one") == [job("a")]
    assert raw.hvals(inflight("two")) == [job("b")]
    assert raw.hexists("pl:owners", GONE)


@pytest.mark.parametrize("step", ["reclaim", "wait list", "poison", "retire"])
def test_each_step_looks_at_the_lease_itself(storage: Storage, raw: redis.Redis, step: str) -> None:
    list_owner(raw)
    hold(raw, job("a"))
    raw.lpush(waiting(), job("b"))
    raw.set(alive(), 1, ex=30)
    steps = {
        "reclaim": ops.reclaim("default", GONE, b"1", "a", limit=3, force=False),
        "wait list": ops.claim_waiting("default", GONE, limit=9, force=False),
        "poison": ops.bury_poison("default", GONE, b"1", "a", b"x", now_s=NOW_S, max_jobs=9, timeout_s=9, force=False),
        "retire": ops.retire(GONE, [], force=False),
    }
    before = everything(raw)
    assert storage.run(steps[step]) == ops.OWNER_LIVES
    assert everything(raw) == before


# -- crashes of the reaper -------------------------------------------------------------------------


def test_a_reaper_killed_at_any_step_leaves_each_job_in_one_place_and_the_next_goes_on(
    storage: Storage, raw: redis.Redis
) -> None:
    jobs = [job(f"j{n}") for n in range(5)]
    for done in range(6):
        raw.flushall()
        list_owner(raw)
        hold(raw, *jobs)
        for token in range(5, 5 - done, -1):  # what a reaper has done when it is killed
            storage.run(ops.reclaim("default", GONE, b"%d" % token, f"j{token - 1}", limit=3, force=False))
        assert sorted([*run_order(raw), *raw.hvals(inflight())]) == jobs
        assert ReaperScene(storage).reaper.recover(GONE).finished
        assert run_order(raw) == jobs


def test_two_reapers_give_each_job_back_once(storage: Storage, raw: redis.Redis) -> None:
    list_owner(raw)
    hold(raw, job("a"))
    op = ops.reclaim("default", GONE, b"1", "a", limit=3, force=False)
    assert storage.run_all([op, op]) == [1, 0]
    assert run_order(raw) == [job("a")]


def test_an_owner_that_fetched_again_is_not_struck_off(storage: Storage, raw: redis.Redis) -> None:
    list_owner(raw)
    hold(raw, job("a"))
    assert storage.run(ops.retire(GONE, ["default"], force=True)) == 0
    assert raw.hexists("pl:owners", GONE)


def test_giving_back_survives_a_flush_of_the_scripts(scene: ReaperScene, raw: redis.Redis) -> None:
    raw.script_flush()
    list_owner(raw)
    hold(raw, job("a"))
    assert scene.reaper.recover(GONE).finished


def test_a_queue_of_a_wrong_type_keeps_its_jobs_in_flight(scene: ReaperScene, raw: redis.Redis) -> None:
    raw.set("queue:default", "not a list")
    list_owner(raw)
    hold(raw, job("a"))
    raw.lpush(waiting(), job("b"))
    with pytest.raises(RedisError, match="WRONGTYPE"):
        scene.reaper.recover(GONE)
    assert sorted(raw.hvals(inflight())) == [job("a"), job("b")]


def test_a_queue_of_a_wrong_type_does_not_hold_up_the_owners_other_queues(scene: ReaperScene, raw: redis.Redis) -> None:
    raw.set("queue:broken", "not a list")
    list_owner(raw, "broken", "good")
    hold(raw, job("a"), queue="broken")
    hold(raw, job("b"), queue="good")
    with pytest.raises(RedisError, match="WRONGTYPE"):
        scene.reaper.recover(GONE)
    assert run_order(raw, "good") == [job("b")]
    assert raw.hexists("pl:owners", GONE)


def test_jobs_are_given_back_when_redis_is_full(own_redis: RedisProcess) -> None:
    settings = RedisConfig(url=own_redis.url)
    storage = open_target(resolve_url(settings, {}), settings)
    with own_redis.client() as raw:
        list_owner(raw)
        hold(raw, job("a"), job("pill"))
        raw.lpush(waiting(), job("b"))
        raw.set("pl:recovered:pill", 2)
        own_redis.config_set(maxmemory=1, maxmemory_policy="noeviction")
        assert ReaperScene(storage).reaper.recover(GONE).finished
        assert run_order(raw) == [job("a"), job("b")]
        assert raw.zcard("dead") == 1
    storage.close()
