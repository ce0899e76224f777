"""Does anything get slower as the backlog, the queues or the workers grow? Pillion and Sidekiq only."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bench.full.roster import PILLION, SIDEKIQ, Contestant, Order
from bench.full.scenario import Figure, Scenario, Sizes, drained
from bench.full.stage import Run, Stage

DEPTHS = (1_000, 10_000, 100_000, 1_000_000)
QUEUES = (1, 10, 100)
WORKERS = (1, 2, 4, 8)
SAMPLE = 10_000
WHO = (PILLION.name, SIDEKIQ.name)


def fill(stage: Stage, count: int, queues: Sequence[str] = ("default",)) -> None:
    """Queue no-op jobs in turns, as any client writes them."""
    stage.client.sadd("queues", *queues)
    pipe = stage.client.pipeline(transaction=False)
    for start in range(0, count, 1000):
        batch: dict[str, list[str]] = {queue: [] for queue in queues}
        for n in range(start, min(start + 1000, count)):
            queue = queues[n % len(queues)]
            batch[queue].append(payload(n, queue))
        for queue, jobs in batch.items():
            if jobs:
                pipe.lpush(f"queue:{queue}", *jobs)
        pipe.execute()


def payload(n: int, queue: str) -> str:
    """A no-op job as Sidekiq 8 writes it; as text, for a million of them are written."""
    return (
        f'{{"retry":true,"queue":"{queue}","args":[{n},0],"class":"Noop","jid":"{n:024x}",'
        f'"created_at":1700000000000,"enqueued_at":1700000000000}}'
    )


def depths(stage: Stage, contestant: Contestant, sizes: Sizes) -> dict[str, float]:
    """The first jobs of a backlog that end: 10,000, or all where there are fewer."""
    figures: dict[str, float] = {}
    for depth in DEPTHS:
        queued = min(depth, sizes.jobs) if sizes.quick else depth
        count = min(queued, SAMPLE)
        with Run(stage, contestant, queued) as run:
            fill(stage, queued)
            run.start()
            run.wait(count)
            ends = sorted(filter(None, run.ledger.last))
            figures[f"{depth:,}"] = count / (ends[count - 1] - min(filter(None, run.ledger.first)))
    return figures


def spread(stage: Stage, contestant: Contestant, sizes: Sizes) -> dict[str, float]:
    """The same number of jobs over more queues, all served by one process."""
    figures: dict[str, float] = {}
    for number in QUEUES:
        queues = ["default"] if number == 1 else [f"queue-{n}" for n in range(number)]
        count = min(sizes.scaled(contestant), 50_000)
        with Run(stage, contestant, count, Order(queues=queues)) as run:
            fill(stage, count, queues)
            run.start()
            figures[f"{number}"] = count / drained(run, count)
    return figures


def processes(stage: Stage, contestant: Contestant, sizes: Sizes) -> dict[str, float]:
    """The same backlog for more worker processes."""
    figures: dict[str, float] = {}
    for number in WORKERS:
        count = sizes.scaled(contestant)
        with Run(stage, contestant, count, Order(processes=number, every_core=True)) as run:
            fill(stage, count)
            run.start()
            figures[f"{number}"] = count / drained(run, count)
    return figures


def scenario(
    name: str,
    title: str,
    how: str,
    steps: Sequence[int],
    run: Callable[[Stage, Contestant, Sizes], dict[str, float]],
    cell_s: float,
) -> Scenario:
    """A figure for each step."""
    return Scenario(name, title, how, {f"{step:,}": Figure("jobs/s") for step in steps}, run, who=WHO, cell_s=cell_s)


SCENARIOS = (
    scenario(
        "growth-depth",
        "No-op jobs a second, by backlog",
        "So many jobs queued, the rate of the first 10,000 that end, whatever is queued behind them (of 1,000: of all, "
        "which shows the start). A million from its first job to its last is a scenario of its own.",
        DEPTHS,
        depths,
        3.2,
    ),
    scenario(
        "growth-queues",
        "No-op jobs a second, by number of queues",
        "One worker process that serves so many queues, the jobs spread over all.",
        QUEUES,
        spread,
        6.0,
    ),
    scenario(
        "growth-workers",
        "No-op jobs a second, by worker processes",
        "So many worker processes, none of them pinned, a single one neither; from the first job to the last, so the "
        "slowest boot counts.",
        WORKERS,
        processes,
        12.0,
    ),
)
