"""`python -m bench.growth`: does anything get slower as the queue, or the number of queues, grows?

Both depths are measured in turns, over the same number of jobs, so that a machine that drifts does it
to both. The workers stay up all the time and are held still while it is not their turn.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence

from bench.__main__ import machine, note, ratio
from bench.contestants import HERE, THREADS
from bench.figures import percentile, spread
from bench.machine import PrivateRedis, cpu_s, family, rss_mb, stop, until
from pillion.client import Client
from pillion.config import Config, RedisConfig
from pillion.storage.connect import open_target
from pillion.storage.target import resolve_url

BATCH = 1000
SMALL = 10_000


class Producer:
    """A client of the private Redis, as an app has one."""

    def __init__(self, server: PrivateRedis) -> None:
        settings = RedisConfig(url=f"unix://{server.socket}")
        self._client = Client(open_target(resolve_url(settings, {}), settings), Config())

    def push(self, count: int, queues: Sequence[str] = ("default",)) -> float:
        """Push no-op jobs in batches of 1,000, spread over the queues; return jobs per second."""
        began = time.perf_counter()
        for start in range(0, count, BATCH):
            size = min(BATCH, count - start)
            self._client.push_many(
                [{"class": "Noop", "args": [n], "queue": queues[n % len(queues)]} for n in range(start, start + size)]
            )
        return count / (time.perf_counter() - began)

    def push_one(self, name: str, queue: str) -> None:
        """Push one job."""
        self._client.push({"class": name, "args": [time.time()], "queue": queue})


def start_worker(server: PrivateRedis, queues: Sequence[str]) -> subprocess.Popen[bytes]:
    """One worker process that serves these queues."""
    flags = [part for queue in queues for part in ("-q", queue)]
    return subprocess.Popen(
        [sys.executable, "-m", "pillion", "run", "bench.jobs", "-c", str(THREADS), *flags],
        env=server.environ, cwd=HERE.parent, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


class Drain:
    """A worker on a queue of its own that is stopped (SIGSTOP) except while it is timed."""

    def __init__(self, server: PrivateRedis, queues: Sequence[str]) -> None:
        self._server = server
        self._process = start_worker(server, queues)
        known = server.client.scard("processes")
        until(lambda: server.client.scard("processes") > known)
        self._worker = family(self._process.pid)[-1]
        os.kill(self._worker, signal.SIGSTOP)

    def rate(self, count: int) -> float:
        """Jobs per second over the next `count` jobs of its queue."""
        goal = processed(self._server) + count
        began = time.perf_counter()
        os.kill(self._worker, signal.SIGCONT)
        until(lambda: processed(self._server) >= goal)
        taken_s = time.perf_counter() - began
        os.kill(self._worker, signal.SIGSTOP)
        return count / taken_s

    def close(self) -> None:
        """End it."""
        os.kill(self._worker, signal.SIGCONT)
        stop(self._process)


def processed(server: PrivateRedis) -> int:
    """How many jobs have been settled."""
    return int(server.client.get("stat:processed") or 0)


def deep_queue(server: PrivateRedis, producer: Producer, depth: int, rounds: int) -> None:
    """Enqueue and drain rates of a queue of 10,000 and a deep one, in turns."""
    server.client.flushall()
    producer.push(depth, ["deep"])
    drains = {"shallow": Drain(server, ["shallow"]), "deep": Drain(server, ["deep"])}
    enqueued: dict[str, list[float]] = {name: [] for name in drains}
    drained: dict[str, list[float]] = {name: [] for name in drains}
    try:
        for number in range(1, rounds + 1):
            note(f"10,000 jobs of 10,000 and of {depth:,}, round {number} of {rounds}")
            for name, worker in drains.items():
                enqueued[name].append(producer.push(SMALL, [name]))
                drained[name].append(worker.rate(SMALL))
    finally:
        server.client.delete("queue:deep")
        for worker in drains.values():
            worker.close()
    print(f"{'queued':>10}   {'enqueue, jobs/s':<32} drain, jobs/s")
    for name, size in (("shallow", SMALL), ("deep", depth)):
        print(f"{size:>10,}   {spread(enqueued[name]):<32} {spread(drained[name])}")
    pairs = [ratio(rates["deep"], rates["shallow"]) for rates in (enqueued, drained)]
    print(f"deep / shallow, pair by pair: enqueue {pairs[0]}, drain {pairs[1]}\n", flush=True)


def whole_push(server: PrivateRedis, producer: Producer, total: int) -> None:
    """The rate of one producer from the first job to the last, in ten parts."""
    note(f"one producer, {total:,} jobs")
    server.client.flushall()
    rates = [producer.push(total // 10) for _ in range(10)]
    memory_mb = int(server.client.info("memory")["used_memory"]) / 1_000_000
    print(f"one producer, {total:,} jobs in ten parts: " + " ".join(f"{rate:,.0f}" for rate in rates))
    print(f"last part / first part {rates[-1] / rates[0]:.2f};  Redis holds {memory_mb:,.0f} MB\n", flush=True)


def many_queues(server: PrivateRedis, producer: Producer, count: int, rounds: int) -> None:
    """One process that serves `count` queues, beside one that serves one."""
    many = [f"queue-{number}" for number in range(count)]
    print(f"{'queues':>10}   {'drain, jobs/s':<32} {'push to start, ms':<46} idle")
    for queues in (["default"], many):
        note(f"{len(queues)} queues")
        server.client.flushall()
        worker = Drain(server, queues)
        rates: list[float] = []
        for _ in range(rounds):
            producer.push(SMALL, queues)
            rates.append(worker.rate(SMALL))
        worker.close()
        busy, rested, idle = beside_idle_queues(server, producer, queues)
        figures = f"p50 {percentile(busy, 0.5):.1f}, p99 {percentile(busy, 0.99):.1f}; rested {rested[-1]:.0f} at worst"
        print(f"{len(queues):>10}   {spread(rates):<32} {figures:<46} {idle}", flush=True)


def beside_idle_queues(
    server: PrivateRedis, producer: Producer, queues: Sequence[str]
) -> tuple[list[float], list[float], str]:
    """Push to start of jobs pushed one by one, 10 ms and 1 s apart, and what the process costs when idle."""
    server.client.flushall()
    process = start_worker(server, queues)
    try:
        until(lambda: server.client.scard("processes"))
        time.sleep(2)
        commands, cpu = _commands(server), sum(map(cpu_s, family(process.pid)))
        time.sleep(5)
        commands, cpu = _commands(server) - commands - 1, sum(map(cpu_s, family(process.pid))) - cpu
        busy = lateness(server, producer, queues, count=200, pause_s=0.01)
        rested = lateness(server, producer, queues, count=16, pause_s=1.0)
        rss = rss_mb(family(process.pid)[-1])
        return busy, rested, f"{commands / 5:.1f} commands/s, {100 * cpu / 5:.1f} % CPU, {rss:.0f} MB"
    finally:
        stop(process)


def lateness(
    server: PrivateRedis, producer: Producer, queues: Sequence[str], *, count: int, pause_s: float
) -> list[float]:
    """Milliseconds from push to start, sorted."""
    server.client.delete("bench:lateness")
    for number in range(count):
        time.sleep(pause_s * (1 + number % 8 / 16))  # not in step with anything that polls
        producer.push_one("Lateness", queues[number * 7 % len(queues)])
        until(lambda number=number: server.client.llen("bench:lateness") > number)
    return sorted(float(value) * 1000 for value in server.client.lrange("bench:lateness", 0, -1))


def _commands(server: PrivateRedis) -> int:
    return int(server.client.info("stats")["total_commands_processed"])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.growth", description=__doc__)
    parser.add_argument("--depth", type=int, default=1_000_000, help="the deepest queue")
    parser.add_argument("--queues", type=int, default=200, help="queues in one process")
    parser.add_argument("--rounds", type=int, default=15, help="rounds of each figure")
    options = parser.parse_args()
    print(f"{machine()}; one worker process, {THREADS} threads; median (smallest to largest)\n", flush=True)
    with PrivateRedis() as server:
        producer = Producer(server)
        whole_push(server, producer, options.depth)
        deep_queue(server, producer, options.depth, options.rounds)
        many_queues(server, producer, options.queues, options.rounds)


if __name__ == "__main__":
    main()
