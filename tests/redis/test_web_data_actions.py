"""What buttons do to ticked jobs, queues and processes."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import redis
from web_fleet import NOW_S, WEB, Scene, add_process, enqueue, failed, payload


@pytest.fixture
def scene(redis_url: str) -> Iterator[Scene]:
    made = Scene(redis_url)
    yield made
    made.fleet.close()


def jids(raw: redis.Redis, key: str) -> list[str]:
    found = raw.lrange(key, 0, -1) if raw.type(key) == b"list" else raw.zrange(key, 0, -1)
    return [json.loads(member)["jid"] for member in found]


def test_ticked_jobs_are_retried(scene: Scene, raw: redis.Redis) -> None:
    raw.zadd("retry", {failed(f"j{n}"): NOW_S + n for n in range(5)})
    keys = [row.key for row in scene.data.retries(view="list").rows[1:3]]
    outcome = scene.data.set_retry("retries", keys)
    assert (outcome.code, outcome.moved, jids(raw, "retry")) == ("done", 2, ["j0", "j3", "j4"])
    assert sorted(jids(raw, "queue:default")) == ["j1", "j2"]


def test_ticked_jobs_are_found_again_in_a_list_from_the_latest(scene: Scene, raw: redis.Redis) -> None:
    raw.zadd("dead", {failed(f"j{n:03}"): 5.0 for n in range(400)})
    row = scene.data.dead(view="list", page=7).rows[3]
    assert scene.data.set_retry("dead", [row.key]).moved == 1
    assert jids(raw, "queue:default") == [row.jid]


def test_one_that_is_gone_is_told(scene: Scene, raw: redis.Redis) -> None:
    raw.zadd("retry", {failed("a"): 1.0, failed("b"): 2.0})
    keys = [row.key for row in scene.data.retries(view="list").rows]
    raw.zremrangebyrank("retry", 0, 0)
    outcome = scene.data.set_retry("retries", keys)
    assert (outcome.code, outcome.moved, outcome.gone) == ("partly", 1, 1)
    assert scene.data.set_retry("retries", keys).code == "nothing"


def test_one_that_was_put_off_meanwhile_is_left_alone(scene: Scene, raw: redis.Redis) -> None:
    raw.zadd("retry", {failed("a"): 1.0})
    (row,) = scene.data.retries(view="list").rows
    raw.zadd("retry", {failed("a"): 99.0})
    assert scene.data.set_kill("retries", [row.key]).code == "nothing"


def test_deleted_jobs_can_be_put_back(scene: Scene, raw: redis.Redis) -> None:
    raw.zadd("retry", {failed("a"): 1.0, failed("b"): 2.0})
    keys = [row.key for row in scene.data.retries(view="list").rows]
    outcome = scene.data.set_delete("retries", keys)
    assert (raw.exists("retry"), outcome.undo_until) == (0, NOW_S + 86_400)
    assert scene.data.undo(outcome.undo_id).moved == 2
    assert jids(raw, "retry") == ["a", "b"]


def test_killed_jobs_are_dead(scene: Scene, raw: redis.Redis) -> None:
    raw.zadd("retry", {failed("a"): 1.0})
    scene.data.set_kill("retries", [row.key for row in scene.data.retries(view="list").rows])
    assert raw.zrange("dead", 0, -1, withscores=True) == [(failed("a"), NOW_S)]


def test_jobs_are_given_another_time(scene: Scene, raw: redis.Redis) -> None:
    raw.zadd("schedule", {payload("a"): NOW_S + 100})
    keys = [row.key for row in scene.data.scheduled().rows]
    assert scene.data.set_move("scheduled", keys, 3600).moved == 1
    assert raw.zscore("schedule", payload("a")) == NOW_S + 3700


def test_a_job_that_cannot_be_read_can_be_deleted(scene: Scene, raw: redis.Redis) -> None:
    raw.zadd("retry", {b"\xff{broken": 1.0})
    (row,) = scene.data.retries(view="list").rows
    assert scene.data.set_retry("retries", [row.key]).code == "refused"
    assert scene.data.set_delete("retries", [row.key]).code == "done"
    assert raw.exists("retry") == 0


@pytest.mark.parametrize(
    "key", ["", "junk", "1.0|zz|0", "nan|0123456789abcdef|0", "1e999|0123456789abcdef|1", "|x|", "1|2"]
)
def test_keys_of_nonsense_do_nothing(scene: Scene, raw: redis.Redis, key: str) -> None:
    raw.zadd("retry", {failed("a"): 1.0})
    enqueue(raw, "mail", payload("b"))
    for outcome in (scene.data.set_delete("retries", [key]), scene.data.queue_delete("mail", [key])):
        assert outcome.code == "nothing"
    assert (raw.zcard("retry"), raw.llen("queue:mail")) == (1, 1)


def test_the_key_of_a_set_is_none_of_a_queue(scene: Scene, raw: redis.Redis) -> None:
    raw.zadd("retry", {payload("a"): 1.0})
    enqueue(raw, "mail", payload("a"))
    (row,) = scene.data.retries(view="list").rows
    assert scene.data.queue_delete("mail", [row.key]).moved == 0


# -- queues ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["next", "newest"])
def test_jobs_of_a_queue_are_deleted_and_put_back(scene: Scene, raw: redis.Redis, order: str) -> None:
    enqueue(raw, "mail", *(payload(f"j{n}") for n in range(9)))
    rows = scene.data.queue("mail", count=3, page=2, order=order).rows
    raw.rpop("queue:mail")
    outcome = scene.data.queue_delete("mail", [row.key for row in rows])
    assert outcome.moved == 3
    assert not {row.jid for row in rows} & set(jids(raw, "queue:mail"))
    scene.data.undo(outcome.undo_id)
    assert {row.jid for row in rows} <= set(jids(raw, "queue:mail"))
    assert raw.llen("queue:mail") == 8


def test_of_two_equal_jobs_one_is_deleted(scene: Scene, raw: redis.Redis) -> None:
    enqueue(raw, "mail", payload("a"), payload("a"))
    (row, _) = scene.data.queue("mail").rows
    assert scene.data.queue_delete("mail", [row.key]).moved == 1
    assert raw.llen("queue:mail") == 1


def test_a_queue_is_paused_and_resumed(scene: Scene, raw: redis.Redis) -> None:
    assert scene.data.queue_pause("mail").code == "done"
    assert raw.smembers("paused") == {b"mail"}
    assert scene.data.queue_pause("mail").code == "nothing"
    assert scene.data.queue_resume("mail").code == "done"
    assert raw.exists("paused") == 0


def test_several_queues_are_paused(scene: Scene, raw: redis.Redis) -> None:
    assert scene.data.queues_pause(["a", "b"]).moved == 2
    assert scene.data.queues_resume(["a", "b", "c"]).moved == 2


def test_a_cleared_queue_can_be_put_back(scene: Scene, raw: redis.Redis) -> None:
    enqueue(raw, "mail", payload("a"), payload("b"))
    outcome = scene.data.queue_clear("mail")
    assert (outcome.moved, raw.exists("queue:mail"), raw.smembers("queues")) == (2, 0, set())
    assert scene.data.undo(outcome.undo_id).moved == 2
    assert jids(raw, "queue:mail") == ["b", "a"]


def test_several_cleared_queues_have_an_undo_each(scene: Scene, raw: redis.Redis) -> None:
    for name in ("a", "b"):
        enqueue(raw, name, payload(name))
    assert scene.data.queues_clear(["a", "b"]).moved == 2
    assert sorted(row.name for row in scene.data.undoables().rows) == ["a", "b"]


def test_a_queue_with_a_name_that_none_should_have_can_be_cleared(scene: Scene, raw: redis.Redis) -> None:
    name = "<b>ö\n*"
    enqueue(raw, name, payload("a"))
    assert [row.jid for row in scene.data.queue(name).rows] == ["a"]
    assert scene.data.queue_clear(name).moved == 1


def test_a_removal_that_is_over_cannot_be_undone(scene: Scene) -> None:
    for undo_id in ("gone", "", "../x"):
        assert scene.data.undo(undo_id).code == "nothing"


# -- processes ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("call", "signal"), [("quiet", b"TSTP"), ("stop", b"TERM"), ("dump", b"TTIN")])
def test_a_process_is_told(scene: Scene, raw: redis.Redis, call: str, signal: bytes) -> None:
    add_process(raw)
    assert getattr(scene.data, f"process_{call}")(WEB).code == "done"
    assert raw.lrange(f"{WEB}-signals", 0, -1) == [signal]


def test_a_process_that_is_gone_or_embedded_is_not_told(scene: Scene, raw: redis.Redis) -> None:
    add_process(raw, "inside:1:a", embedded=True)
    assert scene.data.process_stop("gone:1:a").code == "nothing"
    refused = scene.data.process_stop("inside:1:a")
    assert (refused.code, raw.exists("inside:1:a-signals")) == ("refused", 0)
    assert "part of another program" in refused.reasons[0]


def test_all_processes_are_told_but_embedded_ones(scene: Scene, raw: redis.Redis) -> None:
    add_process(raw)
    add_process(raw, "inside:1:a", embedded=True)
    outcome = scene.data.processes_quiet()
    assert (outcome.code, outcome.moved, outcome.refused) == ("partly", 1, 1)
    assert raw.exists("inside:1:a-signals") == 0


# -- previews ----------------------------------------------------------------------------------------------


def test_a_preview_of_ticked_jobs_counts_those_that_are_there(scene: Scene, raw: redis.Redis) -> None:
    raw.zadd("retry", {failed(f"j{n}"): n for n in range(5)})
    keys = [row.key for row in scene.data.retries(view="list").rows]
    raw.zremrangebyrank("retry", 0, 0)
    seen = scene.data.preview_keys("retries", "kill", keys)
    assert (seen.count, len(seen.samples), seen.must_type) == (4, 3, "")


def test_a_preview_of_jobs_of_a_queue(scene: Scene, raw: redis.Redis) -> None:
    enqueue(raw, "mail", *(payload(f"j{n}") for n in range(4)))
    keys = [row.key for row in scene.data.queue("mail").rows]
    assert scene.data.preview_keys("queue:mail", "delete", keys).count == 4
    assert scene.data.preview_queue("mail").count == 4
    assert [row.jid for row in scene.data.preview_queue("mail").samples] == ["j0", "j1", "j2"]
