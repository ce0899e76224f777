"""Bulk actions of the data API that are killed in the middle (SIGKILL, real processes).

30,000 entries, of which 20,000 fit; PILLION_DRILL_LONG=1 makes it 150,000 and 100,000.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable

import pytest
import redis
from engine import until

MATCHING = 100_000 if os.environ.get("PILLION_DRILL_LONG") else 20_000
OTHERS = MATCHING // 2

PREAMBLE = """
import sys
from pillion.api.filters import Filter
from pillion.api.fleet import Fleet
from pillion.api.sets import RetrySet
from pillion.api.undo import Undo
from pillion.config import Config, RedisConfig

config = Config(redis=RedisConfig(url=sys.argv[1]), dead_max_jobs=10_000_000)
fleet = Fleet(config)
retry = RetrySet(fleet=fleet)
match = Filter(job_class="app.Match")
"""
RETRY = PREAMBLE + "retry.retry(match)"
KILL = PREAMBLE + "retry.kill(match)"
DELETE = PREAMBLE + "retry.delete(match)"
UNDO = PREAMBLE + "for each in Undo.all(fleet): Undo(each.undo_id, fleet=fleet).restore()"


def stored(number: int) -> bytes:
    """Two of three fit; five share a score."""
    job_class = "app.Other" if number % 3 == 2 else "app.Match"
    fields = {"retry": True, "queue": f"q{number % 2}", "args": [number], "class": job_class, "jid": f"j{number:06}"}
    more = {"retry_count": 3, "failed_at": 1795300000000, "error_class": "Boom", "error_message": "no " * 60}
    return json.dumps({**fields, **more}, separators=(",", ":")).encode()


ENTRIES = {stored(number): float(1_795_300_000 + number // 5) for number in range(MATCHING + OTHERS)}
FIT = {payload for payload in ENTRIES if b"app.Match" in payload}


@pytest.fixture
def retry_set(raw: redis.Redis) -> dict[bytes, float]:
    payloads = list(ENTRIES)
    for start in range(0, len(payloads), 5000):
        raw.zadd("retry", {payload: ENTRIES[payload] for payload in payloads[start : start + 5000]})
    return ENTRIES


def run_and_kill(code: str, url: str, raw: redis.Redis, when: Callable[[], bool]) -> bool:
    """Run `code` in a process of its own and kill it once `when()`. False if it had ended before that.

    Redis still carries out what it was sent before: it is waited for, until the connection is gone.
    """
    clients = len(raw.client_list())
    with subprocess.Popen([sys.executable, "-c", code, url]) as process:
        until(lambda: when() or process.poll() is not None)
        ended = process.poll() is not None
        process.kill()
    assert not ended or process.returncode == 0
    until(lambda: len(raw.client_list()) <= clients)
    return not ended


def killed_until_done(
    code: str, url: str, raw: redis.Redis, moved: Callable[[], int], goal: int, check: Callable[[], None]
) -> int:
    """Kill it each time it has done about an eighth of all; returns how often it was killed in the middle."""
    kills = 0
    while (before := moved()) < goal:
        threshold = before + max(1, goal // 8)
        kills += run_and_kill(code, url, raw, lambda threshold=threshold: moved() >= threshold)
        check()
    return kills


def others_untouched(raw: redis.Redis) -> bool:
    left = dict(raw.zrange("retry", 0, -1, withscores=True))
    return left == {payload: score for payload, score in ENTRIES.items() if payload not in FIT}


@pytest.mark.drill
def test_a_retry_killed_again_and_again_loses_and_doubles_nothing(
    redis_url: str, raw: redis.Redis, retry_set: dict[bytes, float]
) -> None:
    def moved() -> int:
        return int(raw.llen("queue:q0") + raw.llen("queue:q1"))

    def each_job_is_in_one_place() -> None:
        pushed = raw.lrange("queue:q0", 0, -1) + raw.lrange("queue:q1", 0, -1)
        places = Counter(json.loads(payload)["jid"] for payload in pushed + raw.zrange("retry", 0, -1))
        assert len(places) == len(ENTRIES)
        assert set(places.values()) == {1}

    kills = killed_until_done(RETRY, redis_url, raw, moved, len(FIT), each_job_is_in_one_place)
    assert others_untouched(raw)
    pushed = map(json.loads, raw.lrange("queue:q0", 0, -1) + raw.lrange("queue:q1", 0, -1))
    assert {(job["class"], job["retry_count"]) for job in pushed} == {("app.Match", 2)}
    assert kills >= 1


@pytest.mark.drill
def test_a_kill_killed_again_and_again_loses_and_changes_nothing(
    redis_url: str, raw: redis.Redis, retry_set: dict[bytes, float]
) -> None:
    def each_job_is_in_one_place() -> None:
        places = Counter(raw.zrange("dead", 0, -1) + raw.zrange("retry", 0, -1))
        assert places == Counter(ENTRIES.keys())

    def moved() -> int:
        return int(raw.zcard("dead"))

    kills = killed_until_done(KILL, redis_url, raw, moved, len(FIT), each_job_is_in_one_place)
    assert others_untouched(raw)
    assert set(raw.zrange("dead", 0, -1)) == FIT
    assert kills >= 1


@pytest.mark.drill
def test_a_removal_and_its_undo_killed_again_and_again_give_everything_back(
    redis_url: str, raw: redis.Redis, retry_set: dict[bytes, float]
) -> None:
    def bins() -> list[bytes]:
        return [key for key in raw.scan_iter("pl:trash:*", count=1000) if raw.type(key) == b"zset"]

    def removed() -> int:
        return len(ENTRIES) - int(raw.zcard("retry"))

    def each_job_is_in_one_place() -> None:
        places = Counter(payload for key in [b"retry", *bins()] for payload in raw.zrange(key, 0, -1))
        assert places == Counter(ENTRIES.keys())

    kills = killed_until_done(DELETE, redis_url, raw, removed, len(FIT), each_job_is_in_one_place)
    assert others_untouched(raw)
    assert kills >= 1

    goal = len(ENTRIES)
    killed_until_done(UNDO, redis_url, raw, lambda: int(raw.zcard("retry")), goal, each_job_is_in_one_place)
    assert dict(raw.zrange("retry", 0, -1, withscores=True)) == ENTRIES
