"""Fills an empty Redis with a fleet in trouble, as an operator may find it at three in the morning.

    python examples/dashboard/sample_fleet.py redis://localhost:6379/5

Nothing works here: it writes what workers and pushes would have written. The processes stay alive for a minute.
Erases nothing, and refuses a database that holds something.
"""

from __future__ import annotations

import itertools
import json
import math
import random
import sys
import time
from datetime import UTC, datetime
from typing import Any

import redis

from pillion.storage.ops import metrics
from pillion.wire import histogram, keys, rollup
from pillion.wire.backtrace import compress
from pillion.wire.rollup import Counts

DICE = random.Random(7)
MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86_400
DEPLOYED_S = 29 * MINUTE_S  # that long ago
FAILING_S = 27 * MINUTE_S
JIDS = (f"{DICE.getrandbits(96):024x}" for _ in itertools.count())
TRACE = [
    "/usr/lib/python3.11/http/client.py:287:in 'begin'",
    "/srv/shop/payments.py:81:in 'charge'",
    "/srv/shop/jobs.py:12:in 'perform'",
]

Payload = dict[str, Any]


def payload(job_class: str, args: list[Any], queue: str, created_s: float, **more: Any) -> Payload:
    """A job as a client writes it."""
    moment = math.floor(created_s * 1000)
    return {
        "class": job_class,
        "args": args,
        "jid": next(JIDS),
        "queue": queue,
        "retry": True,
        "created_at": moment,
        "enqueued_at": moment,
        **more,
    }


def failed(job: Payload, error: str, message: str, first_s: float, last_s: float, tries: int) -> Payload:
    """The same after it failed."""
    more: Payload = {
        "error_class": error,
        "error_message": message,
        "failed_at": math.floor(first_s * 1000),
        "retry_count": tries - 1,
    }
    if tries > 1:
        more["retried_at"] = math.floor(last_s * 1000)
    return {**job, **more, "error_backtrace": compress(TRACE)}


def fill(client: redis.Redis, now_s: float) -> None:
    """All of it, at the moment `now_s` (epoch seconds)."""
    with client.pipeline(transaction=False) as pipe:
        for part in (totals, queues, failures, dead, schedule, minutes, deploys, audit):
            part(pipe, now_s)
        pipe.execute()
    beat(client, now_s)


def totals(pipe: Any, now_s: float) -> None:
    """Thirty days of history."""
    for ago in range(30):
        day = datetime.fromtimestamp(now_s - ago * DAY_S, UTC).date()
        weekend = 0.55 if day.weekday() >= 5 else 1.0
        processed = int((34_000 + 5_000 * math.sin(ago * 1.7)) * weekend)
        pipe.set(keys.stat_day(keys.STAT_PROCESSED, day), processed)
        pipe.set(keys.stat_day(keys.STAT_FAILED, day), 1_730 if ago == 0 else DICE.randint(20, 160))
    pipe.set(keys.STAT_PROCESSED, 1_204_331)
    pipe.set(keys.STAT_FAILED, 4_912)


def queues(pipe: Any, now_s: float) -> None:
    """One that nobody serves, one that is busy, one that is paused, one that is empty."""
    sizes = {
        "mail": (12_001, 680),
        "default": (410, 2),
        "critical": (60, 38),
        "low": (9, 3 * HOUR_S),
        "reports": (0, 0),
    }
    jobs = {
        "mail": ("MailJob", lambda n: [f"order_{4000 + n}", "shipped", {"locale": "de"}]),
        "default": ("ThumbnailJob", lambda n: [f"s3://pictures/{n}.jpg", 640]),
        "critical": ("PaymentJob", lambda n: [880 + n, "eur"]),
        "low": ("DigestJob", lambda n: [n]),
    }
    for name, (size, oldest_s) in sizes.items():
        pipe.sadd(keys.QUEUES, name)
        job_class, args = jobs.get(name, jobs["low"])
        for number in range(size):
            waited_s = oldest_s * (1 - number / size)
            job = payload(job_class if number % 9 else "DigestJob", args(number), name, now_s - waited_s)
            pipe.lpush(keys.queue(name), json.dumps(job))
    pipe.sadd(keys.PAUSED, "low")


