"""Jobs that compute."""

from __future__ import annotations

from bench.full.roster import Contestant
from bench.full.scenario import Figure, Scenario, Sizes, drained
from bench.full.stage import Run, Stage

COUNT = 500
LOOPS = 50_000  # some milliseconds of Python


def run(stage: Stage, contestant: Contestant, sizes: Sizes) -> dict[str, float]:
    """All queued before the start."""
    count = sizes.pick(min(COUNT, sizes.scaled(contestant)), min(sizes.jobs, 100))
    with Run(stage, contestant, count) as busy:
        busy.client("fill", "cpu", count, LOOPS)
        busy.start()
        return {"rate": count / drained(busy, count)}


SCENARIO = Scenario(
    "cpu",
    "Jobs that compute",
    f"{COUNT} jobs (100 for rq) that count to {LOOPS:,}, concurrency 10, one worker process on its cores: where it is "
    "one core, this shows what the system takes beside the jobs. Ruby runs the same loop in Ruby.",
    {"rate": Figure("jobs/s", digits=1, floor="bare-loop")},
    run,
    rounds=7,
    peer_rounds=4,  # their ratios moved by up to 50 % between runs of two rounds
    cell_s=1.7,
)
