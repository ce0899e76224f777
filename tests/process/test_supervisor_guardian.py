"""The supervisor's side of Redis: leases for the living, recovery for the dead, and patience with outages."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator

import pytest
import redis
from redis_process import RedisProcess

from pillion.config import Config
from pillion.server.guardian import NEVER, Guardian, News
from pillion.server.owner import OwnerRecord
from pillion.wire import keys

LIVING, DEAD = "host:1:aaa", "host:2:bbb"
JOB = b'{"class":"app.Note","args":[],"jid":"0123456789ab0123456789ab","retry":true,"queue":"default"}'


@pytest.fixture
def guardian() -> Guardian:
    return Guardian(Config(), lambda: [LIVING])


def hold_a_job(client: redis.Redis, identity: str) -> None:
    """What a worker leaves behind that died with a job in its hands."""
    client.hset(keys.OWNERS, identity, OwnerRecord(("default",)).dump())
    client.set(keys.alive(identity), "1", ex=30)
    client.hset(keys.inflight("default", identity), "1", JOB)


def test_it_wants_nothing_before_a_worker_has_said_where_redis_is(guardian: Guardian) -> None:
    guardian.bury(DEAD)
    assert guardian.next_s == NEVER


def test_it_renews_the_leases_of_the_living(guardian: Guardian, redis_url: str, raw: redis.Redis) -> None:
    guardian.learn(News(redis_url, 25.0))
    guardian.tick(time.monotonic())
    assert raw.exists(keys.alive(LIVING))
    guardian.close()


def test_the_next_renewal_comes_well_within_a_lease(guardian: Guardian, redis_url: str) -> None:
    guardian.learn(News(redis_url, 25.0))
    now_s = time.monotonic()
    guardian.tick(now_s)
    assert now_s < guardian.next_s < now_s + keys.ALIVE_TTL_S / 3
    guardian.close()


def test_a_dead_worker_is_due_at_once(guardian: Guardian, redis_url: str) -> None:
    guardian.learn(News(redis_url, 25.0))
    guardian.tick(time.monotonic())
    guardian.bury(DEAD)
    assert guardian.next_s <= time.monotonic()
    guardian.close()


def test_the_jobs_of_a_dead_worker_go_back_although_its_lease_still_runs(
    guardian: Guardian, redis_url: str, raw: redis.Redis
) -> None:
    hold_a_job(raw, DEAD)
    guardian.bury(DEAD)
    guardian.learn(News(redis_url, 25.0))
    guardian.tick(time.monotonic())
    assert raw.lrange("queue:default", 0, -1) == [JOB]
    assert not raw.exists(keys.alive(DEAD))
    assert not raw.hexists(keys.OWNERS, DEAD)
    guardian.close()


def test_what_cannot_be_given_back_holds_up_neither_the_living_nor_the_other_dead(
    guardian: Guardian, redis_url: str, raw: redis.Redis
) -> None:
    raw.hset(keys.OWNERS, "host:3:ccc", OwnerRecord(("broken",)).dump())
    raw.hset(keys.inflight("broken", "host:3:ccc"), "1", JOB)
    raw.set("queue:broken", "not a list")
    hold_a_job(raw, DEAD)
    guardian.bury("host:3:ccc")
    guardian.bury(DEAD)
    guardian.learn(News(redis_url, 25.0))
    guardian.tick(time.monotonic())
    assert raw.exists(keys.alive(LIVING))
    assert raw.lrange("queue:default", 0, -1) == [JOB]
    guardian.close()


def test_a_lease_made_for_a_worker_that_had_left_is_taken_away(
    guardian: Guardian, redis_url: str, raw: redis.Redis
) -> None:
    raw.set(keys.alive(DEAD), "1", ex=30)
    guardian.learn(News(redis_url, 25.0))
    guardian.bury(DEAD)
    guardian.tick(time.monotonic())
    assert not raw.exists(keys.alive(DEAD))
    guardian.close()


def test_an_outage_is_said_once_and_recovery_is_made_up_for(
    guardian: Guardian, own_redis: RedisProcess, caplog: pytest.LogCaptureFixture
) -> None:
    with own_redis.client() as client:
        hold_a_job(client, DEAD)
    guardian.learn(News(own_redis.url, 25.0))
    own_redis.kill()
    guardian.bury(DEAD)
    for _ in range(3):
        guardian.tick(NEVER)
    assert len([record for record in caplog.records if record.levelno >= logging.ERROR]) == 1
    own_redis.start()
    guardian.tick(NEVER)
    with own_redis.client() as client:
        assert client.lrange("queue:default", 0, -1) == [JOB]
    guardian.close()


def test_what_could_not_be_given_back_is_named_at_the_end(
    guardian: Guardian, own_redis: RedisProcess, caplog: pytest.LogCaptureFixture
) -> None:
    guardian.learn(News(own_redis.url, 25.0))
    own_redis.kill()
    guardian.bury(DEAD)
    guardian.tick(NEVER)
    guardian.close()
    assert DEAD in caplog.records[-1].message


def test_news_survive_the_way_over_the_link() -> None:
    news = News("redis://user:p%20w@host:6379/0", 7.5)
    assert News.parse(news.dump()) == news


# -- the dead of others ----------------------------------------------------------------------------


class Scene:
    """A guardian whose clock goes when told to."""

    def __init__(self, redis_url: str) -> None:
        self.now_s = 1000.0
        self.guardian = Guardian(Config(), lambda: [LIVING], monotonic=lambda: self.now_s)
        self.guardian.learn(News(redis_url, 25.0))

    def run(self, seconds: float) -> None:
        """Tick whenever the guardian wants to be called."""
        end = self.now_s + seconds
        while self.guardian.next_s <= end:
            self.now_s = max(self.guardian.next_s, self.now_s)
            self.guardian.tick(self.now_s)
        self.now_s = end


@pytest.fixture
def scene(redis_url: str, raw: redis.Redis) -> Iterator[Scene]:
    scene = Scene(redis_url)
    yield scene
    scene.guardian.close()


def lose_a_host(raw: redis.Redis, *identities: str) -> None:
    """Its leases have ended."""
    for number, identity in enumerate(identities):
        hold_a_job(raw, identity)
        if number:
            raw.hset(keys.inflight("default", identity), "1", JOB.replace(b"0123456789ab", b"%012d" % number))
        raw.delete(keys.alive(identity))


def test_a_lost_host_is_recovered_though_no_worker_lives_long_enough_to_see_it(scene: Scene, raw: redis.Redis) -> None:
    scene.run(40)
    hold_a_job(raw, DEAD)
    raw.pexpire(keys.alive(DEAD), 10_000)
    scene.run(18)
    assert not raw.exists("queue:default"), "its lease runs"
    raw.delete(keys.alive(DEAD))
    scene.run(10)
    assert raw.lrange("queue:default", 0, -1) == [JOB]
    assert not raw.hexists(keys.OWNERS, DEAD)


def test_many_dead_are_recovered_one_a_tick(scene: Scene, raw: redis.Redis) -> None:
    """So that signals and the leases of the living do not wait for all of them."""
    scene.run(35)
    lose_a_host(raw, *(f"host:9:{n}" for n in range(5)))
    left = []
    while not left or left[-1]:
        scene.now_s = max(scene.guardian.next_s, scene.now_s)
        scene.guardian.tick(scene.now_s)
        left.append(raw.hlen(keys.OWNERS))
        assert scene.now_s < 1100
    assert [count for count in left if count < 5] == [4, 3, 2, 1, 0]
    assert raw.llen("queue:default") == 5


def test_a_poison_pill_of_a_lost_host_is_left_to_the_workers(scene: Scene, raw: redis.Redis) -> None:
    scene.run(35)
    lose_a_host(raw, DEAD)
    raw.set(keys.recoveries("0123456789ab0123456789ab"), 2)
    scene.run(28)
    assert raw.hlen(keys.inflight("default", DEAD)) == 1
    assert not raw.exists("pl:reaper"), "a worker may look at once"


def test_an_owner_that_is_late_but_renews_keeps_its_jobs(scene: Scene, raw: redis.Redis) -> None:
    scene.run(35)
    hold_a_job(raw, DEAD)
    raw.pexpire(keys.alive(DEAD), 5_000)
    scene.run(20)
    raw.expire(keys.alive(DEAD), 30)
    scene.run(20)
    assert not raw.exists("queue:default")
