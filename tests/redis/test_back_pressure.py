"""A queue with a limit takes jobs up to it and not one more, whoever pushes (F026)."""

import asyncio
import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from pillion.client import AsyncClient, Client
from pillion.client.intake import Intake
from pillion.config import Config, QueueLimit, RedisConfig
from pillion.errors import QueueFull
from pillion.storage.connect import open_async_storage

NOW_S = 1_795_300_000.0


def limited(storage, *, now_s=NOW_S, **limit):
    config = Config(queue_limits={"default": QueueLimit(**limit)})
    return Client(storage, config, intake=Intake(config, clock=lambda: now_s))


def job(*args, **keys):
    return {"class": "A", "args": list(args), **keys}


def bulk(args, **keys):
    return {"class": "A", "args": args, **keys}


def waiting(raw):
    """The first arguments of what waits, in the order in which it would run."""
    return [json.loads(payload)["args"][0] for payload in reversed(raw.lrange("queue:default", 0, -1))]


# -- size --------------------------------------------------------------------------------------------------


def test_a_producer_gets_queue_full_at_the_limit_and_resumes_after_a_drain(storage, raw):
    client = limited(storage, max_size=1000)
    for n in range(1000):
        client.push(job(n))
    with pytest.raises(QueueFull) as caught:
        client.push(job(1000))
    assert (caught.value.size, caught.value.limit, raw.llen("queue:default")) == (1000, 1000, 1000)
    raw.rpop("queue:default", 1)
    assert client.push(job(1001))
    with pytest.raises(QueueFull):
        client.push(job(1002))
    assert waiting(raw) == [*range(1, 1000), 1001]


def test_a_limited_push_leaves_the_same_in_redis_as_a_plain_one(storage, raw):
    item = job(1, 2.5, 10**30, jid="j", created_at=5)
    limited(storage, max_size=9).push(item)
    plain = Config()
    Client(storage, plain, intake=Intake(plain, clock=lambda: NOW_S)).push(item)
    first, second = raw.lrange("queue:default", 0, -1)
    assert first == second
    assert raw.smembers("queues") == {b"default"}


def test_a_refused_push_leaves_redis_untouched(storage, raw):
    with pytest.raises(QueueFull):
        limited(storage, max_size=2).push_bulk(bulk([[1], [2], [3]]))
    assert raw.dbsize() == 0


def test_eight_threads_never_exceed_the_limit_together(storage, raw):
    client = limited(storage, max_size=100)
    start = threading.Barrier(8)

    def push_some(number):
        start.wait()
        pushed = 0
        for n in range(50):
            try:
                client.push(job(number, n))
                pushed += 1
            except QueueFull:
                pass
        return pushed

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(push_some, range(8))) == 100
    assert raw.llen("queue:default") == 100


# -- bulk --------------------------------------------------------------------------------------------------


def test_a_batch_that_fits_goes_in_in_order(storage, raw):
    limited(storage, max_size=3000).push_bulk(bulk([[n] for n in range(2500)], batch_size=2500))
    assert waiting(raw) == list(range(2500))


def test_a_batch_goes_in_whole_or_not_at_all(storage, raw):
    client = limited(storage, max_size=5)
    client.push_bulk(bulk([[0], [1], [2]]))
    with pytest.raises(QueueFull) as caught:
        client.push_bulk(bulk([[3], [4], [5]]))
    assert (caught.value.count, caught.value.size) == (3, 3)
    assert waiting(raw) == [0, 1, 2]


def test_the_batches_before_the_full_one_stay_pushed(storage, raw):
    with pytest.raises(QueueFull):
        limited(storage, max_size=5).push_bulk(bulk([[n] for n in range(6)], batch_size=4))
    assert waiting(raw) == [0, 1, 2, 3]


def test_jobs_for_other_queues_go_to_theirs(storage, raw):
    client = limited(storage, max_size=1)
    client.push(job(0))
    with pytest.raises(QueueFull):
        client.push_many([job(1), job(2, queue="other")])
    assert (raw.llen("queue:default"), raw.llen("queue:other")) == (1, 1)


# -- dropping and waiting ----------------------------------------------------------------------------------


def test_dropped_jobs_answer_none(storage, raw):
    client = limited(storage, max_size=1, on_full="drop")
    assert [client.push(job(n)) is None for n in range(3)] == [False, True, True]
    assert waiting(raw) == [0]


def test_a_waiting_push_goes_in_when_there_is_room(storage, raw):
    client = limited(storage, max_size=1, on_full="wait", wait_timeout_s=60)
    client.push(job(0))
    with ThreadPoolExecutor(1) as pool:
        pushed = pool.submit(client.push, job(1))
        assert raw.blmove("queue:default", "taken", 5, "RIGHT", "LEFT")
        assert pushed.result(timeout=60)
    assert waiting(raw) == [1]


def test_a_waiting_push_gives_up_after_its_timeout(storage):
    client = limited(storage, max_size=1, on_full="wait", wait_timeout_s=0.02)
    client.push(job(0))
    with pytest.raises(QueueFull):
        client.push(job(1))


# -- latency -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("enqueued_at", [int((NOW_S - 60) * 1000), NOW_S - 60.25], ids=["ms", "seconds"])
def test_a_queue_whose_oldest_job_is_too_old_is_full(storage, raw, enqueued_at):
    raw.lpush("queue:default", json.dumps(job(0, enqueued_at=enqueued_at)))
    with pytest.raises(QueueFull) as caught:
        limited(storage, max_latency_s=60).push(job(1))
    assert caught.value.latency_s == pytest.approx(60, abs=0.5)
    raw.rpop("queue:default")
    assert limited(storage, max_latency_s=60).push(job(2))


def test_only_the_oldest_job_counts(storage, raw):
    raw.lpush("queue:default", json.dumps(job(0, enqueued_at=int(NOW_S * 1000))))
    raw.lpush("queue:default", json.dumps(job(1, enqueued_at=1)))
    assert limited(storage, max_latency_s=60).push(job(2))


@pytest.mark.parametrize("oldest", ["no JSON", "[]", "{}", '{"enqueued_at": "x"}', '{"enqueued_at": 1e999}', "7"])
def test_an_odd_oldest_job_does_not_close_the_queue(storage, raw, oldest):
    raw.lpush("queue:default", oldest)
    assert limited(storage, max_latency_s=60).push(job(1))
    assert raw.lindex("queue:default", -1) == oldest.encode()


# -- pressure and asyncio ----------------------------------------------------------------------------------


def test_pressure_follows_the_queue(storage, raw):
    client = limited(storage, max_size=4, max_latency_s=100)
    client.push_bulk(bulk([[n] for n in range(2)]))
    assert client.pressure("default") == 0.5
    assert limited(storage, now_s=NOW_S + 75, max_size=4, max_latency_s=100).pressure("default") == 0.75
    assert client.pressure("other") == 0.0
    raw.delete("queue:default")
    assert client.pressure("default") == 0.0


def test_the_async_client_keeps_to_the_limit_too(redis_url, raw):
    config = Config(
        redis=RedisConfig(url=redis_url),
        queue_limits={"default": QueueLimit(max_size=2, on_full="wait", wait_timeout_s=0.02)},
    )

    async def push():
        client = AsyncClient(open_async_storage(config), config)
        await client.push(job(1))
        await client.push_bulk(bulk([[2]]))
        with pytest.raises(QueueFull):
            await client.push(job(3))
        return await client.pressure("default")

    assert asyncio.run(push()) == 1.0
    assert waiting(raw) == [1, 2]
