"""Finding dead processes."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest
import redis
from engine import until
from redis_process import RedisProcess
from services import GONE, ME, Reports, Watch, alive, hold, inflight, job, list_owner, run_order, soon, waiting

from pillion.config import Config, RedisConfig
from pillion.errors import RedisError, RedisUnavailable
from pillion.server.caution import Caution
from pillion.server.lease_watch import SECOND_LOOK_S
from pillion.server.orphans import enter_orphans
from pillion.server.owner import OwnerRecord, look_at
from pillion.server.reaper import SWEEP_LOCK_S, Reaper
from pillion.storage.connect import open_target
from pillion.storage.sync import Storage
from pillion.storage.target import resolve_url

LEASE_S = 30.0


class Scene:
    """A reaper whose clock goes when told to."""

    def __init__(self, storage: Storage, identity: str = ME) -> None:
        self.config = Config()
        self.reports = Reports(self.config)
        self.watch = Watch()
        self.reaper = Reaper(storage, self.config, identity, self.reports, monotonic=self.watch)

    def trusts_leases(self) -> Scene:
        """As after half a minute without a fault."""
        self.watch.now_s += LEASE_S
        return self

    def look_again(self) -> None:
        """A sweep, so much later that whatever lives has renewed its lease."""
        self.watch.now_s += SECOND_LOOK_S
        self.reaper.sweep()


@pytest.fixture
def scene(storage: Storage) -> Scene:
    return Scene(storage).trusts_leases()


def neighbour() -> OwnerRecord:
    """The record of a process of this host that was killed."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        state = look_at(child.pid)
        assert state is not None
        record = replace(OwnerRecord.of_this_process(["default"]), pid=child.pid, start=state.start)
        child.kill()
    return record


# -- by lease --------------------------------------------------------------------------------------


def test_an_owner_without_a_lease_at_two_looks_is_reaped(scene: Scene, raw: redis.Redis) -> None:
    list_owner(raw)
    hold(raw, job("a"))
    scene.reaper.sweep()
    assert scene.reaper.suspects == {GONE}
    scene.reaper.sweep()
    assert raw.exists(inflight()), "a look right after the first tells nothing new"
    scene.look_again()
    assert run_order(raw) == [job("a")]
    assert not raw.exists("pl:owners")


def test_an_owner_that_is_late_is_looked_at_when_its_lease_ends(scene: Scene, raw: redis.Redis) -> None:
    """So its jobs run again half a minute after its death, not a sweep and a second look after that."""
    list_owner(raw)
    hold(raw, job("a"))
    raw.set(alive(), 1, px=19_000)
    assert scene.reaper._tick() <= 18.0
    assert scene.reaper.suspects == {GONE}
    assert raw.exists(inflight())
    raw.delete(alive())
    scene.watch.now_s += 19.1
    scene.reaper._tick()
    assert run_order(raw) == [job("a")]


def test_what_cannot_be_recovered_is_not_looked_at_all_the_time(scene: Scene, raw: redis.Redis) -> None:
    list_owner(raw)
    hold(raw, job("a"))
    raw.set("queue:default", "not a list")
    scene.reaper._tick()
    scene.watch.now_s += 6.0
    pauses = []
    for _ in range(4):
        pauses.append(scene.reaper._tick())
        scene.watch.now_s += pauses[-1]
    assert min(pauses) >= 12.0
    assert scene.reports.errors, "it is tried again, and said"


def test_an_owner_whose_lease_returns_between_the_looks_keeps_its_jobs(scene: Scene, raw: redis.Redis) -> None:
    list_owner(raw)
    hold(raw, job("a"))
    scene.reaper.sweep()
    raw.set(alive(), 1, ex=30)
    scene.look_again()
    assert raw.exists(inflight())
    raw.delete(alive())
    scene.look_again()
    assert raw.exists(inflight()), "the first look after its return is a first look again"


def test_an_owner_with_a_lease_is_no_suspect(scene: Scene, raw: redis.Redis) -> None:
    list_owner(raw)
    raw.set(alive(), 1, ex=30)
    scene.reaper.sweep()
    assert scene.reaper.suspects == set()


def test_a_process_never_reaps_itself(scene: Scene, raw: redis.Redis) -> None:
    list_owner(raw, identity=ME)
    hold(raw, job("a"), identity=ME)
    scene.reaper.sweep()
    scene.look_again()
    assert raw.exists(inflight(identity=ME))


def test_a_young_reaper_does_not_trust_leases_yet(storage: Storage, raw: redis.Redis) -> None:
    scene = Scene(storage)
    list_owner(raw)
    hold(raw, job("a"))
    scene.watch.now_s += LEASE_S - 1 - 3 * SECOND_LOOK_S
    for _ in range(3):
        scene.look_again()
    assert raw.exists(inflight())
    scene.watch.now_s += 1
    scene.reaper.sweep()
    assert run_order(raw) == [job("a")], "what it has seen before counts from now on"


def test_after_an_outage_leases_are_not_trusted_for_a_lease_time(own_redis: RedisProcess) -> None:
    settings = RedisConfig(url=own_redis.url)
    storage = open_target(resolve_url(settings, {}), settings)
    scene = Scene(storage).trusts_leases()
    own_redis.kill()
    with pytest.raises(RedisUnavailable):
        scene.reaper._tick()
    own_redis.start()
    with own_redis.client() as raw:
        list_owner(raw)
        hold(raw, job("a"))
        scene.watch.now_s += LEASE_S - 1 - 3 * SECOND_LOOK_S
        for _ in range(3):
            scene.look_again()
        assert raw.exists(inflight())
        scene.watch.now_s += 1
        scene.reaper.sweep()
        assert run_order(raw) == [job("a")]
    storage.close()


