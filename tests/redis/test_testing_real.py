"""Fake mode beside the real thing: the same pushes leave the same payloads, on a real Redis (F228, F233)."""

import json

import pytest

from pillion import testing
from pillion.client import Client
from pillion.client.intake import Intake
from pillion.config import Config, QueueLimit, RedisConfig
from pillion.default import Default
from pillion.errors import QueueFull
from pillion.jobs.base import BaseJob

LIMITS = {
    "small": QueueLimit(max_size=2),
    "dropping": QueueLimit(max_size=1, on_full="drop"),
    "old": QueueLimit(max_latency_s=3600),
}


@pytest.fixture
def home(redis_url):
    home = Default()
    home.install(Config(redis=RedisConfig(url=redis_url), queue_limits=LIMITS))
    yield home
    home.reset()


def jobs_of(home):
    class Charge(BaseJob, home=home, queue="high", tags=["billing"], wire_name="Charge"):
        def perform(self, order_id: int, note: str = "") -> None: ...

    return Charge


def push_all(home, job):
    """Each way of pushing, and what came of it."""
    results = [
        job.perform_async(1),
        job.perform_async(2, note="ö"),
        job.perform_in(60, 3),
        job.set(queue="low", retry=False).perform_async(4),
        *job.perform_bulk([[5], [6, "x"]]),
        *job.bulk_perform_in([60, 120], [[7], [8]]),
        *home.client().push_many([(job, [9]), ("Ruby::Job", [{"a": 1.0}])]),
    ]
    for queue in ("small", "small", "small", "dropping", "dropping", "old"):
        try:
            results.append(job.set(queue=queue).perform_async(10))
        except QueueFull as error:
            results.append(str(error))
    return [result if result is None or " " in result else "a jid" for result in results]


def plain(payload):
    """What does not depend on the moment."""
    return {key: value for key, value in payload.items() if key not in ("jid", "created_at", "enqueued_at", "at")}


def test_fake_mode_keeps_what_redis_would_have_been_given(home, raw):
    job = jobs_of(home)
    results = push_all(home, job)
    written = [json.loads(one) for name in raw.smembers("queues") for one in raw.lrange(b"queue:" + name, 0, -1)]
    scheduled = [json.loads(one) for one in raw.zrange("schedule", 0, -1)]
    with testing.fake(home=home) as queues:
        assert push_all(home, job) == results
        waiting = [payload for payload in queues.jobs if "at" not in payload]
        kept = sorted(map(repr, map(plain, waiting)))
        assert kept == sorted(map(repr, map(plain, written)))
        assert [plain(payload) for payload in queues.scheduled] == [plain(payload) for payload in scheduled]
        assert sorted(map(list, waiting)) == sorted(map(list, written))  # the same keys, in the same order
    assert raw.llen("queue:high") == 5


def test_disabled_inside_of_fake_reaches_redis_and_so_does_what_comes_after(home, raw):
    job = jobs_of(home)
    with testing.fake(home=home):
        job.perform_async(1)
        assert raw.keys() == []
        with testing.disabled(home=home):
            job.perform_async(2)
        assert raw.llen("queue:high") == 1
    job.perform_async(3)
    assert [json.loads(one)["args"] for one in raw.lrange("queue:high", 0, -1)] == [[3], [2]]


async def _push(job):
    await job.perform_async.aio(4)


def test_disabled_works_from_an_event_loop(home, raw):
    import asyncio

    async def main():
        with testing.fake(home=home) as queues:
            await _push(job)
            with testing.disabled(home=home):
                await _push(job)
            await home.real_async_client().storage.close()
            return len(queues)

    job = jobs_of(home)
    assert asyncio.run(main()) == 1
    assert raw.llen("queue:high") == 1


def test_commands_of_your_own_reach_redis_also_in_fake_mode(home, raw):
    with testing.fake(home=home), home.client().storage.connection() as connection:
        connection.set("lock:1", "held")
    assert raw.get("lock:1") == b"held"


def test_a_lock_is_there_while_the_job_runs_and_gone_after_drain(home, raw):
    """Asserting that the lock is held after the push, as is sometimes seen, is wrong: nothing has run yet (F237)."""

    class Locked(BaseJob, home=home, wire_name="Locked"):
        def perform(self):
            with home.client().storage.connection() as connection:
                connection.set("lock:1", self.jid, nx=True)
                seen.append(connection.get("lock:1"))
                connection.delete("lock:1")

    seen = []
    with testing.fake(home=home):
        jid = Locked.perform_async()
        assert raw.get("lock:1") is None
        Locked.drain()
    assert seen == [jid.encode()]
    assert raw.get("lock:1") is None


def test_a_client_of_your_own_is_what_disabled_uses(home, storage, raw):
    config = Config()
    home.install(config, Client(storage, config, intake=Intake(config)))
    job = jobs_of(home)
    with testing.fake(home=home), testing.disabled(home=home):
        job.perform_async(1)
    assert raw.llen("queue:high") == 1
