"""A Redis with something on every page of the dashboard, and what tests of the dashboard have in common."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Collection
from typing import Any

HOST = "jobs.test"
TOKENS = {role: f"token-of-{role}-{'x' * 20}" for role in ("viewer", "operator", "admin")}

QUEUE = "mail"
RETRY_JID, DEAD_JID, SCHEDULED_JID, QUEUED_JID = (f"{name * 12}{'0' * 12}" for name in "abcd")
IDENTITY = "web1:311:0123456789ab"
JOB_CLASS = "shop.jobs.SendMail"
BIG = 9007199254740993  # 2**53 + 1: what JavaScript cannot hold


def job(jid: str, **more: Any) -> dict[str, Any]:
    """A payload as Ruby or Pillion writes it."""
    now_ms = int(time.time() * 1000)
    return {
        "retry": True,
        "queue": QUEUE,
        "args": [BIG, "a@example.com", {"secret": "hunter2"}],
        "class": JOB_CLASS,
        "jid": jid,
        "created_at": now_ms,
        "enqueued_at": now_ms,
    } | more


def failed(jid: str, **more: Any) -> dict[str, Any]:
    """A payload that failed once."""
    error = {"error_class": "TimeoutError", "error_message": "no answer within 30 s", "retry_count": 0}
    return job(jid, failed_at=int(time.time() * 1000), **(error | more))


def fill(raw: Any) -> None:
    """Put jobs into queue, schedule, retries and dead, and a process that runs one."""
    now_s = time.time()
    raw.sadd("queues", QUEUE, "low")
    raw.lpush(f"queue:{QUEUE}", json.dumps(job(QUEUED_JID)))
    raw.zadd("retry", {json.dumps(failed(RETRY_JID)): now_s + 60})
    raw.zadd("dead", {json.dumps(failed(DEAD_JID, retry_count=25)): now_s - 60})
    raw.zadd("schedule", {json.dumps(job(SCHEDULED_JID)): now_s + 3600})
    raw.mset({"stat:processed": 1204331, "stat:failed": 912})
    info = {"hostname": "web1", "started_at": now_s - 60, "pid": 311, "tag": "shop", "concurrency": 10}
    info |= {"queues": [QUEUE], "labels": [], "identity": IDENTITY, "version": "0.1.0", "embedded": False}
    raw.sadd("processes", IDENTITY)
    raw.hset(
        IDENTITY,
        mapping={"info": json.dumps(info), "busy": 1, "beat": now_s, "quiet": "false", "rss": 1000, "rtt_us": 400},
    )
    run = {"queue": QUEUE, "payload": json.dumps(job("e" * 24)), "run_at": int(now_s)}
    raw.hset(f"{IDENTITY}:work", "t1", json.dumps(run))


def digest(raw: Any, *, without: Collection[str] = ()) -> str:
    """Of all data, and of what expires: what DEBUG DIGEST says where that is allowed. `without` these keys."""
    found = hashlib.sha256()
    for key in sorted(set(raw.keys("*")) - {name.encode() for name in without}):
        found.update(repr((key, _content(raw, key), raw.ttl(key) > 0)).encode())
    return found.hexdigest()


def _content(raw: Any, key: bytes) -> Any:
    match raw.type(key):
        case b"set":
            return sorted(raw.smembers(key))
        case b"hash":
            return sorted(raw.hgetall(key).items())
        case b"zset":
            return raw.zrange(key, 0, -1, withscores=True)
        case b"list":
            return raw.lrange(key, 0, -1)
        case b"stream":
            return raw.xrange(key)
        case _:
            return raw.get(key)


PLACES = {
    "queue": QUEUE,
    "set": "retries",
    "jid": RETRY_JID,
    "job_class": JOB_CLASS,
    "identity": IDENTITY,
    "bulk_id": "nobody",
    "undo_id": "nobody",
}