def failures(pipe: Any, now_s: float) -> None:
    """198 of one error since the deploy, and a few of every day."""
    for number in range(198):
        first_s = now_s - FAILING_S * (1 - number / 198)
        last_s = min(now_s - 5, first_s + 600)
        tags = {"tags": ["checkout"]} if number % 5 == 0 else {}
        job = payload("PaymentJob", [880 + number, "eur", {"shop": "berlin"}], "critical", first_s - 30, **tags)
        message = f"no answer from pay.example after 30 s (order {5000 + number})"
        job = failed(job, "TimeoutError", message, first_s, last_s, 1 + number % 4)
        pipe.zadd(keys.RETRY, {json.dumps(job): now_s + 240 + 17 * number})
    for number in range(12):
        first_s = now_s - 3 * DAY_S - number * HOUR_S
        job = payload("ReportJob", [f"2026-11-{number + 1:02d}"], "reports", first_s)
        job = failed(job, "KeyError", "'invoice_id'", first_s, now_s - number * HOUR_S - 900, 11)
        pipe.zadd(keys.RETRY, {json.dumps(job): now_s + 9000 + 900 * number})
    for number in range(4):
        first_s = now_s - 5 * HOUR_S
        job = payload("MailJob", [f"order_{number}", "paid"], "mail", first_s)
        job = failed(job, "SMTPServerDisconnected", "Connection unexpectedly closed", first_s, now_s - 2 * HOUR_S, 4)
        pipe.zadd(keys.RETRY, {json.dumps(job): now_s + 4000 + number})


def dead(pipe: Any, now_s: float) -> None:
    """Those that were given up."""
    for number in range(57):
        died_s = now_s - DAY_S * (1 + 2.9 * number)
        job = payload("LegacyImportJob" if number % 3 else "ReportJob", [number], "low", died_s - 20 * DAY_S)
        job = failed(
            job,
            "ValueError",
            f"line {number * 7}: expected 12 columns, got {number % 11}",
            died_s - 20 * DAY_S,
            died_s,
            26,
        )
        pipe.zadd(keys.DEAD, {json.dumps(job): died_s})


