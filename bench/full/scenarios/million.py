"""A million jobs, one after the other, by one worker: does it slow down, does its memory grow? Pillion only."""

from __future__ import annotations

from bench.full.roster import PILLION, Contestant
from bench.full.scenario import Figure, Scenario, Sizes
from bench.full.scenarios.footprint import memory_mb
from bench.full.scenarios.growth import fill
from bench.full.stage import Run, Stage

PARTS = 10


def run(stage: Stage, contestant: Contestant, sizes: Sizes) -> dict[str, float]:
    """Look at it after the first tenth and at the end."""
    count = sizes.pick(1_000_000, max(sizes.jobs, 1000))
    with Run(stage, contestant, count) as worker:
        fill(stage, count)
        worker.start()
        worker.wait(count // PARTS)
        early = memory_mb(worker.families())
        worker.wait(count)
        late = memory_mb(worker.families())
        worker.check(count)
        ends = sorted(worker.ledger.last[:count])
        begin, part = min(worker.ledger.first[:count]), count // PARTS
        return {
            "whole": count / (ends[-1] - begin),
            "first": part / (ends[part - 1] - begin),
            "last": part / (ends[-1] - ends[-part - 1]),
            "rss_first": early["rss"],
            "rss_last": late["rss"],
            "worker_first": early["worker"],
            "worker_last": late["worker"],
        }


SCENARIO = Scenario(
    "million",
    "A million jobs in one go",
    "A million no-op jobs queued, one worker process: the rate of all, of the first and of the last tenth, and the RSS "
    "after the first tenth and after the last: of supervisor and worker together, and of the worker alone."
    " It is the process that runs the jobs.",
    {
        "whole": Figure("jobs/s, all"),
        "first": Figure("jobs/s, the first tenth"),
        "last": Figure("jobs/s, the last tenth"),
        "rss_first": Figure("MB RSS of all, after the first tenth", less_is_better=True, digits=1),
        "rss_last": Figure("MB RSS of all, after the last tenth", less_is_better=True, digits=1),
        "worker_first": Figure("MB RSS of the worker, after the first tenth", less_is_better=True, digits=1),
        "worker_last": Figure("MB RSS of the worker, after the last tenth", less_is_better=True, digits=1),
    },
    run,
    who=(PILLION.name,),
    rounds=2,
    cell_s=5.8,
)
