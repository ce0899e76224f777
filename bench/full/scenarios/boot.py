"""From the command line to the first job."""

from __future__ import annotations

from bench.full.roster import Contestant
from bench.full.scenario import Figure, Scenario, Sizes
from bench.full.stage import Run, Stage


def run(stage: Stage, contestant: Contestant, sizes: Sizes) -> dict[str, float]:
    """One job waits."""
    with Run(stage, contestant, 1) as first:
        first.client("fill", "noop", 1)
        began = first.start()
        first.wait(1)
        return {"seconds": first.ledger.first[0] - began}


SCENARIO = Scenario(
    "boot",
    "Boot to first job",
    "A job is queued; from starting the command to the start of that job.",
    {"seconds": Figure("s", less_is_better=True, digits=2, floor="bare-loop")},
    run,
    rounds=7,
    peer_rounds=4,
    cell_s=0.5,
)
