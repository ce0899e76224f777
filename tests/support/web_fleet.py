"""A fleet in Redis for the pages of the dashboard: jobs as Ruby and Pillion write them, processes, metrics."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterable
from typing import Any

import redis
from services import Watch

from pillion.api.fleet import Fleet
from pillion.config import Config, RedisConfig
from pillion.storage.ops import metrics as metric_ops
from pillion.web.data.data import Data
from pillion.web.data.redaction import Redact
from pillion.wire import keys, rollup
from pillion.wire.rollup import Counts

NOW_S = 1795312020.0  # a whole minute: 2026-11-22 01:47 UTC
NOW_MS = int(NOW_S * 1000)
WEB = "web1:311:a1b2c3d4e5f6"


class Scene:
    """Data on a Redis, with a clock that the test moves."""

    def __init__(self, url: str, **settings: Any) -> None:
        self.clock = Watch(NOW_S)
        self.fleet = Fleet(Config(redis=RedisConfig(url=url), **settings), clock=self.clock)
        self.data = Data(self.fleet)

    def with_redact(self, redact: Redact) -> Data:
        """The same for those who may not see all."""
        return Data(self.fleet, redact=redact)

    def later(self, seconds: float = 11.0) -> None:
        """Let time pass, so that nothing is answered from memory."""
        self.clock.now_s += seconds


def dumps(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def payload(jid: str, job_class: str = "app.Job", queue: str = "default", **more: Any) -> bytes:
    """A job as Sidekiq 8 and Pillion write it: times are whole milliseconds."""
    fields = {"retry": True, "queue": queue, "args": [1], "class": job_class, "jid": jid, "created_at": NOW_MS - 60_000}
    return dumps({**fields, "enqueued_at": NOW_MS - 60_000, **more})


def failed(
    jid: str, job_class: str = "app.Job", error: str = "KeyError", message: str = "no key", **more: Any
) -> bytes:
    """A job that failed a minute ago."""
    facts = {"error_message": message, "error_class": error, "failed_at": NOW_MS - 60_000, "retry_count": 0}
    return payload(jid, job_class, **{**facts, **more})


def ruby6(jid: str, job_class: str = "RubyJob", **more: Any) -> bytes:
    """A failed job as Sidekiq 6 leaves it: times are seconds with fractions, keys in another order."""
    fields = {"class": job_class, "args": [7, "eur"], "retry": 5, "queue": "default", "backtrace": True, "jid": jid}
    times = {"created_at": NOW_S - 90.25, "enqueued_at": NOW_S - 80.5, "failed_at": NOW_S - 70.125}
    errors = {"error_message": "execution expired", "error_class": "Timeout::Error", "retry_count": 1}
    lines = ["/app/pay.rb:81:in `charge'", "/gems/net-http/net/http.rb:9:in `open'"]
    return dumps({**fields, **times, **errors, "retried_at": NOW_S - 10.5, "error_backtrace": packed(lines), **more})


def active_job(jid: str, job_class: str, arguments: list[Any], **more: Any) -> bytes:
    """A job of Rails' Active Job."""
    inner = {"job_class": job_class, "job_id": "6a1", "arguments": arguments, "executions": 0, "locale": "en"}
    fields = {"retry": True, "queue": "default", "wrapped": job_class, "args": [inner], "jid": jid}
    return dumps(
        {**fields, "class": "Sidekiq::ActiveJob::Wrapper", "created_at": NOW_MS, "enqueued_at": NOW_MS, **more}
    )


def packed(lines: list[str]) -> str:
    """A backtrace in a payload."""
    return base64.b64encode(zlib.compress(dumps(lines))).decode()


def enqueue(raw: redis.Redis, queue: str, *payloads: bytes) -> None:
    """Push jobs; the first one runs first."""
    raw.sadd("queues", queue)
    if payloads:
        raw.lpush(f"queue:{queue}", *payloads)


def add_process(raw: redis.Redis, identity: str = WEB, queues: Iterable[str] = ("default",), **more: Any) -> str:
    """A live process; it is Sidekiq's unless it is an owner of jobs."""
    info = {
        "hostname": identity.split(":")[0],
        "pid": 311,
        "tag": "shop",
        "labels": [],
        "queues": list(queues),
        "started_at": NOW_S - 3600,
        "version": "8.1.7",
        "embedded": False,
        "identity": identity,
    }
    fields = {"concurrency": 5, "busy": 0, "beat": NOW_S, "quiet": "false", "rss": 81_920, "rtt_us": 400}
    info.update({name: more.pop(name) for name in list(more) if name in info})
    raw.sadd("processes", identity)
    raw.hset(identity, mapping={"info": json.dumps(info), **fields, **more})
    return identity


def run(raw: redis.Redis, identity: str, thread: str, job: bytes, since_s: float = 30.0) -> None:
    """Let a process run a job."""
    entry = {"queue": json.loads(job).get("queue"), "payload": job.decode(), "run_at": int(NOW_S - since_s)}
    raw.hset(f"{identity}:work", thread, dumps(entry))


def mark_deploy(raw: redis.Redis, label: str, ago_s: float) -> None:
    """Mark a deploy of some time ago, to the minute."""
    at_s = NOW_S - ago_s
    (day,) = rollup.days(at_s, at_s)
    raw.hset(keys.deploy_marks(day), rollup.label(at_s, 60), label)


def count_runs(fleet: Fleet, job_class: str, minutes_ago: int, *, ran: int = 0, failed: int = 0, ms: int = 100) -> None:
    """Metrics of a minute: `ran` runs that went well, in about 100 ms each, and failed ones."""
    histogram = [0] * 26
    histogram[5] = ran
    for op in metric_ops.add({job_class: Counts(failed, ran * ms, histogram)}, NOW_S - 60 * minutes_ago):
        fleet.storage.run(op)
