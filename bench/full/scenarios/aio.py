"""Async jobs that wait 50 ms: 100 and 1,000 at a time beside those who run coroutines, and mixed with sync ones."""

from __future__ import annotations

from collections.abc import Callable

from bench.full.roster import PILLION, Contestant, Order
from bench.full.scenario import Figure, Scenario, Sizes, drained
from bench.full.stage import Run, Stage

WAIT_MS = 50
WHO = (PILLION.name, "arq", "taskiq", "saq", "streaq")
FIGURES = {"rate": Figure("jobs/s"), "of_best": Figure("% of the best possible", digits=1)}
MIXED = 5  # one job in so many is a sync one


def waits(concurrency: int, full: int, kind: str) -> Callable[[Stage, Contestant, Sizes], dict[str, float]]:
    """All queued before the start. The others run coroutines only: what they have for jobs that wait is async."""

    def run(stage: Stage, contestant: Contestant, sizes: Sizes) -> dict[str, float]:
        count = sizes.pick(full, min(sizes.jobs, 2 * concurrency))
        with Run(stage, contestant, count, Order(concurrency=concurrency)) as waiting:
            waiting.client("fill", kind if contestant is PILLION else "sleep_io", count, WAIT_MS)
            waiting.start()
            taken_s = drained(waiting, count)
            best_s = count / concurrency * WAIT_MS / 1000
            return {"rate": count / taken_s, "of_best": 100 * best_s / taken_s}

    return run


SCENARIOS = (
    Scenario(
        "aio",
        "Async jobs that wait 50 ms, 100 at a time",
        "2,000 jobs, queued before the start, one worker process with one event loop, which is asyncio's own.",
        FIGURES,
        waits(100, 2_000, "asleep_io"),
        who=WHO,
        peer_rounds=3,
        cell_s=3.2,
    ),
    Scenario(
        "aio-wide",
        "Async jobs that wait 50 ms, 1,000 at a time",
        "10,000 jobs, else the same. The best possible is 20,000 jobs/s: then what a job costs shows.",
        FIGURES,
        waits(1_000, 10_000, "asleep_io"),
        who=WHO,
        peer_rounds=3,
        cell_s=5.8,
    ),
    Scenario(
        "aio-mixed",
        "Async and sync jobs that wait 50 ms, 500 at a time",
        f"10,000 jobs in one queue, one in {MIXED} sync: about 100 in threads and 400 on the event loop at a time.",
        FIGURES,
        waits(500, 10_000, "mixed_io"),
        who=(PILLION.name,),
        cell_s=1.7,
    ),
)
