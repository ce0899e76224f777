"""Operations on many jobs: one at a time for each person, also when two clicks come at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import redis
from web_fleet import Scene, failed

from pillion.web.data.bulk import BulkBusy
from pillion.web.data.models import BulkReport
from pillion.wire import keys


@pytest.fixture
def scenes(redis_url: str, raw: redis.Redis) -> Iterator[list[Scene]]:
    """Two dashboards on one Redis, which ask for what runs at the same moment."""
    raw.zadd("retry", {failed("abc"): 5.0})
    made, together = [Scene(redis_url), Scene(redis_url)], threading.Barrier(2, timeout=60)
    for scene in made:
        _wait_after_looking(scene, together)
    yield made
    for scene in made:
        scene.fleet.close()


def _wait_after_looking(scene: Scene, together: threading.Barrier) -> None:
    storage = scene.fleet.storage
    run = storage.run

    def waiting(op: Any) -> Any:
        found = run(op)
        if op.command == ("HGETALL", keys.BULKS):
            together.wait()
        return found

    storage.run = waiting


def begin(scene: Scene, actor: str) -> BulkReport | BulkBusy:
    try:
        return scene.data.bulk_start("retries", "retry", actor=actor)
    except BulkBusy as refusal:
        return refusal


def both(scenes: list[Scene], *actors: str) -> list[BulkReport | BulkBusy]:
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(begin, scenes, actors))


def test_two_clicks_at_once_begin_one(scenes: list[Scene], raw: redis.Redis) -> None:
    begun = both(scenes, "ana", "ana")
    (report,) = [one for one in begun if isinstance(one, BulkReport)]
    (refusal,) = [one for one in begun if isinstance(one, BulkBusy)]
    assert refusal.bulk_id == report.bulk_id
    assert raw.hkeys(keys.BULKS) == [report.bulk_id.encode()]


def test_two_people_begin_two(scenes: list[Scene], raw: redis.Redis) -> None:
    assert all(isinstance(one, BulkReport) for one in both(scenes, "ana", "böb"))
    assert raw.hlen(keys.BULKS) == 2


def test_what_is_no_record_keeps_nobody(redis_url: str, raw: redis.Redis) -> None:
    raw.zadd("retry", {failed("abc"): 5.0})
    raw.hset(
        keys.BULKS, mapping={"a": "{", "b": "[]", "c": '{"actor":"ana","state":"running","updated_at":"x"}', "d": "7"}
    )
    scene = Scene(redis_url)
    assert isinstance(begin(scene, "ana"), BulkReport)
    scene.fleet.close()