def schedule(pipe: Any, now_s: float) -> None:
    """Digests every few minutes, and reminders for the next days."""
    for number in range(1_020):
        due_s = now_s + 200 + (number % 12) * 5 * MINUTE_S + (number // 12) * (3 if number < 360 else HOUR_S)
        job = payload("DigestJob" if number % 4 else "ReminderJob", [number], "low", now_s - 600)
        del job["enqueued_at"]
        pipe.zadd(keys.SCHEDULE, {json.dumps(job): due_s})


def minutes(pipe: Any, now_s: float) -> None:
    """What ran in each minute of the last hours."""
    classes = {
        "PaymentJob": (70, 900.0),
        "MailJob": (400, 85.0),
        "ThumbnailJob": (260, 240.0),
        "ReportJob": (2, 41_000.0),
        "DigestJob": (30, 130.0),
        "ReminderJob": (12, 30.0),
    }
    for minute in range(3 * 60):
        at_s = now_s - minute * MINUTE_S
        counts = {name: one_minute(name, runs, time_ms, minute) for name, (runs, time_ms) in classes.items()}
        for op in metrics.add(counts, at_s):
            pipe.execute_command(*op.args)


def one_minute(name: str, runs: int, time_ms: float, minute: int) -> Counts:
    """The counts of a class in the minute so many minutes ago."""
    runs = max(1, int(runs * (1 + 0.25 * math.sin(minute / 9) + DICE.uniform(-0.1, 0.1))))
    is_failing = name == "PaymentJob" and minute * MINUTE_S < FAILING_S
    if name == "MailJob" and minute < 11:
        runs = 0  # nobody serves its queue
    failures = int(runs * 0.42) if is_failing else int(runs * 0.003)
    row = [0] * histogram.BUCKETS
    spent_ms = 0.0
    for _ in range(runs - failures):
        took_ms = DICE.lognormvariate(math.log(time_ms * (3 if is_failing else 1)), 0.5)
        row[histogram.bucket_of(took_ms)] += 1
        spent_ms += took_ms
    return Counts(failures, int(spent_ms), row)


def deploys(pipe: Any, now_s: float) -> None:
    """Two deploys; the second began it."""
    for ago_s, label in ((150 * MINUTE_S, "9c81d07 search"), (DEPLOYED_S, "a1b2c3d checkout")):
        moment = datetime.fromtimestamp(now_s - ago_s, UTC)
        for op in metrics.set_mark(moment.date(), rollup.label(moment.timestamp(), MINUTE_S), label):
            pipe.execute_command(*op.args)


def audit(pipe: Any, now_s: float) -> None:
    """What people did."""
    entries = (
        (3 * HOUR_S, "ben", "operator", "queue_pause", "low", "", 1, "done"),
        (2 * HOUR_S, "ana", "admin", "bulk_delete", "dead", "class:OldJob", 1_204, "done"),
        (95 * MINUTE_S, "ben", "operator", "set_retry", "retries", "", 3, "done"),
        (20 * MINUTE_S, "carl", "viewer", "queue_clear", "mail", "", 0, "refused"),
    )
    for ago_s, who, role, action, target, words, count, result in entries:
        fields = {
            "who": who,
            "role": role,
            "action": action,
            "target": target,
            "filter": words,
            "count": count,
            "result": result,
            "address": "10.0.0.7",
        }
        pipe.xadd(
            keys.AUDIT,
            {name: str(value) for name, value in fields.items()},
            id=f"{math.floor((now_s - ago_s) * 1000)}-0",
        )


PROCESSES = (
    ("web1:311:9c01", "shop", ["api"], "8.1.7", {"default": 2, "critical": 3}, 10, 9, 410, 420, 3 * DAY_S, False),
    ("py2:872:ab77", "shop", [], "0.1.0", {"critical": 0, "default": 0, "low": 0}, 20, 12, 236, 380, 4 * HOUR_S, False),
    ("py3:873:17fe", "shop", [], "0.1.0", {"default": 0, "reports": 0}, 20, 16, 241, 440, 4 * HOUR_S, False),
    ("old1:40:0b9d", "shop", ["v4"], "0.0.9", {"low": 0}, 10, 1, 198, 9_100, 9 * DAY_S, True),
)


def beat(client: redis.Redis, now_s: float) -> None:
    """The heartbeat of the processes, and what they run."""
    running = (
        ("PaymentJob", [881, "eur"], "critical", 3),
        ("ThumbnailJob", ["s3://pictures/7.jpg", 640], "default", 0.4),
        ("ReportJob", ["2026-11-21"], "reports", 250),
    )
    with client.pipeline() as pipe:
        for identity, tag, labels, version, weights, slots, busy, rss_mb, rtt_us, up_s, is_quiet in PROCESSES:
            host, pid, _ = identity.split(":")
            info = {
                "hostname": host,
                "pid": int(pid),
                "tag": tag,
                "labels": labels,
                "version": version,
                "started_at": now_s - up_s,
                "identity": identity,
                "concurrency": slots,
                "queues": list(weights),
                "weights": [weights],
                "embedded": False,
            }
            if version != "8.1.7":
                pipe.hset(keys.OWNERS, identity, json.dumps({"queues": list(weights)}))
                pipe.set(keys.alive(identity), "1", ex=keys.PROCESS_TTL_S)
            pipe.sadd(keys.PROCESSES, identity)
            pipe.hset(
                identity,
                mapping={
                    "info": json.dumps(info),
                    "concurrency": slots,
                    "busy": busy,
                    "beat": now_s - 3,
                    "quiet": "true" if is_quiet else "false",
                    "rss": rss_mb * 1024,
                    "rtt_us": rtt_us,
                },
            )
            pipe.expire(identity, keys.PROCESS_TTL_S)
            for number in range(busy):
                is_long = number == 0 and "reports" in weights
                job_class, args, queue, since_s = running[2 if is_long else number % 2]
                job = payload(job_class, args, queue, now_s - since_s - 1)
                work = {"queue": queue, "payload": json.dumps(job), "run_at": math.floor(now_s - since_s)}
                pipe.hset(keys.work(identity), f"t{number}", json.dumps(work))
            pipe.expire(keys.work(identity), keys.PROCESS_TTL_S)
        pipe.execute()


def main() -> None:
    """Fill the Redis that the command line names."""
    client = redis.Redis.from_url(sys.argv[1])
    if client.dbsize():
        sys.exit("This database is not empty. Give one that is, such as redis://localhost:6379/5.")
    fill(client, time.time())
    print("Filled. Look at it with: REDIS_URL=... pillion web")


if __name__ == "__main__":
    main()
