"""One producer: how many jobs a second it can push, one by one and by the thousand."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

from bench.full.redis_cost import pipelined
from bench.full.roster import ROOT, Contestant
from bench.full.scenario import EVERYBODY, Figure, FloorRunner, Scenario, Sizes, drained
from bench.full.stage import Run, Stage

FEWEST = 400  # below that the pushing side of the slowest is over before it can be timed
LPUSH_LOOP = "redis-py LPUSH"


def pushed(mode: str, most: int) -> Callable[[Stage, Contestant, Sizes], dict[str, float]]:
    """Push, then run what was pushed: a push counts only if its job is there."""

    def run_once(stage: Stage, contestant: Contestant, sizes: Sizes) -> dict[str, float]:
        count = min(max(sizes.scaled(contestant), sizes.pick(FEWEST, 100)), most)
        with Run(stage, contestant, count) as run:
            taken_s = run.client(mode, "noop", count)
            run.start()
            drained(run, count)
            return {"rate": count / taken_s}

    return run_once


def redis_alone(pipeline: int, full: int) -> FloorRunner:
    """LPUSH by redis-benchmark, on the core that the clients have."""

    def run_once(stage: Stage, sizes: Sizes) -> dict[str, float]:
        count = sizes.pick(full, 20_000)
        return {"rate": pipelined(stage, "lpush", count, pipeline=pipeline, role="client")}

    return run_once


def redis_py(mode: str, full: int) -> FloorRunner:
    """LPUSH by redis-py of a payload that is ready, on the core that the clients have."""

    def run_once(stage: Stage, sizes: Sizes) -> dict[str, float]:
        count = sizes.pick(full, 5000)
        stage.client.flushall()
        with stage.on(stage.cores("client")):
            command = [sys.executable, "bench/floors.py", stage.server.url, mode, str(count)]
            done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
        return {"rate": count / float(done.stdout)}

    return run_once


FIGURES = {"rate": Figure("jobs/s", floor=LPUSH_LOOP)}
SCENARIOS = (
    Scenario(
        "single",
        "Enqueue, one by one",
        "One producer, one thread, one push after the other, each answered before the next. Then a worker runs them. "
        f"The floor *{LPUSH_LOOP}* is redis-py's own `lpush` in a loop, with a payload that is ready; *redis LPUSH* is "
        "redis-benchmark, one after the other. All of them share a core with Redis.",
        FIGURES,
        pushed("single", 20_000),
        {"redis LPUSH": redis_alone(1, 40_000), LPUSH_LOOP: redis_py("single", 20_000)},
        who=EVERYBODY,
        rounds=5,
        peer_rounds=3,
        cell_s=3.0,
    ),
    Scenario(
        "bulk",
        "Enqueue in bulk",
        "One producer that pushes a thousand at a time, where that is offered. Then a worker runs them. "
        f"The floor *{LPUSH_LOOP}* is a loop over redis-py's pipeline, a thousand `lpush` at a time, with a payload "
        "that is ready; *redis LPUSH* is redis-benchmark with pipelines of a thousand. All share a core with Redis.",
        FIGURES,
        pushed("bulk", 100_000),
        {"redis LPUSH": redis_alone(1000, 1_000_000), LPUSH_LOOP: redis_py("pipeline", 100_000)},
        who=EVERYBODY,
        rounds=7,
        peer_rounds=5,
        cell_s=2.6,
    ),
)
