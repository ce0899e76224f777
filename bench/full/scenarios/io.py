"""Jobs that wait for something: 50 ms each, a hundred at a time."""

from __future__ import annotations

from bench.full.roster import PROCESS_LIMIT, Contestant, Order
from bench.full.scenario import Figure, Scenario, Sizes, drained
from bench.full.stage import Run, Stage

WAIT_MS = 50


def run(stage: Stage, contestant: Contestant, sizes: Sizes) -> dict[str, float]:
    """All queued before the start."""
    full = 2000 if contestant.most_slots > PROCESS_LIMIT else 400
    count = sizes.pick(full, min(sizes.jobs, 200))
    with Run(stage, contestant, count, Order(concurrency=100)) as waiting:
        waiting.client("fill", "sleep_io", count, WAIT_MS)
        waiting.start()
        taken_s = drained(waiting, count)
        best_s = count / waiting.order.concurrency * WAIT_MS / 1000
        return {"rate": count / taken_s, "of_best": 100 * best_s / taken_s}


SCENARIO = Scenario(
    "io",
    "Jobs that wait 50 ms, 100 at a time",
    f"2,000 jobs, queued before the start, one worker process. Contestants that need a process for each slot have "
    f"{PROCESS_LIMIT} slots instead of 100, and 400 jobs; the share of the best possible is of their own slots.",
    {
        "rate": Figure("jobs/s", floor="bare-loop"),
        "of_best": Figure("% of the best possible", digits=1),
    },
    run,
    peer_rounds=5,
    cell_s=3.1,
)
