"""What a worker costs that has nothing to do, and its memory before and after work."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from bench.full.redis_cost import Cost
from bench.full.roster import Contestant
from bench.full.scenario import Figure, Scenario, Sizes, drained
from bench.full.stage import Run, Stage
from bench.machine import cpu_s

WARM = 50
SETTLE_S = 2.0
IDLE_S = 30  # a multiple of what they do now and then: Pillion every 10 and 15 s, Sidekiq every 5 s


def run(stage: Stage, contestant: Contestant, sizes: Sizes) -> dict[str, float]:
    """Idle after a few jobs, then after many."""
    count = max(WARM, sizes.scaled(contestant))
    with Run(stage, contestant, count) as worker:
        worker.client("fill", "noop", WARM)
        worker.start()
        drained(worker, WARM)
        time.sleep(SETTLE_S)
        idle = memory_mb(worker.families())
        cost = idle_cost(stage, worker, sizes.pick(IDLE_S, 5))
        worker.ledger.runs[:WARM] = worker.ledger.finished[:WARM] = bytes(WARM)
        worker.client("fill", "noop", count)
        drained(worker, count)
        time.sleep(1)
        loaded = memory_mb(worker.families())
        return {
            **{f"{name}_idle": value for name, value in idle.items()},
            **{f"{name}_load": value for name, value in loaded.items()},
            **cost,
        }


def idle_cost(stage: Stage, worker: Run, seconds: int) -> dict[str, float]:
    """Redis commands and processor time while nothing is to be done."""
    cost, before = Cost(stage.client), processor_s(worker.members())
    time.sleep(seconds)
    spent = processor_s(worker.members()) - before
    return {"commands": cost.total()["commands"] / seconds, "cpu": 100 * spent / seconds}


def processor_s(pids: Sequence[int]) -> float:
    """Processor time so far of those that are still there."""
    total = 0.0
    for pid in pids:
        with suppress(OSError):
            total += cpu_s(pid)
    return total


def memory_mb(families: Sequence[Sequence[int]]) -> dict[str, float]:
    """RSS and PSS of all processes together, and the RSS of the worker. PSS counts a shared page once.

    Without the ledger: it is the benchmark's, and grows with the jobs.
    """
    found = {pid: own_kb(pid) for members in families for pid in members}
    return {
        "rss": sum(each["Rss:"] for each in found.values()) / 1024,
        "pss": sum(each["Pss:"] for each in found.values()) / 1024,
        "worker": max(found[pid]["Rss:"] for members in families for pid in may_run_jobs(members)) / 1024,
    }


def may_run_jobs(members: Sequence[int]) -> Sequence[int]:
    """The descendants of a process that was started, or itself if it has none: a master runs no jobs.

    Where several can, the largest is the worker. With each contestant this is one that has the ledger in use.
    """
    return members[1:] or members


def own_kb(pid: int) -> dict[str, int]:
    """RSS and PSS of one process, mapping by mapping."""
    sizes = {"Rss:": 0, "Pss:": 0}
    is_ledger = False
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
            name, size = line.split()[:2]
            if not name.endswith(":"):  # the head of a mapping: its addresses, and what is mapped
                is_ledger = line.endswith(".ledger")
            elif name in sizes and not is_ledger:
                sizes[name] += int(size)
    return sizes


SCENARIO = Scenario(
    "footprint",
    "Idle cost and memory",
    "All processes of a contestant together, supervisors too, concurrency 10. Idle is after 50 jobs and 2 seconds; "
    "*worker* is the process that runs the jobs: the largest of the children of what was started, without their master "
    "or supervisor, or what was started itself where it has no children. Commands and CPU are counted for "
    f"{IDLE_S} seconds.",
    {
        "worker_idle": Figure("MB RSS of the worker, idle", less_is_better=True, digits=1, floor="bare-loop"),
        "worker_load": Figure("MB RSS of the worker, after load", less_is_better=True, digits=1, floor="bare-loop"),
        "pss_idle": Figure("MB PSS idle", less_is_better=True, digits=1, floor="bare-loop"),
        "pss_load": Figure("MB PSS after load", less_is_better=True, digits=1, floor="bare-loop"),
        "rss_idle": Figure("MB RSS idle", less_is_better=True, digits=1, floor="bare-loop"),
        "rss_load": Figure("MB RSS after load", less_is_better=True, digits=1, floor="bare-loop"),
        "commands": Figure("Redis commands/s idle", less_is_better=True, digits=1, floor="bare-loop"),
        "cpu": Figure("% CPU idle", less_is_better=True, digits=2),
    },
    run,
    rounds=2,
    peer_rounds=1,
    cell_s=35.5,
)
