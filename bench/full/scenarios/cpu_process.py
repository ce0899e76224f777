"""Jobs that compute, in threads and in processes of their own: Pillion beside Pillion (F066)."""

from __future__ import annotations

from bench.full.roster import OURS, Contestant, Order
from bench.full.scenario import Figure, Scenario, Sizes, drained
from bench.full.stage import Run, Stage

COUNT = 200
LOOPS = 400_000  # about 20 ms of Python
CHILDREN = 2


def run(stage: Stage, contestant: Contestant, sizes: Sizes) -> dict[str, float]:
    """The same jobs twice, each time by one worker with every core."""
    count = sizes.pick(COUNT, min(sizes.jobs, 50))
    thread_s = _taken(stage, _pillion("pillion_jobs"), count)
    process_s = _taken(stage, _pillion("pillion_process_jobs"), count)
    return {"threads": thread_s, "processes": process_s, "ratio": process_s / thread_s}


def _taken(stage: Stage, contestant: Contestant, count: int) -> float:
    with Run(stage, contestant, count, Order(concurrency=CHILDREN, every_core=True)) as busy:
        busy.client("fill", "cpu", count, LOOPS)
        busy.start()
        return drained(busy, count)


def _pillion(module: str) -> Contestant:
    def commands(order: Order) -> list[list[str]]:
        counts = ["-c", str(order.concurrency), "-p", "1", "--child-processes", str(CHILDREN)]
        return [[str(OURS), "-m", "pillion", "run", f"bench.peers.{module}", *counts]]

    return Contestant("pillion", (str(OURS), "-m", "bench.peers.client", module), commands, 1.0)


SCENARIO = Scenario(
    "cpu-process",
    "Jobs that compute, in threads and in processes",
    f"{COUNT} jobs that count to {LOOPS:,}, one worker with two cores and `-c 2`: in its threads, and with "
    f'`execution="process"` in {CHILDREN} child processes. The ratio is that of the two times.',
    {
        "threads": Figure("s", less_is_better=True, digits=2),
        "processes": Figure("s", less_is_better=True, digits=2),
        "ratio": Figure("of the time in threads", less_is_better=True, digits=2),
    },
    run,
    who=("pillion",),
    cell_s=5.7,
)
