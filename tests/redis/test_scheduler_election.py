"""Who promotes when: the elected scheduler and its stand-bys."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from engine import until
from redis_process import RedisProcess
from services import Reports, Watch, job, run_order, soon

from pillion.client import Client
from pillion.config import Config, RedisConfig
from pillion.errors import RedisUnavailable
from pillion.server.scheduler import LOCK_TTL_S, RENEW_LOCK_EVERY_S, Scheduler
from pillion.storage.connect import open_target
from pillion.storage.ops import promote as ops
from pillion.storage.ops.push import wake_scheduler
from pillion.storage.sync import Storage
from pillion.storage.target import resolve_url
from pillion.storage.wake_wait import WakeWait

LOCK = "pl:scheduler"


class Scene:
    """Schedulers of several processes on one Redis; all are stopped at the end."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self.reports = Reports(Config())
        self.schedulers: list[Scheduler] = []

    def scheduler(self, name: str = "vm:1:a", **options: Any) -> Scheduler:
        config = Config(average_scheduled_poll_interval_s=0.05)
        client = Client(self.storage, config)
        made = Scheduler(self.storage, config, name, client.promote_payload, self.reports, **options)
        self.schedulers.append(made)
        return made

    def leader(self, name: str = "vm:1:a", **options: Any) -> Scheduler:
        made = self.scheduler(name, **options)
        made.start()
        until(lambda: made.leading)
        return made

    def stop(self) -> None:
        for scheduler in self.schedulers:
            scheduler.stop(soon())


@pytest.fixture
def scene(storage: Storage) -> Iterator[Scene]:
    made = Scene(storage)
    yield made
    made.stop()


# -- election --------------------------------------------------------------------------------------


def test_the_first_scheduler_leads_and_holds_the_lock(scene: Scene, raw: redis.Redis) -> None:
    scene.leader("vm:1:a")
    assert raw.get(LOCK) == b"vm:1:a"
    assert 0 < raw.pttl(LOCK) <= LOCK_TTL_S * 1000


def test_of_three_schedulers_one_leads(scene: Scene) -> None:
    three = [scene.scheduler(f"vm:{n}:a") for n in range(3)]
    for scheduler in three:
        scheduler.start()
    until(lambda: sum(scheduler.leading for scheduler in three) == 1)


def test_a_stand_by_promotes_too_if_the_leader_does_not(scene: Scene, raw: redis.Redis) -> None:
    raw.set(LOCK, "a leader that hangs")
    raw.zadd("schedule", {job("a"): 1.0})
    stand_by = scene.scheduler()
    stand_by.start()
    until(lambda: run_order(raw))
    assert not stand_by.leading


def test_a_stand_by_takes_over_when_the_lock_ends(scene: Scene, raw: redis.Redis) -> None:
    raw.set(LOCK, "a leader that died")
    stand_by = scene.scheduler()
    stand_by.start()
    raw.delete(LOCK)
    until(lambda: stand_by.leading)


def test_a_leader_keeps_its_lock(scene: Scene, raw: redis.Redis) -> None:
    watch = Watch()
    scene.leader("vm:1:a", monotonic=watch)
    raw.pexpire(LOCK, 5_000)
    watch.now_s += RENEW_LOCK_EVERY_S
    until(lambda: raw.pttl(LOCK) > 10_000)


def test_a_leader_that_lost_its_lock_steps_down(scene: Scene, raw: redis.Redis) -> None:
    watch = Watch()
    leader = scene.leader("vm:1:a", monotonic=watch)
    raw.set(LOCK, "another")
    watch.now_s += RENEW_LOCK_EVERY_S
    until(lambda: not leader.leading)
    assert raw.get(LOCK) == b"another"


def test_the_lock_can_be_taken_when_redis_is_full(own_redis: RedisProcess) -> None:
    settings = RedisConfig(url=own_redis.url)
    storage = open_target(resolve_url(settings, {}), settings)
    own_redis.config_set(maxmemory=1, maxmemory_policy="noeviction")
    assert storage.run(ops.hold_lock(LOCK, "vm:1:a", LOCK_TTL_S))
    assert not storage.run(ops.hold_lock(LOCK, "vm:2:a", LOCK_TTL_S))
    storage.close()


# -- stopping --------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["quiet", "stop"])
def test_a_leader_that_goes_resigns(scene: Scene, raw: redis.Redis, method: str) -> None:
    leader = scene.leader()
    leader.quiet() if method == "quiet" else leader.stop(soon())
    until(lambda: not raw.exists(LOCK))
    assert not leader.leading


