"""Promotion of due jobs (wire-format 3.2, behaviour 8)."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
import redis
from redis_process import RedisProcess
from services import Reports, Watch, job, run_order

from pillion.client import Client
from pillion.config import Config, RedisConfig
from pillion.errors import DecodeError, InvalidJob, RedisRefused
from pillion.server.promotion import POSTPONE_S, Promoter
from pillion.storage.connect import open_target
from pillion.storage.ops import promote as ops
from pillion.storage.sync import Storage
from pillion.storage.target import resolve_url

NOW_S = 1795300100.25


class Scene:
    """A promoter with a clock that stands still."""

    def __init__(self, storage: Storage, *, stopping: Callable[[], bool] = lambda: False, **options: Any) -> None:
        self.config = Config(**options)
        self.reports = Reports(self.config)
        self.clock = Watch(NOW_S)
        self.client = Client(storage, self.config)
        self.promoter = Promoter(
            storage, self.config, self.client.promote_payload, self.reports, stopping=stopping, clock=self.clock
        )

    def promote(self) -> float | None:
        return self.promoter.promote_due()


@pytest.fixture
def scene(storage: Storage) -> Scene:
    return Scene(storage)


def due(raw: redis.Redis, *payloads: bytes, key: str = "schedule") -> None:
    """Enter jobs that became due one after the other."""
    raw.zadd(key, {payload: NOW_S - 1000 + i for i, payload in enumerate(payloads)})


def jids(payloads: list[bytes]) -> list[str]:
    return [json.loads(payload)["jid"] for payload in payloads]


# -- what is moved ---------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["schedule", "retry"])
def test_due_jobs_go_to_their_queues(scene: Scene, raw: redis.Redis, key: str) -> None:
    due(raw, job("a", "high"), job("b", "low"), key=key)
    scene.promote()
    assert (jids(run_order(raw, "high")), jids(run_order(raw, "low"))) == (["a"], ["b"])
    assert raw.zcard(key) == 0
    assert raw.smembers("queues") == {b"high", b"low"}


def test_the_job_due_first_runs_first(scene: Scene, raw: redis.Redis) -> None:
    due(raw, *(job(f"j{i:03}") for i in range(250)))
    scene.promote()
    assert jids(run_order(raw)) == [f"j{i:03}" for i in range(250)]


def test_future_jobs_are_untouched_and_the_next_due_time_is_told(scene: Scene, raw: redis.Redis) -> None:
    due(raw, job("a"))
    raw.zadd("retry", {job("later"): NOW_S + 60})
    raw.zadd("schedule", {job("soon"): NOW_S + 0.5})
    assert scene.promote() == NOW_S + 0.5
    assert raw.zrange("retry", 0, -1, withscores=True) == [(job("later"), NOW_S + 60)]
    assert raw.zrange("schedule", 0, -1, withscores=True) == [(job("soon"), NOW_S + 0.5)]


def test_nothing_scheduled_has_no_next_due_time(scene: Scene) -> None:
    assert scene.promote() is None


def test_a_job_due_exactly_now_is_moved(scene: Scene, raw: redis.Redis) -> None:
    raw.zadd("schedule", {job("a"): NOW_S})
    scene.promote()
    assert jids(run_order(raw)) == ["a"]


@pytest.mark.parametrize("score", [60, 5.5, "-inf"])
def test_scores_of_the_far_past_are_due(scene: Scene, raw: redis.Redis, score: Any) -> None:
    raw.zadd("schedule", {job("a"): score})
    scene.promote()
    assert jids(run_order(raw)) == ["a"]


# -- how it is stamped -----------------------------------------------------------------------------


def test_the_payload_is_stamped_and_keeps_what_it_was(scene: Scene, raw: redis.Redis) -> None:
    stored = (
        b'{"retry":5,"queue":"default","args":[12345678901234567890123,[],1.0,"\xc3\xa9"],"class":"Some::Job",'
        b'"jid":"9922ab488a26202ca88dcdde","created_at":1795300070532,"retry_count":2,"x":{"own":null}}'
    )
    due(raw, stored)
    scene.promote()
    (pushed,) = run_order(raw)
    stamp = b',"enqueued_at":'
    assert pushed.startswith(stored[:-1] + stamp)
    assert isinstance(json.loads(pushed)["enqueued_at"], int)


def test_client_middleware_runs_again_with_the_class_as_text(storage: Storage, raw: redis.Redis) -> None:
    scene = Scene(storage)
    seen: list[Any] = []

    def watch(job_class: Any, payload: dict[str, Any], queue: str, pool: Any, next_: Callable[[], Any]) -> Any:
        seen.append((job_class, queue))
        payload["touched"] = True
        return next_()

    scene.config.client_middleware.add(watch)
    due(raw, job("a"))
    scene.promote()
    assert seen == [("app.Job", "default")]
    assert json.loads(run_order(raw)[0])["touched"] is True


def test_a_job_that_middleware_vetoes_is_dropped(storage: Storage, raw: redis.Redis) -> None:
    scene = Scene(storage)

    def veto(job_class: Any, payload: dict[str, Any], queue: str, pool: Any, next_: Callable[[], Any]) -> Any:
        return next_() if payload["jid"] == "b" else None

    scene.config.client_middleware.add(veto)
    due(raw, job("a"), job("b"))
    scene.promote()
    assert jids(run_order(raw)) == ["b"]
    assert raw.zcard("schedule") == 0


def test_a_job_whose_middleware_fails_is_put_off_and_lets_the_others_pass(storage: Storage, raw: redis.Redis) -> None:
    scene = Scene(storage)

    def fail(job_class: Any, payload: dict[str, Any], queue: str, pool: Any, next_: Callable[[], Any]) -> Any:
        if payload["jid"].startswith("bad"):
            raise LookupError("the database is away")
        return next_()

    scene.config.client_middleware.add(fail)
    due(raw, *(job(f"bad{i}") for i in range(150)), job("good"))
    scene.promote()
    assert jids(run_order(raw)) == ["good"]
    assert {score for _, score in raw.zrange("schedule", 0, -1, withscores=True)} == {NOW_S + POSTPONE_S}
    assert raw.zcard("schedule") == 150
    assert {type(error) for error, _ in scene.reports.errors} == {LookupError}


# -- what cannot be a job --------------------------------------------------------------------------


@pytest.mark.parametrize("member", [b"no json", b"[1]", b'{"jid":NaN}', b"\xff\xfe", b""])
def test_what_is_not_a_job_goes_to_the_dead_set_as_it_is(scene: Scene, raw: redis.Redis, member: bytes) -> None:
    due(raw, member, job("b"))
    scene.promote()
    assert raw.zrange("dead", 0, -1, withscores=True) == [(member, NOW_S)]
    assert jids(run_order(raw)) == ["b"]
    assert isinstance(scene.reports.errors[0][0], DecodeError)


def test_a_job_whose_queue_is_no_name_goes_to_the_dead_set(scene: Scene, raw: redis.Redis) -> None:
    due(raw, b'{"class":"A","args":[],"queue":["x"]}')
    scene.promote()
    assert raw.zcard("dead") == 1
    assert isinstance(scene.reports.errors[0][0], InvalidJob)


def test_burying_trims_the_dead_set_like_the_original(storage: Storage, raw: redis.Redis) -> None:
    scene = Scene(storage, dead_max_jobs=3, dead_timeout_s=100)
    raw.zadd("dead", {"old": NOW_S - 100, "young1": NOW_S - 2, "young2": NOW_S - 1})
    due(raw, b"no json")
    scene.promote()
    assert raw.zrange("dead", 0, -1) == [b"young2", b"no json"]  # at most max - 1 stay (wire-format 3.4)


# -- races, stops and refusals ---------------------------------------------------------------------


def test_ten_schedulers_promote_each_of_500_jobs_once(redis_url: str, raw: redis.Redis) -> None:
    settings = RedisConfig(url=redis_url)
    storages = [open_target(resolve_url(settings, {}), settings) for _ in range(10)]
    due(raw, *(job(f"j{i:03}") for i in range(500)))
    ready = threading.Barrier(10)

    def run(storage: Storage) -> None:
        ready.wait()
        Scene(storage).promote()

    threads = [threading.Thread(target=run, args=(storage,)) for storage in storages]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for storage in storages:
        storage.close()
    assert sorted(jids(run_order(raw))) == [f"j{i:03}" for i in range(500)]
    assert raw.zcard("schedule") == 0


def test_a_job_that_another_scheduler_has_taken_is_not_pushed(storage: Storage, raw: redis.Redis) -> None:
    done = storage.run(ops.promote("schedule", NOW_S, [ops.Move(b"gone", "q", b"gone")], refused_until_s=NOW_S))
    assert (done.count, raw.exists("queue:q", "queues")) == (0, 0)


def test_a_job_put_off_after_it_was_read_stays(storage: Storage, raw: redis.Redis) -> None:
    raw.zadd("schedule", {"a": NOW_S + 600})
    done = storage.run(ops.promote("schedule", NOW_S, [ops.Move(b"a", "q", b"a")], refused_until_s=NOW_S))
    assert (done.count, raw.zscore("schedule", "a")) == (0, NOW_S + 600)


def test_promotion_stops_between_two_jobs(storage: Storage, raw: redis.Redis) -> None:
    stamped: list[str] = []
    scene = Scene(storage, stopping=lambda: len(stamped) >= 3)

    def count(job_class: Any, payload: dict[str, Any], queue: str, pool: Any, next_: Callable[[], Any]) -> Any:
        stamped.append(payload["jid"])
        return next_()

    scene.config.client_middleware.add(count)
    due(raw, *(job(f"j{i}") for i in range(8)))
    scene.promote()
    # What middleware has seen is pushed, so that it sees it once; the rest waits for another process.
    assert jids(run_order(raw)) == stamped == ["j0", "j1", "j2"]
    assert jids(raw.zrange("schedule", 0, -1)) == [f"j{i}" for i in range(3, 8)]


def test_a_stopping_scheduler_promotes_nothing(storage: Storage, raw: redis.Redis) -> None:
    due(raw, job("a"))
    assert Scene(storage, stopping=lambda: True).promote() is None
    assert raw.zcard("schedule") == 1


def test_promotion_survives_a_flush_of_the_scripts(scene: Scene, raw: redis.Redis) -> None:
    due(raw, job("a"))
    scene.promote()
    raw.script_flush()
    due(raw, job("b"))
    scene.promote()
    assert jids(run_order(raw)) == ["a", "b"]


def test_a_job_whose_queue_is_of_a_wrong_type_stays_and_lets_the_others_pass(scene: Scene, raw: redis.Redis) -> None:
    raw.set("queue:broken", "not a list")
    due(raw, job("a", "broken"), job("b"))
    scene.promote()
    assert jids(run_order(raw)) == ["b"]
    assert raw.zrange("schedule", 0, -1, withscores=True) == [(job("a", "broken"), NOW_S + POSTPONE_S)]
    (error, _) = scene.reports.errors[0]
    assert isinstance(error, RedisRefused)
    assert "broken" in str(error)


def test_jobs_that_cannot_be_buried_stay(scene: Scene, raw: redis.Redis) -> None:
    raw.set("dead", "not a sorted set")
    due(raw, b"no json")
    with pytest.raises(Exception, match="WRONGTYPE"):
        scene.promote()
    assert raw.zrange("schedule", 0, -1) == [b"no json"]


def test_promotion_goes_on_when_redis_is_full(own_redis: RedisProcess) -> None:
    settings = RedisConfig(url=own_redis.url)
    storage = open_target(resolve_url(settings, {}), settings)
    with own_redis.client() as raw:
        due(raw, job("a"), b"no json")
        own_redis.config_set(maxmemory=1, maxmemory_policy="noeviction")
        with pytest.raises(redis.ResponseError):
            raw.set("more", "x" * 100)
        Scene(storage).promote()
        assert jids(run_order(raw)) == ["a"]
        assert raw.zrange("dead", 0, -1) == [b"no json"]
    storage.close()
