"""What can be done with one entry of a set, and with a filter (behaviour 18, wire-format 3.4 and 3.5)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis
from services import Watch, job, run_order

from pillion.api.entry import SortedEntry
from pillion.api.filters import Filter
from pillion.api.fleet import Fleet
from pillion.api.sets import DeadSet, RetrySet, ScheduledSet
from pillion.api.undo import Undo
from pillion.config import Config, RedisConfig
from pillion.errors import ConfigError, DecodeError, InvalidJob

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


def the(entries: Any) -> SortedEntry:
    (entry,) = entries
    assert isinstance(entry, SortedEntry)
    return entry


def jids(payloads: Any) -> list[str]:
    return [json.loads(payload)["jid"] for payload in payloads]


# -- retry and add_to_queue --------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "key"), [(RetrySet, "retry"), (DeadSet, "dead")])
def test_a_retry_pushes_the_job_and_takes_one_off_its_count(
    fleet: Fleet, raw: redis.Redis, kind: Any, key: str
) -> None:
    raw.zadd(key, {failed("a", 25, queue="mail", x={"own": [1, None]}): 7.5})
    result = the(kind(fleet=fleet)).retry()
    assert (bool(result), result.moved, result.gone, result.refused) == (True, 1, 0, 0)
    (pushed,) = run_order(raw, "mail")
    stored = failed("a", 24, queue="mail", x={"own": [1, None]})
    assert pushed.startswith(stored[:-1] + b',"enqueued_at":')
    assert raw.exists(key) == 0
    assert raw.smembers("queues") == {b"mail"}


def test_a_job_that_never_failed_has_no_count_to_take_from(retry: RetrySet, raw: redis.Redis) -> None:
    raw.zadd("retry", {job("a"): 1, job("b", retry_count="3"): 2, failed("c", 0): 3})
    assert retry.retry(Filter()).moved == 3
    counts = {payload["jid"]: payload.get("retry_count") for payload in map(json.loads, run_order(raw))}
    assert counts == {"a": None, "b": "3", "c": -1}


def test_add_to_queue_leaves_the_count_alone(fleet: Fleet, raw: redis.Redis) -> None:
    for key in ("schedule", "retry", "dead"):
        raw.zadd(key, {failed(key): NOW_S + 60})
    for kind in (ScheduledSet, RetrySet, DeadSet):
        assert the(kind(fleet=fleet)).add_to_queue()
    assert [json.loads(payload)["retry_count"] for payload in run_order(raw)] == [3, 3, 3]


def test_a_scheduled_job_has_nothing_to_retry(fleet: Fleet, raw: redis.Redis) -> None:
    raw.zadd("schedule", {job("a"): 1})
    with pytest.raises(ConfigError, match="add_to_queue"):
        the(ScheduledSet(fleet=fleet)).retry()


def test_those_due_first_are_pushed_first(retry: RetrySet, raw: redis.Redis) -> None:
    names = [f"j{n:04}" for n in range(250)]
    raw.zadd("retry", {failed(jid): n for n, jid in enumerate(names)})
    assert retry.retry(Filter()).moved == 250
    assert jids(run_order(raw)) == names


def test_an_entry_that_is_gone_is_not_pushed(retry: RetrySet, raw: redis.Redis) -> None:
    raw.zadd("retry", {failed("a"): 1})
    entry = the(retry)
    assert entry.retry()
    for again in (entry.retry(), entry.add_to_queue(), entry.kill(), entry.delete(), entry.reschedule(60)):
        assert not again
        assert (again.matched, again.moved, again.gone, again.refused) == (1, 0, 1, 0)
    assert raw.llen("queue:default") == 1
    assert raw.exists("retry", "dead") == 0


def test_others_with_the_same_score_stay(retry: RetrySet, raw: redis.Redis) -> None:
    raw.zadd("retry", {failed(jid): 7.5 for jid in "abcd"})
    a, b, c, d = retry.each(order="asc")
    assert a.retry()
    assert b.kill()
    assert c.delete()
    assert raw.zrange("retry", 0, -1, withscores=True) == [(d.value, 7.5)]


def test_client_middleware_sees_each_job_with_its_class_as_text(
    config: Config, retry: RetrySet, raw: redis.Redis
) -> None:
    seen: list[Any] = []

    def stamp(job_class: Any, payload: dict[str, Any], queue: str, pool: Any, next_: Callable[[], Any]) -> Any:
        seen.append((job_class, payload["retry_count"], queue))
        payload["queue"] = "moved"
        return next_()

    config.client_middleware.add(stamp)
    raw.zadd("retry", {failed("a"): 1})
    assert retry.retry(Filter())
    assert seen == [("app.Job", 2, "default")]
    assert jids(run_order(raw, "moved")) == ["a"]
    assert raw.smembers("queues") == {b"moved"}


def test_what_cannot_be_pushed_stays_exactly_where_it_is(config: Config, retry: RetrySet, raw: redis.Redis) -> None:
    def judge(job_class: Any, payload: dict[str, Any], queue: str, pool: Any, next_: Callable[[], Any]) -> Any:
        payload["args"].append("seen")
        if payload["jid"] == "raises":
            raise LookupError("no tenant")
        return None if payload["jid"] == "vetoed" else next_()

    config.client_middleware.add(judge)
    raw.set("queue:broken", "not a list")
    stuck = {failed("vetoed"): 1.5, failed("raises"): 2.5, b"no json": 3.5, failed("wrong", queue="broken"): 4.5}
    stuck |= {failed("nowhere", queue=["x"]): 6.5}
    raw.zadd("retry", {**stuck, failed("fine"): 5.5})
    result = retry.retry(Filter())
    assert (result.matched, result.moved, result.refused, result.gone, result.finished) == (6, 1, 5, 0, True)
    assert dict(raw.zrange("retry", 0, -1, withscores=True)) == stuck
    assert jids(run_order(raw)) == ["fine"]
    words = " | ".join(sorted(result.reasons))
    for part in ("middleware stopped", "LookupError: no tenant", "cannot be read", "WRONGTYPE", "expected a name"):
        assert part in words


def test_a_job_that_fails_again_at_once_is_retried_once(config: Config, retry: RetrySet, raw: redis.Redis) -> None:
    """Its next failure puts it back into the set, further on, while the action still runs."""
    back = {"left": 500}

    def fail_at_once(done: int, total: int) -> None:
        for payload in raw.lrange("queue:default", 0, -1):
            if back["left"]:
                back["left"] -= 1
                again = {**json.loads(payload), "retry_count": 3, "retried_at": int(NOW_S * 1000) + 5}
                raw.zadd("retry", {json.dumps(again): NOW_S + 1000})
        raw.delete("queue:default")

    raw.zadd("retry", {failed(f"j{n:03}"): n for n in range(200)})
    result = retry.retry(Filter(), progress=fail_at_once)
    assert (result.moved, result.finished) == (200, True)
    assert raw.zcard("retry") == 200


def test_two_entries_with_one_jid_are_both_retried(retry: RetrySet, raw: redis.Redis) -> None:
    raw.zadd("retry", {failed("twin", args=[n]): n for n in range(80)})
    assert retry.retry(Filter(jid="twin")).moved == 80


# -- killing -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "key"), [(RetrySet, "retry"), (ScheduledSet, "schedule")])
def test_a_killed_job_keeps_its_bytes_and_dies_now(fleet: Fleet, raw: redis.Redis, kind: Any, key: str) -> None:
    stored = b'{ "class" : "A", "jid":"a","args":[1.50] }'
    raw.zadd(key, {stored: 7.5})
    assert the(kind(fleet=fleet)).kill()
    assert raw.zrange("dead", 0, -1, withscores=True) == [(stored, NOW_S)]
    assert raw.exists(key) == 0


def test_an_unreadable_entry_can_be_killed_and_deleted(retry: RetrySet, raw: redis.Redis) -> None:
    raw.zadd("retry", {b"no json": 1, b"[1]": 2})
    first, second = retry.each(order="asc")
    assert first.kill(notify=True)
    assert second.delete()
    assert (raw.zrange("dead", 0, -1), raw.zcard("retry")) == ([b"no json"], 0)


def test_killing_trims_the_dead_set_to_one_less_than_its_limit(
    config: Config, retry: RetrySet, raw: redis.Redis
) -> None:
    config.dead_max_jobs, config.dead_timeout_s = 5, 100
    raw.zadd("dead", {"too old": NOW_S - 100, "old": NOW_S - 99, "young": NOW_S - 1})
    raw.zadd("retry", {failed(jid): 1 for jid in "abc"})
    assert retry.kill(Filter()).moved == 3
    assert raw.zrange("dead", 0, -1) == [b"young", *(failed(jid) for jid in "abc")]


def test_death_handlers_are_called_only_if_asked_and_one_that_fails_stops_nothing(
    config: Config, retry: RetrySet, raw: redis.Redis
) -> None:
    died: list[tuple[str, BaseException, int]] = []
    reported: list[str] = []

    def broken(payload: dict[str, Any], error: BaseException) -> None:
        raise LookupError("handler")

    config.death_handlers += [broken, lambda payload, error: died.append((payload["jid"], error, raw.zcard("dead")))]
    config.error_handlers.append(lambda error, context, _: reported.append(f"{error} {context['job']['jid']}"))
    raw.zadd("retry", {failed(jid): n for n, jid in enumerate("abcd")})
    assert retry.kill(Filter(jid=["a", "b"])).moved == 2
    assert died == []
    assert retry.kill(Filter(jid="c"), notify=True)
    error = ValueError("by hand")
    assert retry.kill(Filter(jid="d"), notify=True, error=error)
    assert [(jid, str(why), dead) for jid, why, dead in died] == [
        ("c", "Job killed through the data API", 3),
        ("d", "by hand", 4),
    ]
    assert isinstance(died[0][1], RuntimeError)
    assert reported == ["handler c", "handler d"]


def test_a_dead_job_cannot_be_killed(fleet: Fleet, raw: redis.Redis) -> None:
    raw.zadd("dead", {failed("a"): 1})
    with pytest.raises(ConfigError, match="is dead"):
        the(DeadSet(fleet=fleet)).kill()


def test_a_payload_can_be_put_into_the_dead_set(config: Config, fleet: Fleet, raw: redis.Redis) -> None:
    died: list[str] = []
    config.death_handlers.append(lambda payload, error: died.append(payload["jid"]))
    config.dead_max_jobs = 3
    dead = DeadSet(fleet=fleet)
    dead.kill(b'{ "class":"A","jid":"a" }')
    dead.kill({"class": "A", "args": [1], "jid": "b"}, notify=False)
    assert raw.zrange("dead", 0, -1) == [b'{ "class":"A","jid":"a" }', b'{"class":"A","args":[1],"jid":"b"}']
    dead.kill({"class": "A", "jid": "c"}, trim=False)
    assert raw.zcard("dead") == 3
    assert dead.trim() == 1
    assert (raw.zcard("dead"), died) == (2, ["a", "c"])


@pytest.mark.parametrize("wrong", [{}, {"class": 5}, "text", 5, b'{"args":[]}', b"no json"])
def test_what_is_no_job_is_refused(fleet: Fleet, raw: redis.Redis, wrong: Any) -> None:
    with pytest.raises((InvalidJob, DecodeError)):
        DeadSet(fleet=fleet).kill(wrong)
    with pytest.raises((InvalidJob, DecodeError)):
        RetrySet(fleet=fleet).schedule(60, wrong)
    assert raw.dbsize() == 0


def test_a_trim_of_very_many_goes_in_steps(config: Config, fleet: Fleet, raw: redis.Redis) -> None:
    raw.zadd("dead", {f"m{n:05}": NOW_S for n in range(5000)})
    config.dead_max_jobs = 1000
    raw.config_resetstat()
    assert DeadSet(fleet=fleet).trim() == 4001
    assert raw.zcard("dead") == 999
    assert raw.info("commandstats")["cmdstat_zremrangebyrank"]["calls"] == 5


def test_a_trim_forgets_all_that_are_too_old(config: Config, fleet: Fleet, raw: redis.Redis) -> None:
    raw.zadd("dead", {f"m{n:05}": NOW_S - n for n in range(100)})
    config.dead_timeout_s = 50
    assert DeadSet(fleet=fleet).trim() == 50
    assert raw.zcard("dead") == 50


# -- deleting ----------------------------------------------------------------------------------------


def test_a_deleted_entry_can_be_put_back_with_its_time(fleet: Fleet, retry: RetrySet, raw: redis.Redis) -> None:
    raw.zadd("retry", {failed("a"): 7.5, failed("b"): 8.5})
    result = retry.fetch(7.5)[0].delete()
    assert raw.zrange("retry", 0, -1) == [failed("b")]
    assert Undo(result.undo_id, fleet=fleet).restore() == 1
    assert raw.zrange("retry", 0, -1, withscores=True) == [(failed("a"), 7.5), (failed("b"), 8.5)]


def test_a_whole_removal_has_one_undo(fleet: Fleet, retry: RetrySet, raw: redis.Redis) -> None:
    stored = {failed(f"j{n:04}"): float(n) for n in range(1500)}
    raw.zadd("retry", stored)
    result = retry.delete(Filter(predicate=lambda entry: entry.score >= 100))
    assert (result.moved, raw.zcard("retry")) == (1400, 100)
    assert result.expires_at == NOW_S + 86_400
    assert Undo(result.undo_id, fleet=fleet).restore() == 1400
    assert dict(raw.zrange("retry", 0, -1, withscores=True)) == stored


def test_without_undo_nothing_is_kept(retry: RetrySet, raw: redis.Redis) -> None:
    raw.zadd("retry", {failed("a"): 1, failed("b"): 2})
    assert retry.delete(Filter(jid="a"), undo_s=0).undo_id is None
    assert retry.clear(undo_s=0).undo_id is None
    assert raw.dbsize() == 0


def test_nothing_removed_is_nothing_to_undo(retry: RetrySet) -> None:
    result = retry.delete(Filter())
    assert (result.moved, result.undo_id, result.finished) == (0, None, True)


def test_clear_takes_everything_at_once_and_can_be_undone(fleet: Fleet, retry: RetrySet, raw: redis.Redis) -> None:
    raw.zadd("retry", {failed(f"j{n:04}"): n for n in range(500)})
    removed = retry.clear()
    assert (removed.count, raw.exists("retry")) == (500, 0)
    assert Undo(removed.undo_id, fleet=fleet).restore() == 500
    assert retry.size() == 500


# -- other times -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "score"),
    [
        (NOW_S + 500, NOW_S + 500),
        (60, NOW_S + 60),
        (timedelta(hours=1), NOW_S + 3600),
        (datetime(2026, 12, 24, 12, tzinfo=UTC), 1798113600.0),
    ],
)
def test_a_job_gets_another_time_and_keeps_its_bytes(retry: RetrySet, raw: redis.Redis, at: Any, score: float) -> None:
    stored = b'{"class": "A", "jid":"a","args":[1.50]}'
    raw.zadd("retry", {stored: NOW_S + 5})
    assert the(retry).reschedule(at)
    assert raw.zrange("retry", 0, -1, withscores=True) == [(stored, score)]


@pytest.mark.parametrize("by", [-250, timedelta(seconds=250), 0.25])
def test_all_jobs_can_be_moved_by_the_same_time_once(retry: RetrySet, raw: redis.Redis, by: Any) -> None:
    raw.zadd("retry", {failed(f"j{n:03}"): NOW_S + n for n in range(300)})
    result = retry.reschedule(Filter(), by=by)
    assert (result.moved, result.gone, result.finished) == (300, 0, True)
    delta_s = by.total_seconds() if isinstance(by, timedelta) else by
    assert [score for _, score in raw.zrange("retry", 0, -1, withscores=True)] == [
        NOW_S + n + delta_s for n in range(300)
    ]


@pytest.mark.parametrize("at", [NOW_S, NOW_S + 150, NOW_S + 5000])
def test_all_jobs_can_get_one_time(retry: RetrySet, raw: redis.Redis, at: float) -> None:
    raw.zadd("retry", {failed(f"j{n:03}"): NOW_S + n for n in range(300)})
    assert retry.reschedule(Filter(), at).moved == 300
    assert {score for _, score in raw.zrange("retry", 0, -1, withscores=True)} == {at}


def test_a_time_that_comes_soon_wakes_the_scheduler(retry: RetrySet, raw: redis.Redis) -> None:
    raw.zadd("retry", {failed("a"): NOW_S + 500})
    the(retry).reschedule(400)
    assert raw.exists("pl:scheduler:wake") == 0
    the(retry).reschedule(0)
    assert raw.exists("pl:scheduler:wake") == 1


@pytest.mark.parametrize(
    "wrong",
    [{}, {"at": 5, "by": 5}, {"at": datetime(2026, 1, 1)}, {"by": "soon"}, {"by": datetime.now(UTC)}],  # noqa: DTZ001
)
def test_a_time_that_is_none_is_explained(retry: RetrySet, wrong: dict[str, Any]) -> None:
    with pytest.raises((ConfigError, InvalidJob), match="expected"):
        retry.reschedule(Filter(), **wrong)


def test_a_job_can_be_put_into_a_set(fleet: Fleet, raw: redis.Redis) -> None:
    ScheduledSet(fleet=fleet).schedule(timedelta(hours=1), {"class": "A", "args": ["é"], "jid": "a"})
    RetrySet(fleet=fleet).schedule(NOW_S + 5, b'{ "class":"A" }')
    assert raw.zrange("schedule", 0, -1, withscores=True) == [
        ('{"class":"A","args":["é"],"jid":"a"}'.encode(), NOW_S + 3600)
    ]
    assert raw.zrange("retry", 0, -1, withscores=True) == [(b'{ "class":"A" }', NOW_S + 5)]
    assert raw.exists("pl:scheduler:wake") == 0


@pytest.mark.parametrize("by", [float("inf"), float("-inf")])
def test_a_job_is_not_put_off_for_ever(retry: RetrySet, raw: redis.Redis, by: float) -> None:
    raw.zadd("retry", {failed("a"): 100})
    with pytest.raises(ConfigError, match="by: "):
        retry.reschedule(Filter(), by=by)
    assert raw.zscore("retry", failed("a")) == 100
