"""The supervisor's side of Redis: leases for the living, recovery for the dead, and patience with outages."""

from __future__ import annotations

import logging
import time

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
