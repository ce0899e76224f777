"""Operations on many jobs: confirmed, carried out in the background, stopped, gone on with, undone."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator

import pytest
import redis
from web_fleet import NOW_MS, NOW_S, Scene, failed, payload

from pillion.errors import ConfigError
from pillion.web.data.bulk import BulkBusy, CountChanged, NoSuchBulk
from pillion.web.data.bulk_record import STALLED_AFTER_S
from pillion.web.data.redaction import HIDE_ALL


@pytest.fixture
def scene(redis_url: str) -> Iterator[Scene]:
    made = Scene(redis_url)
    yield made
    made.fleet.close()


def fill(raw: redis.Redis, count: int, job_class: str = "app.Job", key: str = "retry") -> None:
    raw.zadd(key, {failed(f"{job_class}{n:04}", job_class): NOW_S - 50 + n / 1000 for n in range(count)})


def test_a_preview_counts_and_shows_three(scene: Scene, raw: redis.Redis) -> None:
    fill(raw, 150)
    fill(raw, 5, "Other")
    seen = scene.data.preview("retries", "delete", q="class:app.Job")
    assert (seen.count, seen.is_exact, len(seen.samples), seen.must_type) == (150, True, 3, "delete")
    assert seen.cutoff_at == NOW_S
    assert scene.data.preview("retries", "retry", q="class:app.Job").must_type == ""


def test_a_preview_of_a_large_set_says_about(scene: Scene, raw: redis.Redis) -> None:
    for start in range(0, 24_000, 1000):
        raw.zadd("retry", {failed(f"j{n:05}", "Odd" if n % 2 else "Even"): n for n in range(start, start + 1000)})
    seen = scene.data.preview("retries", "retry", q="class:Odd")
    assert (seen.is_exact, seen.searched, seen.total) == (False, 20_000, 24_000)
    assert seen.count == 12_000


def test_retrying_pushes_all_that_fit_and_no_others(scene: Scene, raw: redis.Redis) -> None:
    fill(raw, 1500)
    fill(raw, 3, "Other")
    started = scene.data.bulk_start("retries", "retry", q="class:app.Job", actor="ana")
    assert (started.state, started.moved) == ("running", 0)
    done = scene.data.bulk_run(started.bulk_id)
    assert (done.state, done.moved, done.looked_at, done.done_share) == ("done", 1500, 1503, 1.0)
    assert (raw.zcard("retry"), raw.llen("queue:default")) == (3, 1500)
    assert json.loads(raw.lindex("queue:default", -1))["retry_count"] == -1


def test_jobs_of_the_schedule_keep_their_count(scene: Scene, raw: redis.Redis) -> None:
    raw.zadd("schedule", {payload("a", at=NOW_S + 99): NOW_S + 99})
    scene.data.bulk_run(scene.data.bulk_start("scheduled", "retry", actor="ana").bulk_id)
    assert "retry_count" not in json.loads(raw.lindex("queue:default", 0))


def test_killing_moves_to_the_dead(scene: Scene, raw: redis.Redis) -> None:
    fill(raw, 20)
    scene.data.bulk_run(scene.data.bulk_start("retries", "kill", actor="ana").bulk_id)
    assert (raw.zcard("retry"), raw.zcard("dead")) == (0, 20)


def test_what_was_deleted_can_be_put_back(scene: Scene, raw: redis.Redis) -> None:
    fill(raw, 1200)
    before = raw.zrange("retry", 0, -1, withscores=True)
    done = scene.data.bulk_run(scene.data.bulk_start("retries", "delete", actor="ana").bulk_id)
    assert (raw.zcard("retry"), done.undo_id != "") == (0, True)
    (row,) = scene.data.undoables().rows
    assert (row.undo_id, row.count, row.name) == (done.undo_id, 1200, "retry")
    assert scene.data.undo(done.undo_id).moved == 1200
    assert raw.zrange("retry", 0, -1, withscores=True) == before


def test_what_came_after_the_confirmation_is_left_alone(scene: Scene, raw: redis.Redis) -> None:
    cutoff = NOW_S - 30
    raw.zadd("retry", {failed("old", failed_at=NOW_MS - 60_000): NOW_S + 5})
    raw.zadd("retry", {failed("new", failed_at=NOW_MS - 10_000): NOW_S + 5})
    raw.zadd("retry", {failed("again", retry_count=1, retried_at=NOW_MS - 10_000): NOW_S + 5})
    done = scene.data.bulk_run(scene.data.bulk_start("retries", "delete", cutoff_at=cutoff, actor="ana").bulk_id)
    assert done.moved == 1
    assert {json.loads(member)["jid"] for member in raw.zrange("retry", 0, -1)} == {"new", "again"}


@pytest.mark.parametrize(("key", "name"), [("dead", "dead"), ("schedule", "scheduled")])
def test_the_cutoff_of_the_other_sets(scene: Scene, raw: redis.Redis, key: str, name: str) -> None:
    raw.zadd(key, {payload("old", created_at=NOW_MS - 60_000): NOW_S - 60})
    raw.zadd(key, {payload("new", created_at=NOW_MS - 10_000): NOW_S - 10})
    start = scene.data.bulk_start
    done = scene.data.bulk_run(start(name, "delete", cutoff_at=NOW_S - 30, actor="ana").bulk_id)  # type: ignore[arg-type]
    assert done.moved == 1
    assert b"new" in raw.zrange(key, 0, -1)[0]


def test_a_count_that_has_changed_a_lot_is_refused(scene: Scene, raw: redis.Redis) -> None:
    fill(raw, 300)
    with pytest.raises(CountChanged, match="200 jobs were shown, and now 300 match"):
        scene.data.bulk_start("retries", "delete", expected_count=200, actor="ana")
    assert raw.exists("pl:bulks") == 0
    assert scene.data.bulk_start("retries", "delete", expected_count=290, actor="ana").total == 300


def test_one_operation_at_a_time_for_each_person(scene: Scene, raw: redis.Redis) -> None:
    fill(raw, 3)
    first = scene.data.bulk_start("retries", "retry", actor="ana")
    with pytest.raises(BulkBusy):
        scene.data.bulk_start("retries", "kill", actor="ana")
    assert scene.data.bulk_start("retries", "kill", actor="bob").state == "running"
    scene.data.bulk_run(first.bulk_id)
    assert scene.data.bulk_start("retries", "kill", actor="ana").state == "running"


@pytest.mark.parametrize(("name", "action"), [("retries", "explode"), ("dead", "kill"), ("retries", "")])
def test_other_actions_are_refused(scene: Scene, name: str, action: str) -> None:
    with pytest.raises(ConfigError, match="action"):
        scene.data.bulk_start(name, action, actor="ana")  # type: ignore[arg-type]


def test_an_operation_can_be_stopped_and_gone_on_with(scene: Scene, raw: redis.Redis) -> None:
    fill(raw, 3500)
    bulk_id = scene.data.bulk_start("retries", "retry", actor="ana").bulk_id
    other = threading.Thread(target=_stop_when_it_moves, args=(raw, scene, bulk_id))
    other.start()
    stopped = scene.data.bulk_run(bulk_id)
    other.join()
    assert stopped.state in ("stopped", "done")
    done = scene.data.bulk_run(bulk_id)
    assert (done.state, done.moved, raw.zcard("retry"), raw.llen("queue:default")) == ("done", 3500, 0, 3500)


def _stop_when_it_moves(raw: redis.Redis, scene: Scene, bulk_id: str) -> None:
    while raw.zcard("retry") == 3500:
        pass
    scene.data.bulk_stop(bulk_id)


def test_one_that_nobody_carries_out_says_so_and_can_be_gone_on_with(scene: Scene, raw: redis.Redis) -> None:
    fill(raw, 30)
    bulk_id = scene.data.bulk_start("retries", "retry", actor="ana").bulk_id
    scene.later(STALLED_AFTER_S + 1)
    report = scene.data.bulk(bulk_id).report
    assert report is not None
    assert report.state == "stalled"
    assert scene.data.retries(view="list").bulk[0].state == "stalled"
    assert scene.data.bulk_run(bulk_id).moved == 30


def test_one_that_nobody_carries_out_can_be_stopped(scene: Scene, raw: redis.Redis) -> None:
    fill(raw, 30)
    bulk_id = scene.data.bulk_start("retries", "retry", actor="ana").bulk_id
    scene.later(STALLED_AFTER_S + 1)
    assert scene.data.bulk_stop(bulk_id).state == "stopped"
    assert raw.zcard("retry") == 30


def test_two_do_not_carry_out_the_same(scene: Scene, raw: redis.Redis) -> None:
    fill(raw, 30)
    bulk_id = scene.data.bulk_start("retries", "retry", actor="ana").bulk_id
    raw.set(f"pl:bulk:{bulk_id}:lease", "somebody")
    assert scene.data.bulk_run(bulk_id).moved == 0
    assert raw.zcard("retry") == 30


def test_looking_at_it_changes_nothing(scene: Scene, raw: redis.Redis) -> None:
    fill(raw, 30)
    bulk_id = scene.data.bulk_start("retries", "retry", actor="ana").bulk_id
    scene.later(STALLED_AFTER_S + 1)
    before = raw.hgetall("pl:bulks")
    scene.data.bulk(bulk_id)
    assert raw.hgetall("pl:bulks") == before


def test_an_unknown_operation(scene: Scene, raw: redis.Redis) -> None:
    raw.hset("pl:bulks", "odd", "{broken")
    for bulk_id in ("nope", "odd"):
        assert scene.data.bulk(bulk_id).report is None
        with pytest.raises(NoSuchBulk):
            scene.data.bulk_run(bulk_id)


def test_old_operations_are_forgotten(scene: Scene, raw: redis.Redis) -> None:
    fill(raw, 3)
    first = scene.data.bulk_start("retries", "retry", actor="ana").bulk_id
    scene.later(90_000)
    scene.data.bulk_start("retries", "retry", actor="bob")
    assert raw.hexists("pl:bulks", first) == 0


def test_what_cannot_be_pushed_is_told_and_left(scene: Scene, raw: redis.Redis) -> None:
    raw.zadd("retry", {failed("a"): 1.0, b"{broken": 2.0, failed("b", queue=[1]): 3.0})
    done = scene.data.bulk_run(scene.data.bulk_start("retries", "retry", actor="ana").bulk_id)
    assert (done.moved, done.refused, len(done.reasons)) == (1, 2, 2)
    assert raw.zcard("retry") == 2


def test_words_that_are_hidden_from_whoever_began_choose_nothing(scene: Scene, raw: redis.Redis) -> None:
    raw.zadd("retry", {failed("a", args=["4111"]): 1.0})
    begun = scene.data.bulk_start("retries", "retry", q="args:4111", actor="ana", redact=HIDE_ALL)
    assert (scene.data.bulk_run(begun.bulk_id).moved, raw.zcard("retry")) == (0, 1)
    begun = scene.data.bulk_start("retries", "retry", q="args:4111", actor="ana")
    assert (scene.data.bulk_run(begun.bulk_id).moved, raw.zcard("retry")) == (1, 0)


def test_hidden_words_choose_nothing(redis_url: str, raw: redis.Redis) -> None:
    scene = Scene(redis_url)
    raw.zadd("retry", {failed("a", args=["4111"]): 1.0})
    data = scene.with_redact(HIDE_ALL)
    done = data.bulk_run(data.bulk_start("retries", "delete", q="args:4111", actor="ana").bulk_id)
    assert (done.moved, raw.zcard("retry")) == (0, 1)
    scene.fleet.close()
