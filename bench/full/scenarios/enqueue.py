"""One producer: how many jobs a second it can push, one by one and by the thousand."""

from __future__ import annotations

from collections.abc import Callable

from bench.full.redis_cost import pipelined
from bench.full.roster import Contestant
from bench.full.scenario import Figure, Scenario, Sizes, drained
from bench.full.stage import Run, Stage


def pushed(mode: str, most: int) -> Callable[[Stage, Contestant, Sizes], dict[str, float]]:
    """Push, then run what was pushed: a push counts only if its job is there."""

    def run_once(stage: Stage, contestant: Contestant, sizes: Sizes) -> dict[str, float]:
        count = min(sizes.scaled(contestant), most)
        with Run(stage, contestant, count) as run:
            taken_s = run.client(mode, "noop", count)
            run.start()
            drained(run, count)
            return {"rate": count / taken_s}

    return run_once


def one_by_one(stage: Stage, sizes: Sizes) -> dict[str, float]:
    """LPUSH by redis-benchmark, one after the other."""
    return {"rate": pipelined(stage, "lpush", sizes.pick(100_000, 5_000), pipeline=1)}


def in_pipelines(stage: Stage, sizes: Sizes) -> dict[str, float]:
    """LPUSH by redis-benchmark, a thousand in a pipeline."""
    return {"rate": pipelined(stage, "lpush", sizes.pick(1_000_000, 20_000), pipeline=1000)}


FIGURES = {"rate": Figure("jobs/s", floor="redis LPUSH")}
SCENARIOS = (
    Scenario(
        "single",
        "Enqueue, one by one",
        "One producer, one thread, one push after the other, each answered before the next. Then a worker runs them.",
        FIGURES,
        pushed("single", 20_000),
        {"redis LPUSH": one_by_one},
    ),
    Scenario(
        "bulk",
        "Enqueue in bulk",
        "One producer that pushes a thousand at a time, where that is offered. Then a worker runs them.",
        FIGURES,
        pushed("bulk", 100_000),
        {"redis LPUSH": in_pipelines},
    ),
)
