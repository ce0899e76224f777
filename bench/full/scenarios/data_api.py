"""What the data API's read calls take with a million jobs in Redis. Pillion only."""

from __future__ import annotations

from bench.data_api import CALLS, fill, measure, reads
from bench.full.roster import PILLION, Contestant
from bench.full.scenario import Scenario, Sizes
from bench.full.stage import Stage
from pillion.api import Fleet, Queue
from pillion.config import Config


def run(stage: Stage, contestant: Contestant, sizes: Sizes) -> dict[str, float]:
    """The slowest of some calls each."""
    queued = sizes.pick(1_000_000, max(sizes.jobs, 1000))
    stage.client.flushall()
    fill(stage.server, queued, retries=max(200, queued // 5))
    fleet = Fleet(Config(redis=stage.server.url))
    Queue("default", fleet=fleet).size()
    try:
        return measure(reads(fleet), CALLS)
    finally:
        fleet.close()


SCENARIO = Scenario(
    "data-api",
    "Read calls of the data API",
    "A million jobs queued, 200,000 to be retried, 50 processes; one answer or one page, the slowest of five calls.",
    {},
    run,
    who=(PILLION.name,),
    rounds=1,
    cell_s=8.0,
)
