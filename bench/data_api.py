"""`python -m bench.data_api`: what each read call of the data API takes with a million jobs in Redis.

Prints the slowest of several calls each, and every command that Redis itself called slow (over 10 ms).
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Iterator
from itertools import islice

from bench.__main__ import machine, note
from bench.machine import PrivateRedis
from pillion.api import (
    DeadSet,
    Doctor,
    Failures,
    Filter,
    Fleet,
    History,
    Metrics,
    ProcessSet,
    Queue,
    RedisInfo,
    RetrySet,
    Stats,
    WorkSet,
)
from pillion.config import Config

SLOW_US = 10_000
LIMIT_MS = 150.0
CALLS = 5
CLASSES = ("Charge", "Mail", "Report", "Thumbnail")
ERRORS = ("TimeoutError", "ConnectionError", "ValueError")


def fill(server: PrivateRedis, queued: int, retries: int) -> None:
    """Jobs that wait and jobs that failed, about 300 and 500 bytes each; 50 processes with 10 jobs each."""
    note(f"{queued:,} jobs queued, {retries:,} to be retried")
    now_s = time.time()
    pipe = server.client.pipeline(transaction=False)
    server.client.sadd("queues", "default", *(f"queue{number}" for number in range(50)))
    for start in range(0, queued, 1000):
        pipe.lpush("queue:default", *(job(number, now_s) for number in range(start, min(start + 1000, queued))))
        pipe.execute()
    for start in range(0, retries, 1000):
        batch = range(start, min(start + 1000, retries))
        pipe.zadd("retry", {job(number, now_s, failed=True): now_s + 3600 + number % 5000 for number in batch})
        pipe.execute()
    for number in range(50):
        register(server, f"host{number}:1:{number:012x}", now_s)


def job(number: int, now_s: float, *, failed: bool = False) -> str:
    """A payload of a usual size."""
    now_ms = int(now_s * 1000)
    body: dict[str, object] = {"retry": True, "queue": "default", "args": [number, "ann@example.org", {"n": "x" * 60}]}
    body |= {"class": CLASSES[number % 4], "jid": f"{number:024x}", "created_at": now_ms, "enqueued_at": now_ms}
    if failed:
        text = f"no answer from 10.0.0.{number % 250} after 5 s, gave up" * 3
        body |= {"error_message": text, "error_class": ERRORS[number % 3], "failed_at": now_ms, "retry_count": 0}
    return json.dumps(body, separators=(",", ":"))


def register(server: PrivateRedis, identity: str, now_s: float) -> None:
    """A worker process with ten running jobs."""
    info = {"hostname": identity.split(":")[0], "started_at": now_s, "pid": 1, "tag": "", "queues": ["default"],
            "labels": [], "identity": identity, "concurrency": 10}  # fmt: skip
    server.client.sadd("processes", identity)
    server.client.hset(identity, mapping={"info": json.dumps(info), "busy": 10, "beat": now_s, "quiet": "false"})
    work = {
        f"t{n}": json.dumps({"queue": "default", "payload": job(n, now_s), "run_at": int(now_s)}) for n in range(10)
    }
    server.client.hset(f"{identity}:work", mapping=work)


def reads(fleet: Fleet) -> Iterator[tuple[str, Callable[[], object]]]:
    """Every call that answers a question: one answer, or one page."""
    queue, retry, dead = Queue("default", fleet=fleet), RetrySet(fleet=fleet), DeadSet(fleet=fleet)
    stats, processes = Stats(fleet=fleet), ProcessSet(fleet=fleet)
    middle = queue.size() // 2
    yield "Stats.read", stats.read
    yield "Stats.queue_summaries", stats.queue_summaries
    yield "History.read", lambda: History(days=180, fleet=fleet).read()
    yield "Queue.size", queue.size
    yield "Queue.latency", queue.latency
    yield "Queue.page, newest", lambda: queue.page(0, 100)
    yield "Queue.page, middle", lambda: queue.page(middle, 100)
    yield "Queue.page, oldest first", lambda: queue.page(0, 100, oldest_first=True)
    yield "Queue.page, 1000 in the middle", lambda: queue.page(middle, 1000)
    yield "Queue.each, first 1000", lambda: list(islice(queue, 1000))
    yield "Queue.find, budget 0.1 s", lambda: queue.find("no such text", budget_s=0.1)
    yield "RetrySet.size", retry.size
    yield "RetrySet.page", lambda: retry.page(size=100)
    yield "RetrySet.page, skipping 100,000", lambda: retry.page(size=100, skip=100_000)
    yield "RetrySet.page, 1000", lambda: retry.page(size=1000)
    yield "RetrySet.each, first 1000", lambda: list(islice(retry, 1000))
    yield "RetrySet.fetch", lambda: retry.fetch(next(iter(retry)).score)
    yield "RetrySet.find, rare", lambda: retry.find(Filter(jid=f"{77_777:024x}"))
    yield "RetrySet.find, common", lambda: retry.find(Filter(error_class="ValueError"))
    yield "RetrySet.scan, first hit", lambda: next(retry.scan("10.0.0.7 "))
    yield "DeadSet.page", lambda: dead.page(size=100)
    yield "ProcessSet.each", lambda: list(processes)
    yield "WorkSet.each", lambda: list(WorkSet(fleet=fleet))
    yield "Metrics.top_jobs", lambda: Metrics(fleet=fleet).top_jobs(minutes=480)
    yield "RedisInfo.snapshot", lambda: RedisInfo(fleet=fleet).snapshot()


def scans(fleet: Fleet) -> Iterator[tuple[str, Callable[[], object]]]:
    """Calls that look at everything there is, page by page: they take what they take, but block nobody."""
    queue, retry = Queue("default", fleet=fleet), RetrySet(fleet=fleet)
    yield "Queue.find_job, not there", lambda: queue.find_job("f" * 24)
    yield "RetrySet.find_job, not there", lambda: retry.find_job("f" * 24)
    yield "RetrySet.scan, nothing", lambda: list(retry.scan("no such text"))
    yield "Failures.groups", lambda: Failures(fleet=fleet).groups()
    yield "Queue.each, all", lambda: sum(1 for _ in queue)
    yield "RetrySet.each, all", lambda: sum(1 for _ in retry)
    yield "Doctor.examine", lambda: Doctor(fleet=fleet).examine()


def measure(calls: Iterator[tuple[str, Callable[[], object]]], times: int) -> dict[str, float]:
    """The slowest of some calls each, in milliseconds, after one that opens connections."""
    slowest: dict[str, float] = {}
    for name, call in calls:
        taken: list[float] = []
        for _ in range(times):
            began = time.perf_counter()
            call()
            taken.append((time.perf_counter() - began) * 1000)
        slowest[name] = max(taken)
        print(f"  {name:<36} {slowest[name]:>10.2f} ms", flush=True)
    return slowest


def main() -> None:
    """Fill a Redis, ask it everything, and say what was slow."""
    parser = argparse.ArgumentParser(prog="python -m bench.data_api", description=__doc__)
    parser.add_argument("--queued", type=int, default=1_000_000)
    parser.add_argument("--retries", type=int, default=200_000)
    options = parser.parse_args()
    with PrivateRedis() as server:
        fill(server, options.queued, options.retries)
        server.client.config_set("slowlog-log-slower-than", SLOW_US)
        server.client.config_set("slowlog-max-len", 1000)
        fleet = Fleet(Config(redis=f"unix://{server.socket}"))
        Queue("default", fleet=fleet).size()
        server.client.slowlog_reset()
        print(f"{machine()}; {os.getloadavg()[0]:.1f} load\n\nOne answer or one page, slowest of {CALLS}:")
        slowest = measure(reads(fleet), CALLS)
        print("\nEverything there is, once:")
        measure(scans(fleet), 1)
        slow = server.client.slowlog_get(100)
        fleet.close()
    late = {name: taken for name, taken in slowest.items() if taken > LIMIT_MS}
    print(f"\nOver {LIMIT_MS:.0f} ms: {late or 'none'}")
    print(f"Commands over {SLOW_US / 1000:.0f} ms by SLOWLOG: {[entry['command'][:60] for entry in slow] or 'none'}")


if __name__ == "__main__":
    main()
