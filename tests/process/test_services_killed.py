"""Schedulers and reapers that are killed in the middle of their work (SIGKILL, real processes)."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest
import redis
from engine import until
from services import GONE, hold, inflight, job, list_owner, run_order

from pillion.config import Config, RedisConfig
from pillion.server.reaper import Reaper
from pillion.server.reporter import Reporter
from pillion.storage.connect import open_target
from pillion.storage.target import resolve_url

JOBS = [job(f"j{n:05}") for n in range(4000)]

PREAMBLE = """
import sys
from pillion.client import Client
from pillion.config import Config, RedisConfig
from pillion.server.promotion import Promoter
from pillion.server.reaper import Reaper
from pillion.server.reporter import Reporter
from pillion.storage.connect import open_target
from pillion.storage.target import resolve_url

config = Config()
settings = RedisConfig(url=sys.argv[1])
storage = open_target(resolve_url(settings, {}), settings)
"""
PROMOTE = (
    PREAMBLE + "Promoter(storage, config, Client(storage, config).promote_payload, Reporter(config)).promote_due()"
)
REAP = PREAMBLE + f"Reaper(storage, config, 'vm:9:reaper', Reporter(config)).recover({GONE!r})"


def run_and_kill(code: str, url: str, when: Callable[[], bool]) -> bool:
    """Run `code` in a process of its own and kill it once `when()`. False if it had ended before that."""
    with subprocess.Popen([sys.executable, "-c", code, url]) as process:
        until(lambda: when() or process.poll() is not None)
        ended = process.poll() is not None
        process.kill()
    return not ended


@pytest.mark.drill
def test_a_scheduler_killed_again_and_again_loses_and_doubles_nothing(redis_url: str, raw: redis.Redis) -> None:
    raw.zadd("schedule", {payload: n for n, payload in enumerate(JOBS)})
    kills = 0
    while left := raw.zcard("schedule"):
        kills += run_and_kill(PROMOTE, redis_url, lambda left=left: raw.zcard("schedule") < left - 500)
        assert raw.zcard("schedule") + raw.llen("queue:default") == len(JOBS)
    pushed = [payload.partition(b',"enqueued_at"')[0] + b"}" for payload in run_order(raw)]
    assert pushed == JOBS
    assert kills > 0


@pytest.mark.drill
def test_a_reaper_killed_again_and_again_loses_and_doubles_nothing(redis_url: str, raw: redis.Redis) -> None:
    list_owner(raw)
    hold(raw, *JOBS)
    kills = 0
    while raw.hlen(inflight()) > 1000:
        left = raw.hlen(inflight())
        kills += run_and_kill(REAP, redis_url, lambda left=left: raw.hlen(inflight()) < left - 500)
        assert raw.hlen(inflight()) + raw.llen("queue:default") == len(JOBS)
    settings = RedisConfig(url=redis_url)
    storage = open_target(resolve_url(settings, {}), settings)
    assert Reaper(storage, Config(), "vm:9:next", Reporter(Config())).recover(GONE).finished
    storage.close()
    assert run_order(raw) == JOBS
    assert kills > 0
