"""An idle worker gets a job now and then: how long until it starts?"""

from __future__ import annotations

from bench.full.roster import Contestant
from bench.full.scenario import Figure, Scenario, Sizes, drained, lateness_ms
from bench.full.stage import Run, Stage

WARM = 20


def run(stage: Stage, contestant: Contestant, sizes: Sizes) -> dict[str, float]:
    """One job at a time; the first ones only wake everything up."""
    count = sizes.pick(contestant.pings, min(contestant.pings, 30))
    with Run(stage, contestant, max(count, WARM)) as warm:
        warm.start()
        warm.client("fill", "noop", WARM)
        drained(warm, WARM)
        warm.ledger.runs[:WARM] = warm.ledger.finished[:WARM] = bytes(WARM)
        warm.client("ping", "noop", count)
        drained(warm, count)
        return lateness_ms(warm, count)


SCENARIO = Scenario(
    "latency",
    "Push to start, idle worker",
    "One waiting worker process, jobs pushed one at a time, 20 to 50 ms after the one before started; 300 of them for "
    "Pillion and Sidekiq, 80 for the others, 20 for arq, which looks every half second.",
    {
        "p50": Figure("ms, p50", less_is_better=True, digits=2, floor="bare-loop"),
        "p99": Figure("ms, p99", less_is_better=True, digits=2, floor="bare-loop"),
    },
    run,
    peer_rounds=2,
    cell_s=7.5,
)
