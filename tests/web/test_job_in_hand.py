"""A job that a process has just taken: no beat tells of it yet, and its page finds it all the same."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from engine import Engine
from web_fleet import WEB, Scene, add_process, enqueue, failed, payload, run

from pillion.storage.ops import reap
from pillion.storage.ops.base import script
from pillion.web.data.redaction import HIDE_ALL
from pillion.wire import keys

WORKER = "host:1:abc"


@pytest.fixture
def scene(redis_url: str) -> Iterator[Scene]:
    made = Scene(redis_url)
    yield made
    made.fleet.close()


def take(raw: redis.Redis, job: bytes, queue: str = "default", identity: str = WORKER, *, lives: bool = True) -> None:
    """Let a process have a job in flight, as a fetch leaves it."""
    raw.hset(keys.OWNERS, identity, json.dumps({"queues": [queue]}))
    raw.hset(keys.inflight(queue, identity), str(raw.hlen(keys.inflight(queue, identity)) + 1), job)
    if lives:
        raw.set(keys.alive(identity), 1)


def places(page: Any) -> list[tuple[str, str, str]]:
    return [(place.state, place.queue, place.process) for place in page.places]


def test_a_job_that_a_real_engine_runs_is_found_before_any_beat(scene: Scene, storage: Any, raw: redis.Redis) -> None:
    began, may_end = threading.Event(), threading.Event()
    engine = Engine(storage, WORKER)
    engine.job("app.Job", lambda _number: (began.set(), may_end.wait(60)))
    storage.run(reap.register(WORKER, b'{"queues":["default"]}'))
    enqueue(raw, "default", payload("abc"))
    try:
        engine.start()
        assert began.wait(60)
        page = scene.data.job("abc")
        assert page.job is not None
        assert places(page) == [("running", "default", WORKER)]
        assert page.timeline[-1].code == "running"
    finally:
        may_end.set()
        engine.stop()


def test_a_job_that_was_moved_to_an_idle_process_is_found(scene: Scene, raw: redis.Redis) -> None:
    take(raw, payload("other"))
    raw.lpush(keys.waiting("default", WORKER), payload("abc"))
    assert places(scene.data.job("abc")) == [("running", "default", WORKER)]


def test_a_job_in_the_hands_of_a_dead_process_goes_back_soon(scene: Scene, raw: redis.Redis) -> None:
    take(raw, payload("abc"), lives=False)
    assert places(scene.data.job("abc")) == [("held", "default", WORKER)]


def test_a_job_that_a_beat_tells_of_runs_once(scene: Scene, raw: redis.Redis) -> None:
    take(raw, payload("abc"), identity=WEB)
    add_process(raw)
    run(raw, WEB, "t1", payload("abc"))
    page = scene.data.job("abc")
    assert [(place.process, place.thread) for place in page.places] == [(WEB, "t1")]


def test_it_is_found_in_the_crowd(scene: Scene, raw: redis.Redis) -> None:
    for number in range(230):
        take(raw, payload(f"other{number}"), queue=f"q{number % 7}", identity=f"host:{number}:abc")
    take(raw, payload("abc"), queue="q9", identity="host:150:abc")
    for number in range(2000):
        raw.hset(keys.inflight("q9", "host:150:abc"), f"more{number}", payload(f"more{number}"))
    assert places(scene.data.job("abc")) == [("running", "q9", "host:150:abc")]


def test_a_jid_with_signs_of_its_own_is_found(scene: Scene, raw: redis.Redis) -> None:
    job = json.dumps({"class": "A", "args": [], "jid": 'é"/1', "queue": "default"}).encode()
    take(raw, job)
    assert places(scene.data.job('é"/1')) == [("running", "default", WORKER)]


def test_a_jid_in_the_arguments_of_another_is_not_it(scene: Scene, raw: redis.Redis) -> None:
    take(raw, payload("other", args=[{"jid": "abc"}]))
    assert scene.data.job("abc").job is None


def test_a_large_job_in_hand_comes_with_its_ends(scene: Scene, raw: redis.Redis) -> None:
    take(raw, payload("abc", args=["x" * 2_000_000]))
    page = scene.data.job("abc")
    assert places(page) == [("running", "default", WORKER)]
    assert page.job is not None
    assert page.job.size_bytes > 2_000_000


@pytest.mark.parametrize(
    "record", [b"", b"[]", b'{"queues":7}', b'{"queues":[7,null,"default"]}', b"\xff", b"[" * 5000]
)
def test_a_broken_record_of_an_owner_hides_no_other(scene: Scene, raw: redis.Redis, record: bytes) -> None:
    take(raw, payload("abc"))
    raw.hset(keys.OWNERS, "broken:1:a", record)
    raw.set(keys.inflight("default", "broken:1:a"), "no hash")
    assert places(scene.data.job("abc")) == [("running", "default", WORKER)]


def test_owners_of_a_wrong_type_break_no_page(scene: Scene, raw: redis.Redis) -> None:
    raw.set(keys.OWNERS, "x")
    raw.zadd("retry", {failed("abc"): 5.0})
    assert [place.state for place in scene.data.job("abc").places] == ["retrying"]


def test_what_may_not_be_seen_is_not_shown_in_hand_either(scene: Scene, raw: redis.Redis) -> None:
    take(raw, payload("abc", args=["secret"]))
    page = scene.with_redact(HIDE_ALL).job("abc")
    assert page.job is not None
    assert page.job.args.is_hidden


# -- while it moves --------------------------------------------------------------------------------------


def move_after(scene: Scene, packets: int, move: Any) -> list[int]:
    """Let a job move as soon as the answer to that packet is known; returns the packets, as they are counted."""
    storage, sent = scene.fleet.storage, list[int]()
    run_all = storage.run_all

    def moving(ops: Any) -> Any:
        found = run_all(ops)
        sent.append(len(ops))
        if len(sent) == packets:
            move()
        return found

    storage.run_all = moving
    return sent


def test_a_job_that_was_missed_while_it_moved_is_found_by_a_second_look(scene: Scene, raw: redis.Redis) -> None:
    sent = move_after(scene, 1, lambda: raw.zadd("retry", {failed("abc"): 5.0}))
    assert [place.state for place in scene.data.job("abc", place="retries", at=4.0).places] == ["retrying"]
    assert len(sent) == 2


def test_who_is_found_at_once_is_not_looked_for_again(scene: Scene, raw: redis.Redis) -> None:
    take(raw, payload("abc"))
    sent = move_after(scene, 0, None)
    assert scene.data.job("abc").job is not None
    assert len(sent) == 1


def test_the_looks_go_the_way_of_a_job(scene: Scene, raw: redis.Redis) -> None:
    """Sets, then queues, then hands: who goes on between two looks is met by the next one."""
    names = {script(name).sha: name for name in ("web_look", "web_in_hand", "web_works")}
    packets: list[list[str]] = []
    storage, run_all = scene.fleet.storage, scene.fleet.storage.run_all

    def noted(ops: Any) -> Any:
        packets.append([names.get(str(op.command[1]), "") for op in ops])
        return run_all(ops)

    storage.run_all = noted
    scene.data.job("abc")
    first = packets[0]
    assert max(i for i, name in enumerate(first) if name == "web_look") < first.index("web_in_hand")
    assert first.index("web_in_hand") < first.index("web_works")


# -- on the page -----------------------------------------------------------------------------------------


def test_the_page_says_who_has_taken_it(dash: Any, raw: redis.Redis) -> None:
    take(raw, payload("abc"))
    page = dash().client().get("/jobs/abc")
    assert page.status_code == 200
    assert f"taken by {WORKER}, no beat since" in page.text


def test_the_json_has_it_too(dash: Any, raw: redis.Redis) -> None:
    take(raw, payload("abc"))
    place = dash().client().get("/api/v1/jobs/abc").json()["job"]["place"]
    assert (place["state"], place["process"], place["queue"]) == ("running", WORKER, "default")
