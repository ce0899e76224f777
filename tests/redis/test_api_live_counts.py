"""Size and latency agree with a count by hand while producers push."""

from __future__ import annotations

import json
import threading
import time

import pytest

from pillion.api import Fleet, Queue, Stats
from pillion.client import Client
from pillion.config import Config

LOOKS = 200


@pytest.fixture
def fleet(redis_url):
    fleet = Fleet(Config(redis=redis_url))
    yield fleet
    fleet.close()


@pytest.fixture
def producers(fleet):
    """Three threads that push to the queue `live`, and all go on until the test is over."""
    stop, client = threading.Event(), Client(fleet.storage, fleet.config)

    def produce():
        while not stop.is_set():
            client.push({"class": "Noop", "args": [], "queue": "live"})

    threads = [threading.Thread(target=produce) for _ in range(3)]
    for thread in threads:
        thread.start()
    yield
    stop.set()
    for thread in threads:
        thread.join()


def by_hand(raw):
    return len(raw.lrange("queue:live", 0, -1))


def test_size_lies_between_a_count_before_and_one_after(fleet, raw, producers):
    queue, grown = Queue("live", fleet=fleet), set()
    for _ in range(LOOKS):
        before, size, after = by_hand(raw), queue.size(), by_hand(raw)
        assert before <= size <= after
        grown.add(size)
    assert len(grown) > 1  # they did push meanwhile
    before, sizes, after = by_hand(raw), Stats(fleet=fleet).queues(), by_hand(raw)
    assert before <= sizes["live"] <= after


def test_latency_is_the_age_of_the_oldest_job_by_its_own_stamp(fleet, raw, producers):
    queue = Queue("live", fleet=fleet)
    while not by_hand(raw):
        pass
    for _ in range(LOOKS):
        stamped_s = json.loads(raw.lrange("queue:live", 0, -1)[-1])["enqueued_at"] / 1000
        began_s = time.time()
        latency = queue.latency()
        assert began_s - stamped_s <= latency <= time.time() - stamped_s


def test_a_walk_through_the_queue_sees_every_job_that_was_there_when_it_began(fleet, raw, producers):
    queue = Queue("live", fleet=fleet)
    while by_hand(raw) < 500:
        pass
    there = {json.loads(job)["jid"] for job in raw.lrange("queue:live", 0, -1)}
    seen = [job.jid for job in queue]
    assert there <= set(seen)
    assert len(seen) == len(set(seen))