def test_one_owner_that_cannot_be_recovered_does_not_hold_up_the_others(scene: Scene, raw: redis.Redis) -> None:
    for name in ("vm:3:c", "vm:4:d", "vm:5:e"):
        list_owner(raw, f"q{name[3]}", identity=name)
        hold(raw, job(name), queue=f"q{name[3]}", identity=name)
    raw.set("queue:q4", "not a list")
    scene.reaper.sweep()
    scene.look_again()
    assert (run_order(raw, "q3"), run_order(raw, "q5")) == ([job("vm:3:c")], [job("vm:5:e")])
    assert raw.hkeys("pl:owners") == [b"vm:4:d"]
    assert isinstance(scene.reports.errors[0][0], RedisError)


# -- by looking ------------------------------------------------------------------------------------


def test_a_killed_process_of_this_host_is_reaped_at_once_in_spite_of_its_lease(
    storage: Storage, raw: redis.Redis
) -> None:
    list_owner(raw, record=neighbour())
    hold(raw, job("a"))
    raw.set(alive(), 1, ex=30)
    assert Scene(storage).reaper.recover_neighbours() == 1
    assert run_order(raw) == [job("a")]


def test_a_sweep_looks_for_killed_neighbours_too(storage: Storage, raw: redis.Redis) -> None:
    list_owner(raw, record=neighbour())
    hold(raw, job("a"))
    raw.set(alive(), 1, ex=30)
    Scene(storage).reaper.sweep()
    assert run_order(raw) == [job("a")]


def test_living_neighbours_and_other_hosts_are_left_alone(storage: Storage, raw: redis.Redis) -> None:
    list_owner(raw, record=OwnerRecord.of_this_process(["default"]))
    list_owner(raw, identity="vm:3:c")
    hold(raw, job("a"))
    assert Scene(storage).reaper.recover_neighbours() == 0
    assert raw.exists(inflight())


# -- the service -----------------------------------------------------------------------------------


def test_the_service_sweeps_at_once_and_looks_again(storage: Storage, raw: redis.Redis) -> None:
    scene = Scene(storage).trusts_leases()
    list_owner(raw)
    hold(raw, job("a"))
    assert scene.reaper._tick() == 6.0
    scene.watch.now_s += 6.0
    assert 12.0 <= scene.reaper._tick() <= 18.0
    assert run_order(raw) == [job("a")]


def test_only_one_process_sweeps_at_a_time(storage: Storage, raw: redis.Redis) -> None:
    first, second = Scene(storage).trusts_leases(), Scene(storage, "vm:9:other").trusts_leases()
    first.reaper._tick()
    list_owner(raw)
    second.reaper._tick()
    assert second.reaper.suspects == set()
    assert 0 < raw.pttl("pl:reaper") <= SWEEP_LOCK_S * 1000


def test_a_started_reaper_works_until_it_is_stopped(storage: Storage, raw: redis.Redis) -> None:
    scene = Scene(storage)
    scene.reaper.stop(soon())
    scene = Scene(storage)
    list_owner(raw, record=neighbour())
    hold(raw, job("a"))
    scene.reaper.quiet()
    scene.reaper.start()
    until(lambda: run_order(raw))
    scene.reaper.stop(soon())
    scene.reaper.stop(soon())


# -- orphans ---------------------------------------------------------------------------------------


def never() -> bool:
    return False


def test_jobs_of_an_unlisted_owner_are_found_and_reaped(scene: Scene, storage: Storage, raw: redis.Redis) -> None:
    hold(raw, job("a"), queue="high")
    raw.lpush(waiting("low"), job("b"))
    assert enter_orphans(storage, ME, never) == 1
    scene.reaper.sweep()
    scene.look_again()
    assert (run_order(raw, "high"), run_order(raw, "low")) == ([job("a")], [job("b")])


def test_the_keyspace_is_searched_once_an_hour(storage: Storage, raw: redis.Redis) -> None:
    enter_orphans(storage, ME, never)
    hold(raw, job("a"))
    assert enter_orphans(storage, "vm:9:other", never) == 0
    assert 3590 <= raw.ttl("pl:reaper:search") <= 3600


def test_a_search_among_many_keys_finds_the_one(storage: Storage, raw: redis.Redis) -> None:
    raw.mset({f"cache:{n}": n for n in range(5000)})
    hold(raw, job("a"))
    enter_orphans(storage, ME, never)
    assert raw.hkeys("pl:owners") == [GONE.encode()]


def test_the_search_is_part_of_the_sweeps(scene: Scene, raw: redis.Redis) -> None:
    hold(raw, job("a"))
    scene.reaper._tick()
    assert raw.hkeys("pl:owners") == [GONE.encode()]


# -- jobs that have to run alone -------------------------------------------------------------------


def cautious_reaper(storage: Storage) -> Reaper:
    config = Config()
    return Reaper(storage, config, ME, Reports(config), on_suspects=Caution(storage).look)


def test_a_suspect_of_old_is_none_any_more(storage: Storage, raw: redis.Redis) -> None:
    """Another ran it, or somebody deleted it: nobody has struck it off, and all would be cautious for ever."""
    raw.sadd("pl:suspects", "forgotten", "killer")
    raw.set("pl:recovered:killer", 2)
    cautious_reaper(storage)._tick()
    assert raw.smembers("pl:suspects") == {b"killer"}


def test_a_list_of_suspects_that_is_none_does_not_keep_jobs_from_coming_back(
    storage: Storage, raw: redis.Redis
) -> None:
    raw.set("pl:suspects", "not a set")
    list_owner(raw, record=neighbour())
    hold(raw, job("a"))
    cautious_reaper(storage)._tick()
    assert run_order(raw) == [job("a")]