def test_a_leader_that_sleeps_is_stopped_at_once(
    scene: Scene, raw: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pillion.server.scheduler.LONGEST_WAIT_S", 3600.0)
    leader = scene.leader()
    until(lambda: raw.info("clients")["blocked_clients"])
    leader.stop(soon())
    assert not leader.leading


def test_a_scheduler_that_is_quiet_promotes_no_more(scene: Scene, raw: redis.Redis) -> None:
    leader = scene.leader()
    leader.quiet()
    leader.stop(soon())
    raw.zadd("schedule", {job("a"): 1.0})
    leader.start()
    assert raw.zcard("schedule") == 1


def test_stop_comes_twice_and_before_start_without_harm(scene: Scene) -> None:
    scheduler = scene.scheduler()
    scheduler.stop(soon())
    scheduler.start()
    scheduler.stop(soon())
    scheduler.quiet()
    assert not scheduler.leading


# -- time ------------------------------------------------------------------------------------------


def test_a_job_due_soon_is_promoted_when_it_is_due(scene: Scene, raw: redis.Redis) -> None:
    scene.leader()
    due_s = time.time() + 0.3
    raw.zadd("schedule", {job("a"): due_s})
    scene.storage.run_all(wake_scheduler())
    until(lambda: run_order(raw))
    assert json.loads(run_order(raw)[0])["enqueued_at"] >= int(due_s * 1000)


def test_a_clock_that_jumps_back_leaves_the_leader_looking(scene: Scene, raw: redis.Redis) -> None:
    clock = Watch(time.time())
    raw.zadd("schedule", {job("later"): clock.now_s + 10})
    scene.leader(clock=clock)
    clock.now_s -= 3600
    raw.zadd("schedule", {job("a"): clock.now_s})
    until(lambda: run_order(raw))


def test_redis_restarting_is_reported_and_survived(own_redis: RedisProcess) -> None:
    settings = RedisConfig(url=own_redis.url)
    storage = open_target(resolve_url(settings, {}), settings)
    scene = Scene(storage)
    scene.leader()
    own_redis.kill()
    assert scene.reports.reported.acquire(timeout=30)
    assert isinstance(scene.reports.errors[0][0], RedisUnavailable)
    own_redis.start()
    with own_redis.client() as raw:
        raw.zadd("schedule", {job("a"): 1.0})
        until(lambda: run_order(raw))
    scene.stop()
    storage.close()


def test_an_idle_leader_sends_fewer_than_three_commands_a_second(scene: Scene, raw: redis.Redis) -> None:
    scene.leader()
    begun_s, before = time.monotonic(), commands(raw)
    until(lambda: commands(raw)["zrange"] - before["zrange"] >= 8, "four looks at both sets")
    after, elapsed_s = commands(raw), time.monotonic() - begun_s
    sent = sum(after.values()) - sum(before.values())
    assert after["evalsha"] > before["evalsha"], "no lock was prolonged: the count would not be the whole truth"
    assert sent / elapsed_s < 3


def commands(raw: redis.Redis) -> dict[str, int]:
    """How often each command was carried out, by clients and inside scripts; without our own questions."""
    stats = raw.info("commandstats")
    return {name.removeprefix("cmdstat_"): row["calls"] for name, row in stats.items() if name != "cmdstat_info"}


# -- the wait itself -------------------------------------------------------------------------------


@pytest.fixture
def bell(storage: Storage) -> Iterator[WakeWait]:
    made = WakeWait(storage.link_connection, storage.explain, "bell")
    yield made
    made.close()


def test_a_wait_ends_with_a_token(bell: WakeWait, raw: redis.Redis) -> None:
    ringer = threading.Thread(
        target=lambda: until(lambda: raw.info("clients")["blocked_clients"]) and raw.lpush("bell", 1)
    )
    ringer.start()
    assert bell.wait(60)
    ringer.join()


def test_a_wait_ends_with_its_time(bell: WakeWait) -> None:
    assert not bell.wait(0.01)


def test_a_wait_ends_with_a_call_from_another_thread(bell: WakeWait, raw: redis.Redis) -> None:
    caller = threading.Thread(target=lambda: until(lambda: raw.info("clients")["blocked_clients"]) and bell.wake())
    caller.start()
    assert not bell.wait(60)
    caller.join()


def test_a_call_that_came_before_the_wait_ends_it(bell: WakeWait) -> None:
    bell.wake()
    assert not bell.wait(60)


def test_a_token_between_two_waits_is_not_missed(bell: WakeWait, raw: redis.Redis) -> None:
    bell.wait(0)
    raw.lpush("bell", 1)
    assert bell.wait(60)


def test_a_wait_says_when_redis_is_gone(own_redis: RedisProcess) -> None:
    settings = RedisConfig(url=own_redis.url)
    storage = open_target(resolve_url(settings, {}), settings)
    bell = WakeWait(storage.link_connection, storage.explain, "bell")
    bell.wait(0)
    own_redis.kill()
    with pytest.raises(RedisUnavailable):
        bell.wait(60)
    bell.close()
    storage.close()


def test_a_closed_bell_may_still_be_rung(bell: WakeWait) -> None:
    bell.close()
    bell.wake()
