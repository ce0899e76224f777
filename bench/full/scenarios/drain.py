"""Queued no-op jobs, concurrency 10: how many a second, and what each costs Redis."""

from __future__ import annotations

import sys
import time
from collections import Counter

from bench.full.redis_cost import Cost, pipelined
from bench.full.roster import Contestant, Order
from bench.full.scenario import EVERYBODY, ROUND_EACH_TIME, Figure, FloorRunner, Scenario, Sizes, drained
from bench.full.scenarios.growth import fill
from bench.full.stage import Run, RunFailed, Stage

SETTLE_S = 1.0  # acknowledgements that come late, and in batches


def one_process(stage: Stage, contestant: Contestant, sizes: Sizes) -> dict[str, float]:
    """One worker process, and the count of Redis commands and bytes."""
    count = sizes.scaled(contestant)
    with Run(stage, contestant, count) as run:
        run.client("fill", "noop", count)
        cost = Cost(stage.client)
        run.start()
        taken_s = drained(run, count)
        time.sleep(SETTLE_S)
        return {"rate": count / taken_s, **cost.a_job(count), "extra": run.extra_runs(count)}


def two_processes(stage: Stage, contestant: Contestant, sizes: Sizes) -> dict[str, float]:
    """Two worker processes."""
    count = sizes.scaled(contestant)
    with Run(stage, contestant, count, Order(processes=2)) as run:
        run.client("fill", "noop", count)
        run.start()
        return {"rate": count / drained(run, count)}


def logged(stage: Stage, contestant: Contestant, sizes: Sizes) -> dict[str, float]:
    """One worker process that logs every job to a file."""
    count = sizes.scaled(contestant)
    with Run(stage, contestant, count, Order(logged=True)) as run:
        run.client("fill", "noop", count)
        run.start()
        taken_s = drained(run, count)
        time.sleep(SETTLE_S)
        said = Counter(line.rsplit(maxsplit=1)[-1] for line in run.log.read_bytes().splitlines() if line.strip())
        if min(said[b"start"], said[b"done"]) < count:
            raise RunFailed("its log does not say of every job that it starts and that it is done")
        return {"log level INFO": count / taken_s}


def prototypes(number: int) -> FloorRunner:
    """Pillion's way to fetch and acknowledge, with nothing around it, and the same job, in so many processes."""

    def run_once(stage: Stage, sizes: Sizes) -> dict[str, float]:
        count = max(1000, sizes.jobs // 1000 * 1000)
        with Run(stage, PROTOTYPE, count, Order(processes=number)) as run:
            fill(stage, count)
            run.start()
            for process in run.processes:  # each ends when the queue is empty
                process.wait(stage.patience_s)
            if int(stage.client.get("stat:processed") or 0) != count:
                raise RunFailed("the prototype did not run every job")
            return {"rate": count / drained(run, count)}

    return run_once


def redis_alone(stage: Stage, sizes: Sizes) -> dict[str, float]:
    """RPOP by redis-benchmark, pipelined: no job of any kind."""
    return {"rate": pipelined(stage, "rpop", sizes.pick(1_000_000, 20_000), pipeline=100)}


PROTOTYPE = Contestant("prototype", (), lambda order: [[sys.executable, "bench/prototype.py"]] * order.processes, 1.0)
RATE = Figure("jobs/s", floor="prototype")
SCENARIOS = (
    Scenario(
        "drain1",
        "No-op jobs, one worker process",
        "Queued jobs that do nothing, concurrency 10, from the start of the first to the end of the last. Requests "
        "(what a client sends in one go), commands and bytes are what Redis counted from the start of the worker, its "
        "boot included; commands inside of scripts count.",
        {
            "rate": RATE,
            "commands": Figure("commands/job", less_is_better=True, digits=2, floor="bare-loop"),
            "reads": Figure("requests/job", less_is_better=True, digits=3, floor="bare-loop"),
            "bytes_in": Figure("bytes to Redis/job", less_is_better=True, floor="bare-loop"),
            "bytes_out": Figure("bytes from Redis/job", less_is_better=True, floor="bare-loop"),
            "extra": Figure("runs too many", less_is_better=True, is_compared=False),
        },
        one_process,
        {"prototype": prototypes(1), "redis RPOP": redis_alone},
        who=EVERYBODY,
        rounds=7,
        peer_rounds=4,
        cell_s=3.8,
    ),
    Scenario(
        "drain2",
        "No-op jobs, two worker processes",
        "The same with two worker processes, which are not pinned to a core; here the prototype is two processes, too.",
        {"rate": RATE},
        two_processes,
        {"prototype": prototypes(2), "redis RPOP": redis_alone},
        rounds=7,
        peer_rounds=6,
        cell_s=2.3,
    ),
    Scenario(
        "drain-log",
        "No-op jobs, one worker process, logging",
        "The same as with one worker process, with log level INFO into a file: a line when a job starts, and one when "
        "it is done. A run counts only if the file has them all.",
        {"log level INFO": Figure("jobs/s, log level INFO")},
        logged,
        who=ROUND_EACH_TIME,
        rounds=5,
        cell_s=5.0,
    ),
)
