"""Jobs for later: how much later than that do they start?"""

from __future__ import annotations

from bench.full.roster import Contestant, Order
from bench.full.scenario import Figure, Scenario, Sizes, drained, lateness_ms
from bench.full.stage import Run, Stage


def run(stage: Stage, contestant: Contestant, sizes: Sizes) -> dict[str, float]:
    """Pushed while the worker runs; due in the seconds after."""
    count = sizes.pick(300, 40)
    with Run(stage, contestant, count, Order(scheduled=True)) as later:
        later.start()
        later.client("fill", "noop", 1)  # it is up when this has run
        later.wait(1)
        later.ledger.runs[0] = later.ledger.finished[0] = 0
        later.client("schedule", "noop", count)
        drained(later, count)
        return lateness_ms(later, count) | {"early": early_percent(later, count)}


def early_percent(later: Run, count: int) -> float:
    """The share of jobs that started over a millisecond before they were due."""
    pairs = zip(later.ledger.first[:count], later.ledger.pushed[:count], strict=True)
    return 100 * sum(first < due - 0.001 for first, due in pairs) / count


SCENARIO = Scenario(
    "schedule",
    "Scheduled jobs, lateness",
    "300 jobs, each due at a moment of its own within 4 seconds, on an otherwise idle worker with its default interval "
    "of looking. dramatiq and celery take such jobs into the worker's memory at once, which makes them punctual. A "
    "negative lateness is a job that started before it was due.",
    {
        "p50": Figure("ms late, p50", less_is_better=True),
        "p99": Figure("ms late, p99", less_is_better=True),
        "early": Figure("% started too early", less_is_better=True),
    },
    run,
    rounds=5,
    peer_rounds=3,
    cell_s=7.2,
)
