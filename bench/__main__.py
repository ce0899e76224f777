"""`python -m bench`: Pillion beside Ruby Sidekiq and the bare prototype, ratios first.

Takes two minutes. Without Sidekiq on the PATH (Debian's package ruby-sidekiq) Pillion runs beside the prototype alone.
The figures are also written to bench/out/bench.json. Nothing else should run on the machine meanwhile.

Runs alternate (A B C A B C ...), so that a machine that drifts does it to all; each figure is the
median, with the smallest and largest in brackets. Ratios are of the runs side by side.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from bench.contestants import PILLION, SIDEKIQ, Worker, prototype
from bench.figures import percentile, spread
from bench.machine import PrivateRedis, cpu_s, family, payload, rss_mb, stop, until

IDLE_S = 10.0
OUT = Path(__file__).parent / "out"


def contestants() -> list[Worker]:
    """Those that can run here."""
    if shutil.which("sidekiq"):
        return [PILLION, SIDEKIQ]
    note("no sidekiq on the PATH (apt-get install ruby-sidekiq): Pillion runs beside the prototype alone")
    return [PILLION]


def drains(server: PrivateRedis, workers: Sequence[Worker], jobs: int, rounds: int) -> dict[str, list[float]]:
    """Jobs per second of each contestant, run by run."""
    figures: dict[str, list[float]] = {name: [] for name in ("prototype", *(worker.name for worker in workers))}
    for number in range(1, rounds + 1):
        note(f"drain of {jobs} no-op jobs, round {number} of {rounds}")
        figures["prototype"].append(prototype(server, jobs))
        for worker in workers:
            figures[worker.name].append(worker.drain(server, jobs // 4 if worker is SIDEKIQ else jobs))
    return figures


def lateness(server: PrivateRedis, worker: Worker, pushes: int) -> list[float]:
    """Milliseconds from push to start of `perform`, one waiting process, one push at a time."""
    note(f"push to start, {worker.name}")
    server.client.flushall()
    process = worker.start(server)
    try:
        _push_and_wait(server, 20)  # warm
        server.client.delete("bench:lateness")
        _push_and_wait(server, pushes)
        return sorted(float(value) * 1000 for value in server.client.lrange("bench:lateness", 0, -1))
    finally:
        stop(process)


def _push_and_wait(server: PrivateRedis, pushes: int) -> None:
    for _ in range(pushes):
        known = server.client.llen("bench:lateness")
        server.client.sadd("queues", "default")
        server.client.lpush("queue:default", payload("Lateness", time.time()))
        until(lambda known=known: server.client.llen("bench:lateness") > known)
        time.sleep(0.01)


def idle(server: PrivateRedis, worker: Worker) -> dict[str, float]:
    """What a worker costs that has nothing to do."""
    note(f"idle, {worker.name}")
    server.client.flushall()
    process = worker.start(server)
    try:
        until(lambda: server.client.scard("processes"))
        time.sleep(3)
        before = (_commands(server), sum(map(cpu_s, family(process.pid))))
        time.sleep(IDLE_S)
        after = (_commands(server), sum(map(cpu_s, family(process.pid))))
        members = [rss_mb(pid) for pid in family(process.pid)]
        return {
            "commands_per_s": (after[0] - before[0] - 1) / IDLE_S,
            "cpu_percent": 100 * (after[1] - before[1]) / IDLE_S,
            "worker_rss_mb": members[-1],
            "supervisor_rss_mb": members[0] if len(members) > 1 else 0.0,  # 0: it has none
        }
    finally:
        stop(process)


def _commands(server: PrivateRedis) -> int:
    return int(server.client.info("stats")["total_commands_processed"])


def push_command(server: PrivateRedis, runs: int) -> list[float]:
    """Seconds that `pillion push` takes from the shell."""
    note("pillion push from the shell")
    taken: list[float] = []
    command = [sys.executable, "-m", "pillion", "push", "Noop", "1"]
    for _ in range(runs):
        began = time.perf_counter()
        subprocess.run(command, env=server.environ, check=True, capture_output=True)
        taken.append(time.perf_counter() - began)
    return taken


def ratio(over: Sequence[float], under: Sequence[float]) -> str:
    """Median and range of the ratio, pair by pair."""
    return spread([a / b for a, b in zip(over, under, strict=True)], 2)


def note(text: str) -> None:
    """Say on stderr what is being measured."""
    print(f"... {text}", file=sys.stderr, flush=True)


def main() -> None:
    """Measure, print, and keep the figures in bench/out/bench.json."""
    parser = argparse.ArgumentParser(
        prog="python -m bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--jobs", type=int, default=100_000, help="jobs in a drain (Sidekiq gets a quarter)")
    parser.add_argument("--rounds", type=int, default=3, help="paired rounds of the drain")
    options = parser.parse_args()
    workers = contestants()
    with PrivateRedis() as server:
        rates = drains(server, workers, options.jobs, options.rounds)
        late = {worker.name: lateness(server, worker, 300) for worker in workers}
        costs = {worker.name: idle(server, worker) for worker in workers}
        pushes = push_command(server, 5)
    report(rates, late, costs, pushes)
    OUT.mkdir(exist_ok=True)
    record = {"machine": machine(), "drain_per_s": rates, "lateness_ms": late, "idle": costs, "push_s": pushes}
    (OUT / "bench.json").write_text(json.dumps(record, indent=1))


def machine() -> str:
    """What ran this."""
    return f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"


def report(
    rates: dict[str, list[float]],
    late: dict[str, list[float]],
    costs: dict[str, dict[str, float]],
    pushes: list[float],
) -> None:
    """Print the table."""
    ours, theirs, floor = rates[PILLION.name], rates.get(SIDEKIQ.name), rates["prototype"]
    print(f"\n{machine()}; one worker process, 10 threads, log level WARN")
    print("each figure is the median, with the smallest and the largest run in brackets\n")
    if theirs is not None:
        print(f"no-op drain: Pillion / ruby-sidekiq      {ratio(ours, theirs)}")
    print(f"no-op drain: Pillion / bare prototype    {ratio(ours, floor)}")
    for name, values in rates.items():
        print(f"  {name:14} {spread(values)} jobs/s")
    print("\npush to start of perform, one waiting process")
    for name, values in late.items():
        print(f"  {name:14} p50 {percentile(values, 0.5):.2f} ms   p99 {percentile(values, 0.99):.2f} ms")
    print("\nidle")
    for name, cost in costs.items():
        supervisor = f"   supervisor {cost['supervisor_rss_mb']:.1f} MB" if cost["supervisor_rss_mb"] else ""
        print(
            f"  {name:14} {cost['commands_per_s']:.1f} Redis commands/s   {cost['cpu_percent']:.2f} % CPU   "
            f"worker {cost['worker_rss_mb']:.1f} MB{supervisor}"
        )
    print(f"\n`pillion push` from the shell, from start to exit   {spread(pushes, 3)} s")


if __name__ == "__main__":
    main()
