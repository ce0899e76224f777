"""Several jobs that were each in flight at three deaths: one of them did it, and nobody knows which."""

from __future__ import annotations

import pytest
import redis
from services import GONE, ReaperScene, hold, job, list_owner, run_order

from pillion.errors import RedisError
from pillion.storage.sync import Storage

TWO_QUEUES = ("default", "other")


@pytest.fixture
def scene(storage: Storage) -> ReaperScene:
    return ReaperScene(storage)


def die_with(raw: redis.Redis, scene: ReaperScene, *payloads: bytes, queue: str = "default") -> None:
    """A process dies with these jobs in flight, and is recovered."""
    list_owner(raw, *TWO_QUEUES)
    raw.delete("queue:default", "queue:other")
    hold(raw, *payloads, queue=queue)
    assert scene.reaper.recover(GONE).finished


def test_jobs_that_always_die_together_all_go_back(scene: ReaperScene, raw: redis.Redis) -> None:
    for _ in range(5):
        die_with(raw, scene, job("killer"), job("neighbour"))
    assert run_order(raw) == [job("killer"), job("neighbour")]
    assert scene.deaths == []


def test_the_one_that_is_then_found_alone_is_the_pill(scene: ReaperScene, raw: redis.Redis) -> None:
    for _ in range(3):
        die_with(raw, scene, job("killer"), job("neighbour"))
    die_with(raw, scene, job("killer"), job("newcomer"))
    assert run_order(raw) == [job("newcomer")]
    assert [payload["jid"] for payload, _ in scene.deaths] == ["killer"]


def test_suspects_of_other_queues_count_too(scene: ReaperScene, raw: redis.Redis) -> None:
    raw.mset({"pl:recovered:killer": 2, "pl:recovered:neighbour": 2})
    hold(raw, job("neighbour", queue="other"), queue="other")
    die_with(raw, scene, job("killer"))
    assert scene.deaths == []
    assert (raw.llen("queue:default"), raw.llen("queue:other")) == (1, 1)


def test_in_the_end_they_are_buried_together(scene: ReaperScene, raw: redis.Redis) -> None:
    for _ in range(10):
        die_with(raw, scene, job("killer"), job("neighbour"))
    assert {payload["jid"] for payload, _ in scene.deaths} == {"killer", "neighbour"}
    assert "10 times" in str(scene.deaths[0][1])
    assert not raw.exists("queue:default")


def test_a_give_back_that_ends_half_way_leaves_nobody_to_be_convicted_alone(
    scene: ReaperScene, raw: redis.Redis
) -> None:
    """The next reaper finds one of two, and must not take it for the only one."""
    raw.mset({"pl:recovered:killer": 2, "pl:recovered:neighbour": 2})
    list_owner(raw, *TWO_QUEUES)
    hold(raw, job("killer"))
    hold(raw, job("neighbour", queue="other"), queue="other")
    raw.set("queue:other", "not a list")
    with pytest.raises(RedisError):
        scene.reaper.recover(GONE)
    assert run_order(raw) == [job("killer")]
    assert raw.ttl(f"pl:company:{GONE}") > 0
    raw.delete("queue:other")
    assert scene.reaper.recover(GONE).finished
    assert run_order(raw, "other") == [job("neighbour", queue="other")]
    assert scene.deaths == []
    assert not raw.exists(f"pl:company:{GONE}")
