"""Every job fails once."""

from __future__ import annotations

from bench.full.roster import Contestant, Order
from bench.full.scenario import Figure, Scenario, Sizes, drained
from bench.full.stage import Run, Stage

MOST = 5_000


def run(stage: Stage, contestant: Contestant, sizes: Sizes) -> dict[str, float]:
    """From the first failure to the last success."""
    count = sizes.pick(max(100, min(sizes.scaled(contestant) // 4, MOST)), sizes.scaled(contestant))
    with Run(stage, contestant, count, Order(scheduled=True)) as storm:
        storm.client("fill", "fail_once", count)
        storm.start()
        taken_s = drained(storm, count)
        storm.check(count, runs_each=2)
        return {"seconds": taken_s, "rate": count / taken_s, "extra": storm.extra_runs(count, runs_each=2)}


SCENARIO = Scenario(
    "retry",
    "Retry storm",
    "Every job fails once and is to be tried again after 1 s; 5,000 jobs, and fewer for slow contestants, on whom that "
    "second weighs more. Each keeps its own timing: Sidekiq and Pillion add a random part to every delay so that a "
    "storm spreads, and look for due jobs at intervals, which is most of their time here. "
    "Rates are compared; the seconds are of different numbers of jobs.",
    {
        "rate": Figure("jobs/s"),
        "seconds": Figure("s", less_is_better=True, digits=1, is_compared=False),
        "extra": Figure("runs too many", less_is_better=True, is_compared=False),
    },
    run,
    rounds=3,
    cell_s=5.7,
)
