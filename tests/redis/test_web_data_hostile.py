"""Whatever is in Redis, no page fails, and what deceives the eye is replaced."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from typing import Any

import pytest
import redis
from web_fleet import NOW_S, WEB, Scene, add_process, dumps, enqueue, failed, mark_deploy, payload, run

from pillion.wire import keys, rollup

NASTY = 'a\x00b\x1b[31mc\u202ed\u2066e\x85f</script>"&\ud800'


@pytest.fixture
def scene(redis_url: str) -> Iterator[Scene]:
    made = Scene(redis_url)
    yield made
    made.fleet.close()


KEYS = (
    *("processes", "queues", "paused", "dear-leader", "retry", "dead", "schedule", "queue:mail"),
    *("pl:audit", "pl:trash", "pl:bulks", "stat:processed", WEB, f"{WEB}:work"),
)
PAGES: dict[str, Callable[[Any], Any]] = {
    "dashboard": lambda data: data.dashboard(),
    "busy": lambda data: data.busy(),
    "queues": lambda data: data.queues(),
    "queue": lambda data: data.queue("mail"),
    "scheduled": lambda data: data.scheduled(),
    "retries": lambda data: data.retries(view="list"),
    "groups": lambda data: data.retries(view="groups"),
    "dead": lambda data: data.dead(view="list"),
    "job": lambda data: data.job("abc", place="retries", at=5.0),
    "metrics": lambda data: data.metrics(),
    "metrics_job": lambda data: data.metrics_job("X"),
    "search": lambda data: data.search("a"),
    "audit": lambda data: data.audit(),
    "undoables": lambda data: data.undoables(),
    "bulk": lambda data: data.bulk("x"),
    "health": lambda data: data.health(),
}


def texts(value: Any, but: frozenset[str] = frozenset()) -> Iterator[str]:
    """Every text in a page, without the fields that are exactly as stored."""
    if isinstance(value, str):
        yield value
    elif is_dataclass(value):
        for each in fields(value):
            if (type(value).__name__, each.name) not in EXACT:
                yield from texts(getattr(value, each.name))
    elif isinstance(value, dict):
        yield from (text for pair in value.items() for part in pair for text in texts(part))
    elif isinstance(value, tuple | list):
        yield from (text for part in value for text in texts(part))


EXACT = {("QueueRow", "name"), ("ProcessRow", "identity"), ("ProcessRow", "queues"), ("CapsuleRow", "queues"),
         ("Cure", "params"), ("Cure", "fields"), ("Place", "queue"), ("Place", "process"), ("ErrorGroup", "query"),
         ("JobPage", "group"), ("ClassRow", "job_class"), ("ClassMetricsPage", "job_class"), ("SearchSection", "queue"),
         ("BulkPage", "bulk_id"), ("Cure", "explain"), ("Reason", "advice")}  # fmt: skip


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("key", KEYS)
def test_a_key_of_a_wrong_type_breaks_no_page(scene: Scene, raw: redis.Redis, name: str, key: str) -> None:
    add_process(raw)
    enqueue(raw, "mail", payload("abc"))
    raw.delete(key)
    if key == "dear-leader":
        raw.lpush(key, "x")
    elif key == "stat:processed":
        raw.set(key, "many")
    else:
        raw.set(key, "text")
    PAGES[name](scene.data)


@pytest.mark.parametrize("name", PAGES)
def test_signs_that_deceive_are_nowhere(scene: Scene, raw: redis.Redis, name: str) -> None:
    nasty = NASTY.encode("utf-8", "replace").decode()
    escaped = failed(
        "abc", nasty, nasty, nasty, args=[nasty], tags=[nasty], queue=nasty, note=nasty, cattr={nasty: nasty}
    )
    half = failed("abc", "HALF", "HALF", "HALF", args=["HALF"], tags=["HALF"]).replace(b"HALF", b"\\ud800")
    for key in ("retry", "dead", "schedule"):
        raw.zadd(key, {escaped: 5.0, half: 6.0, nasty.encode(): 7.0})
    enqueue(raw, "mail", escaped, half, nasty.encode())
    add_process(raw, tag=nasty, labels=[nasty], version=nasty, hostname=nasty)
    run(raw, WEB, nasty, escaped)
    raw.hset(keys.rollup(rollup.minute(NOW_S - 60)), mapping={f"{nasty}|p": 5, f"{nasty}|f": 5, f"{nasty}|ms": 5})
    mark_deploy(raw, nasty, 120)
    raw.xadd("pl:audit", {"who": nasty, "action": nasty, "target": nasty, nasty: nasty})
    page = PAGES[name](scene.data)
    for text in texts(page):
        assert not set(text) & set("\x00\x1b\u202e\u2066\x85\ud800"), text
        text.encode()


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize(
    "value", [b"", b"null", b"[]", b'"text"', b"5", b"{}", b"{", b"\x80\x81", b'{"args":' + b"[" * 5000]
)
def test_bytes_that_are_no_job_break_no_page(scene: Scene, raw: redis.Redis, name: str, value: bytes) -> None:
    for key in ("retry", "dead", "schedule"):
        raw.zadd(key, {value: 5.0})
    enqueue(raw, "mail", value)
    add_process(raw)
    raw.hset(f"{WEB}:work", "t1", value)
    raw.hset("pl:bulks", "x", value)
    PAGES[name](scene.data)


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("value", [None, True, -1, 1e400, 10**400, "x", [1], {"a": 1}, "9" * 30])
def test_fields_of_any_type_break_no_page(scene: Scene, raw: redis.Redis, name: str, value: Any) -> None:
    keys = (
        *("retry", "queue", "args", "class", "created_at", "enqueued_at", "failed_at", "retried_at", "retry_count"),
        *("error_class", "error_message", "error_backtrace", "tags", "wrapped", "bid", "cattr", "encrypt"),
    )
    job = (
        payload("abc", **dict.fromkeys(keys, value))
        if value != 1e400
        else failed("abc", failed_at=1).replace(b":1,", b":1e400,")
    )
    for key in ("retry", "dead", "schedule"):
        raw.zadd(key, {job: 5.0})
    enqueue(raw, "mail", job)
    identity = add_process(raw, busy="x", beat="x", concurrency="x", rss="x", rtt_us="x")
    raw.hset(
        f"{identity}:work",
        "t1",
        dumps({"queue": value, "payload": job.decode(), "run_at": value}) if value != 1e400 else b"{}",
    )
    PAGES[name](scene.data)


@pytest.mark.parametrize("name", PAGES)
def test_times_far_away_break_no_page(scene: Scene, raw: redis.Redis, name: str) -> None:
    for score in (float("-inf"), float("inf"), -1.0, 1e18):
        for key in ("retry", "dead", "schedule"):
            raw.zadd(key, {failed(f"j{score}", failed_at=-(2**60), created_at=2**62): score})
    PAGES[name](scene.data)


@pytest.mark.parametrize("name", PAGES)
def test_very_large_entries_do_not_break_a_page_nor_come_along(scene: Scene, raw: redis.Redis, name: str) -> None:
    job = failed("abc", args=["x" * 2_000_000])
    for key in ("retry", "dead", "schedule"):
        raw.zadd(key, {job: 5.0})
    enqueue(raw, "mail", job)
    add_process(raw)
    run(raw, WEB, "t1", job)
    page = PAGES[name](scene.data)
    assert sum(map(len, texts(page))) < 20_000


@pytest.mark.parametrize("name", PAGES)
def test_looking_changes_nothing(scene: Scene, raw: redis.Redis, name: str) -> None:
    add_process(raw)
    raw.sadd("processes", "gone:1:a")
    enqueue(raw, "mail", payload("abc"))
    raw.zadd("retry", {failed("abc"): 5.0})
    raw.zadd("dead", {failed("old"): 1.0})
    raw.zadd("pl:trash", {"expired": NOW_S - 10})
    before = {key: (raw.dump(key), raw.ttl(key)) for key in raw.scan_iter()}
    PAGES[name](scene.data)
    assert {key: (raw.dump(key), raw.ttl(key)) for key in raw.scan_iter()} == before


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_one_round_trip(scene: Scene, raw: redis.Redis, name: str) -> None:
    """What is sent: one packet, with scripts that Redis knows by then."""
    add_process(raw)
    enqueue(raw, "mail", payload("abc"))
    raw.zadd("retry", {failed("abc"): 5.0})
    PAGES[name](scene.data)
    scene.later(61)
    packets: list[int] = []
    storage = scene.fleet.storage
    run_all = storage.run_all

    def counted(ops: Any) -> list[Any]:
        packets.append(len(ops))
        found: list[Any] = run_all(ops)
        return found

    def never(op: Any) -> Any:
        raise AssertionError(op)

    storage.run_all, storage.run, storage.transaction = counted, never, never
    PAGES[name](scene.data)
    assert len(packets) == 1
