"""A web process that dies in the middle of an operation on many jobs: another one sees it, and goes on with it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter

import pytest
import redis
from engine import until
from web_fleet import Scene, failed

from pillion.web.data.bulk_record import STALLED_AFTER_S

COUNT = 12_000

CARRY_OUT = """
import sys
from pillion.api.fleet import Fleet
from pillion.config import Config
from pillion.web.data.data import Data

Data(Fleet(Config(redis=sys.argv[1]))).bulk_run(sys.argv[2])
"""


def jids(members: list[bytes]) -> list[str]:
    return [json.loads(member)["jid"] for member in members]


@pytest.fixture
def scene(redis_url: str, raw: redis.Redis) -> Scene:
    jobs = {failed(f"j{n:05}", failed_at=1_600_000_000_000): float(n) for n in range(COUNT)}
    items = list(jobs.items())
    for start in range(0, COUNT, 2000):
        raw.zadd("retry", dict(items[start : start + 2000]))
    return Scene(redis_url)


@pytest.mark.parametrize("action", ["retry", "delete", "kill"])
def test_another_process_goes_on_and_nothing_is_lost_or_done_twice(
    scene: Scene, raw: redis.Redis, redis_url: str, action: str
) -> None:
    bulk_id = scene.data.bulk_start("retries", action, actor="ana").bulk_id
    with subprocess.Popen([sys.executable, "-c", CARRY_OUT, redis_url, bulk_id]) as process:
        until(lambda: raw.zcard("retry") < COUNT or process.poll() is not None)
        process.kill()
    until(lambda: not raw.exists(f"pl:bulk:{bulk_id}:lease"))
    scene.clock.now_s = raw.time()[0] + STALLED_AFTER_S + 1
    left = raw.zcard("retry")
    report = scene.data.bulk(bulk_id).report
    assert report is not None
    if left:
        assert report.state == "stalled"
    done = scene.data.bulk_run(bulk_id)
    assert (done.state, raw.zcard("retry")) == ("done", 0)
    if action == "retry":
        found = jids(raw.lrange("queue:default", 0, -1))
    elif action == "kill":
        found = jids(raw.zrange("dead", 0, -1))
    else:
        scene.data.undo(done.undo_id)
        found = jids(raw.zrange("retry", 0, -1))
    wanted = COUNT if action != "kill" else min(COUNT, scene.fleet.config.dead_max_jobs)
    counted = Counter(found)
    assert max(counted.values()) == 1
    # The limit of the dead set drops what is too much, as after every death.
    assert len(counted) == wanted or (action == "kill" and len(counted) == wanted - 1)
    scene.fleet.close()
