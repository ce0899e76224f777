"""`python -m chaos.long`: many seeds, some at a time, and tables at the end. Exit code 1 if a promise was broken.

Each run is a program of its own, with its own folder, Redis and sockets: they share nothing but the machine. What each
printed, and all figures as JSON, is kept in chaos/out.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rich.console import Console

from chaos import diary as causes
from chaos.summary import by_cause, recovery, summary
from chaos.support import ROOT

OUT = ROOT / "chaos" / "out"
SEEDS, UNDER_SENTINEL = 10, 2
SETTLES_S = 240.0  # beyond its length; a run that takes longer hangs
LOOK_S = 0.5


@dataclass(frozen=True)
class Order:
    """One run."""

    seed: int
    variant: str = ""

    @property
    def name(self) -> str:
        """Of its files."""
        return f"{self.variant or 'seed'}-{self.seed}"


class Started:
    """A run that is going on."""

    def __init__(self, order: Order, seconds: float) -> None:
        self.order = order
        self.began = time.monotonic()
        self.json = OUT / f"{order.name}.json"
        self.json.unlink(missing_ok=True)
        command = [sys.executable, "-m", "chaos", "--seed", str(order.seed), "--seconds", f"{seconds:g}"]
        command += ["--json", str(self.json), *([f"--{order.variant}"] if order.variant else [])]
        with (OUT / f"{order.name}.log").open("wb") as log:
            self.process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def result(self) -> dict[str, Any]:
        """What it wrote, or that it wrote nothing."""
        shape = {"seed": self.order.seed, "variant": self.order.variant, "failed": self.process.returncode != 0}
        if not self.json.exists():
            return shape | {"faults": {"no verdict": 1}}
        written: dict[str, Any] = json.loads(self.json.read_text())
        return written | shape


def main() -> int:
    """Run them all."""
    given = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    console = Console(highlight=False, soft_wrap=True, width=160)
    OUT.mkdir(exist_ok=True)
    made = {"commit": _commit(), "date": datetime.now(UTC).date().isoformat()}  # now: it may go on meanwhile
    orders = _orders(given.seeds, given.first, given.calm)
    minutes = -(-len(orders) // given.jobs) * (given.seconds + 45) / 60
    console.print(f"{len(orders)} runs, {given.jobs} at a time: about {minutes:.0f} minutes")
    results = _all(orders, given.jobs, given.seconds, console)
    results.sort(key=lambda each: (each["variant"] == "calm", each["variant"], each["seed"]))
    whole = made | {"seconds": given.seconds, "jobs_at_a_time": given.jobs, **_totals(results), "runs": results}
    (OUT / "long.json").write_text(json.dumps(whole, indent=1))
    legend = "Recovery: p50 / p99 / max in seconds (jobs that were cut off).\n"
    console.print(summary(results), legend, by_cause(results))
    broken = [each for each in results if each["failed"]]
    for each in broken:
        name = Order(each["seed"], each["variant"]).name
        console.print(f"FAILED: {name}, {each['faults']}: chaos/out/{name}.log", markup=False)
    console.print("" if broken else "every promise kept")
    return int(bool(broken))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m chaos.long", description=__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS, help="how many; the last fifth under a Sentinel (10)")
    parser.add_argument("--first", type=int, default=1, help="the first seed (1)")
    parser.add_argument("--calm", type=int, default=2, help="how many runs of deaths only, for recovery (2)")
    parser.add_argument("--seconds", type=float, default=300.0, help="length of each (300)")
    parser.add_argument("--jobs", type=int, default=1, help="how many at a time (1)")
    return parser.parse_args()


def _orders(seeds: int, first: int, calm: int) -> list[Order]:
    """Seeds in the midst of everything; then runs that are calm, for the figures on recovery."""
    under_sentinel = round(seeds * UNDER_SENTINEL / SEEDS)
    numbers = range(first, first + seeds)
    storms = [Order(seed, "sentinel" if seed >= first + seeds - under_sentinel else "") for seed in numbers]
    return storms + [Order(seed, "calm") for seed in range(first, first + calm)]


def _all(orders: Sequence[Order], jobs: int, seconds: float, console: Console) -> list[dict[str, Any]]:
    waiting, going, results = deque(orders), list[Started](), list[dict[str, Any]]()
    try:
        while waiting or going:
            while waiting and len(going) < jobs:
                going.append(Started(waiting.popleft(), seconds))
            time.sleep(LOOK_S)
            for run in list(going):
                if run.process.poll() is None and time.monotonic() - run.began > seconds + SETTLES_S:
                    _end(run)
                if run.process.poll() is not None:
                    going.remove(run)
                    results.append(run.result())
                    verdict = "FAILED" if results[-1]["failed"] else "kept every promise"
                    left = f"{len(waiting)} to come" if waiting else "none to come"
                    console.print(f"{run.order.name:12} {time.monotonic() - run.began:4.0f} s  {verdict}; {left}")
    finally:
        for run in going:
            _end(run)
    return results


def _end(run: Started) -> None:
    """TERM: it then ends all that it has started."""
    run.process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        run.process.wait(60)
    run.process.kill()
    run.process.wait()


def _commit() -> str:
    """Which commit this is; "" where there is no git."""
    try:
        done = subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
        )
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _totals(results: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """For the page of benchmarks, too. Recovery is of the calm runs: in a storm Redis is off, and queues are paused."""
    storms = [each for each in results if each["variant"] != "calm"]
    calm = [each for each in results if each["variant"] == "calm"]
    return {
        "seeds": [each["seed"] for each in storms],
        "jobs": {
            "storm": sum(each.get("jobs", 0) for each in storms),
            "calm": sum(each.get("jobs", 0) for each in calm),
        },
        "lost": sum(count for each in storms for what, count in each["faults"].items() if what.startswith("lost")),
        "failed": [Order(each["seed"], each["variant"]).name for each in results if each["failed"]],
        "recovery": {
            key: {"calm": recovery(calm, why), "storm": recovery(storms, why), **recovery(calm, why)}
            for key, why in (("worker", causes.WORKER_KILLED), ("host", causes.HOST_LOST))
        },
    }


if __name__ == "__main__":
    sys.exit(main())
