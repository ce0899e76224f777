"""Actions on many entries at once: filters, limits, progress, stops, several at work (behaviour 18)."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
from services import Watch, job, run_order

from pillion.api.filters import Filter
from pillion.api.fleet import Fleet
from pillion.api.sets import RetrySet, ScheduledSet
from pillion.config import Config, RedisConfig
from pillion.errors import ConfigError, RedisError

NOW_S = 1795300100.5


@pytest.fixture
def config(redis_url: str) -> Config:
    return Config(redis=RedisConfig(url=redis_url))


@pytest.fixture
def fleet(config: Config) -> Iterator[Fleet]:
    opened = Fleet(config, clock=Watch(NOW_S))
    yield opened
    opened.close()


@pytest.fixture
def retry(fleet: Fleet) -> RetrySet:
    return RetrySet(fleet=fleet)


def failed(jid: str, count: int = 3, **more: Any) -> bytes:
    return job(jid, retry_count=count, failed_at=1795300000000, error_class="Boom", error_message="no", **more)


def jids(payloads: Any) -> list[str]:
    return [json.loads(payload)["jid"] for payload in payloads]


def fill(raw: redis.Redis, count: int, key: str = "retry") -> None:
    raw.zadd(key, {failed(f"j{n:04}", **{"class": f"app.{'AB'[n % 2]}"}): n for n in range(count)})


ACTIONS: dict[str, Callable[..., Any]] = {
    "retry": lambda retry, which, **options: retry.retry(which, **options),
    "kill": lambda retry, which, **options: retry.kill(which, **options),
    "delete": lambda retry, which, **options: retry.delete(which, **options),
    "reschedule": lambda retry, which, **options: retry.reschedule(which, NOW_S + 9, **options),
}
in_bulk = pytest.mark.parametrize("action", ACTIONS.values(), ids=ACTIONS)


def untouched(raw: redis.Redis, job_class: str) -> int:
    stored = raw.zrange("retry", 0, -1, withscores=True)
    return sum(json.loads(payload)["class"] == job_class and score < NOW_S for payload, score in stored)


@in_bulk
def test_only_those_that_fit_are_touched(retry: RetrySet, raw: redis.Redis, action: Callable[..., Any]) -> None:
    fill(raw, 1200)
    result = action(retry, Filter(job_class="app.A"))
    assert (result.matched, result.moved, result.gone, result.refused) == (600, 600, 0, 0)
    assert (result.scanned, result.finished) == (1200, True)
    assert (untouched(raw, "app.A"), untouched(raw, "app.B")) == (0, 600)


@in_bulk
def test_a_limit_ends_it_and_the_next_call_goes_on(
    retry: RetrySet, raw: redis.Redis, action: Callable[..., Any]
) -> None:
    fill(raw, 300)
    which = Filter(job_class="app.A", at_before=NOW_S)
    moved = [action(retry, which, limit=60).moved for _ in range(3)]
    last = action(retry, which, limit=60)
    assert (moved, last.moved, last.finished) == ([60, 60, 30], 0, True)
    assert untouched(raw, "app.B") == 150


@in_bulk
def test_progress_is_told_and_stop_is_obeyed(retry: RetrySet, raw: redis.Redis, action: Callable[..., Any]) -> None:
    fill(raw, 1200)
    told: list[tuple[int, int]] = []
    result = action(retry, Filter(), progress=lambda *numbers: told.append(numbers), stop=lambda: len(told) >= 2)
    assert told == [(25, 1200), (225, 1200)]
    assert (result.moved, result.finished) == (225, False)
    assert action(retry, Filter(at_before=NOW_S)).moved == 975


def test_stop_is_obeyed_between_jobs_where_middleware_runs(config: Config, retry: RetrySet, raw: redis.Redis) -> None:
    seen: list[str] = []

    def slow(job_class: Any, payload: dict[str, Any], queue: str, pool: Any, next_: Callable[[], Any]) -> Any:
        seen.append(payload["jid"])
        return next_()

    config.client_middleware.add(slow)
    fill(raw, 40)
    result = retry.retry(Filter(), stop=lambda: len(seen) >= 7)
    assert (result.matched, result.moved, result.finished) == (7, 7, False)
    assert jids(run_order(raw)) == seen
    assert raw.zcard("retry") == 33


@in_bulk
@pytest.mark.parametrize("wrong", [{"limit": 0}, {"limit": "all"}, {"limit": True}])
def test_an_impossible_limit_changes_nothing(
    retry: RetrySet, raw: redis.Redis, action: Callable[..., Any], wrong: dict[str, Any]
) -> None:
    fill(raw, 3)
    with pytest.raises(ConfigError, match="limit"):
        action(retry, Filter(), **wrong)
    with pytest.raises(ConfigError, match=r"Filter\(\) is every job"):
        action(retry, None)
    assert raw.zcard("retry") == 3


def test_a_thousand_jobs_take_two_round_trips(fleet: Fleet, retry: RetrySet, raw: redis.Redis) -> None:
    fill(raw, 3225)
    trips: list[Any] = []
    for name in ("run", "run_all"):
        ask = getattr(fleet.storage, name)
        setattr(fleet.storage, name, lambda ops, ask=ask: trips.append(ops) or ask(ops))
    assert retry.retry(Filter()).moved == 3225
    assert len(trips) == 1 + 2 * 5  # the size; pages of 25, 200 and three times 1000, each read and moved


def test_huge_jobs_are_moved_a_few_at_a_time(retry: RetrySet, raw: redis.Redis) -> None:
    raw.zadd("retry", {failed(f"j{n}", args=["x" * 90_000]): n for n in range(9)})
    raw.config_resetstat()
    assert retry.kill(Filter()).moved == 9
    assert raw.info("commandstats")["cmdstat_evalsha"]["calls"] >= 5


def test_four_people_who_do_the_same_at_once_do_it_once(config: Config, retry: RetrySet, raw: redis.Redis) -> None:
    fill(raw, 2000)
    fleets = [Fleet(config, clock=Watch(NOW_S)) for _ in range(4)]
    ready = threading.Barrier(4)
    results: list[Any] = []

    def act(fleet: Fleet) -> None:
        ready.wait()
        results.append(RetrySet(fleet=fleet).retry(Filter(job_class="app.A")))

    threads = [threading.Thread(target=act, args=(fleet,)) for fleet in fleets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for fleet in fleets:
        fleet.close()
    assert sum(result.moved for result in results) == 1000
    pushed = jids(run_order(raw))
    assert (len(pushed), len(set(pushed)), raw.zcard("retry")) == (1000, 1000, 1000)


def test_a_scheduled_set_is_pushed_by_filter(fleet: Fleet, raw: redis.Redis) -> None:
    fill(raw, 100, "schedule")
    scheduled = ScheduledSet(fleet=fleet)
    assert scheduled.add_to_queue(Filter(job_class="app.B")).moved == 50
    assert scheduled.kill(Filter()).moved == 50
    assert (raw.llen("queue:default"), raw.zcard("dead")) == (50, 50)


def test_a_full_redis_moves_jobs_out_of_the_sets_all_the_same(retry: RetrySet, raw: redis.Redis) -> None:
    fill(raw, 120)
    raw.config_set("maxmemory", 1)
    try:
        moved = retry.kill(Filter(), limit=60).moved + retry.retry(Filter(), limit=20).moved
        deleted = retry.delete(Filter()).moved
    finally:
        raw.config_set("maxmemory", 0)
    assert (moved, deleted) == (80, 40)
    assert (raw.zcard("dead"), raw.llen("queue:default"), raw.zcard("retry")) == (60, 20, 0)


async def _no(*_: object) -> bool:
    return False


class _Promise:
    """Something to be awaited that a plain function returns."""

    def __await__(self) -> Iterator[bool]:
        yield False


@in_bulk
@pytest.mark.parametrize("answer", [_no, lambda *_: _Promise()], ids=["async function", "awaitable answer"])
def test_an_answer_that_would_have_to_be_awaited_is_not_taken_for_a_yes(
    retry: RetrySet, raw: redis.Redis, action: Callable[..., Any], answer: Any
) -> None:
    fill(raw, 5)
    before = raw.zrange("retry", 0, -1, withscores=True)
    with pytest.raises(ConfigError, match=r"predicate: .* plain function"):
        action(retry, Filter(predicate=answer))
    with pytest.raises(ConfigError, match=r"stop: .* plain function"):
        action(retry, Filter(), stop=answer)
    assert raw.zrange("retry", 0, -1, withscores=True) == before


def test_a_dead_set_of_a_wrong_type_takes_no_job(retry: RetrySet, raw: redis.Redis) -> None:
    raw.set("dead", "not a set")
    raw.zadd("retry", {failed("a"): 100, failed("b"): float("inf")})
    with pytest.raises(RedisError, match="WRONGTYPE"):
        retry.kill(Filter())
    assert raw.zrange("retry", 0, -1, withscores=True) == [(failed("a"), 100), (failed("b"), float("inf"))]
