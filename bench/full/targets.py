"""The figures to reach, and what was measured of each: met if the median is."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.figures import spread
from bench.full.record import Record
from bench.full.roster import BARE, PILLION, ROOT, ROSTER, SIDEKIQ, SIDEKIQ_HIREDIS
from bench.full.scenarios.enqueue import LPUSH_LOOP

CHAOS = ROOT / "chaos" / "out" / "long.json"
REMOVES_FIRST = ("huey",)  # takes a job out of Redis before it runs
RUBY = (SIDEKIQ, SIDEKIQ_HIREDIS)
PYTHON_PEERS = tuple(each.name for each in ROSTER if each not in (PILLION, *RUBY, BARE))
SEEDS, SEED_S = 10, 300
GROWTH = 1.02  # less is the noise of an allocator


@dataclass(frozen=True)
class Target:
    """`values` are of the rounds. `bound` is what the median must reach, or with `at_most` must not pass.

    `failed` names runs that broke a promise: whatever the figure, it is then not met.
    """

    what: str
    wanted: str
    values: Sequence[float]
    bound: float
    at_most: bool = False
    digits: int = 2
    remark: str = ""
    failed: Sequence[str] = ()

    @property
    def median(self) -> float | None:
        """None if it was not measured."""
        return statistics.median(self.values) if self.values else None

    @property
    def verdict(self) -> str:
        """In words."""
        if self.median is None:
            return "not measured"
        if self.failed:
            return f"**not met**: {', '.join(self.failed)} failed"
        return "met" if (self.median <= self.bound if self.at_most else self.median >= self.bound) else "**not met**"

    @property
    def measured(self) -> str:
        """Median and range, and with whom it is compared."""
        text = spread(self.values, self.digits) if self.values else ""
        return f"{text}, {self.remark}" if self.remark and text else text


@dataclass
class Book:
    """All records by the name of their scenario."""

    records: dict[str, Record] = field(default_factory=dict)

    def values(self, scenario: str, figure: str, name: str = PILLION.name) -> list[float]:
        """Run by run; nothing if it was not measured."""
        record = self.records.get(scenario)
        return record.values(name, figure) if record else []

    def ratios(self, scenario: str, other: str, figure: str = "rate") -> list[float]:
        """Pillion's figure over another's, pair by pair."""
        record = self.records.get(scenario)
        return [ours / theirs for ours, theirs in record.pairs(PILLION.name, other, figure)] if record else []

    def best(self, scenario: str, names: Sequence[str]) -> str:
        """Who of these has the highest rate."""
        rates = {name: statistics.median(values) for name in names if (values := self.values(scenario, "rate", name))}
        return max(rates, key=lambda name: rates[name], default="")

    def steps(self, scenario: str, over: str, under: str) -> list[float]:
        """Pillion's figure at one step over that at another, round by round."""
        both = zip(self.values(scenario, over), self.values(scenario, under), strict=False)
        return [one / other for one, other in both]


def targets(records: Sequence[Record]) -> list[Target]:
    """All of them, in the order of the issue."""
    return [*measured(records), *_chaos()]


def measured(records: Sequence[Record]) -> list[Target]:
    """Those that these records have figures for: all but chaos, which is a run of its own."""
    book = Book({record.scenario.name: record for record in records})
    return [found for part in (_drains, _pushes, _waits, _costs) for found in part(book)]


def _drains(book: Book) -> list[Target]:
    best = book.best("drain1", PYTHON_PEERS)
    safe = book.best("drain1", [name for name in PYTHON_PEERS if name not in REMOVES_FIRST])
    logged, logged_hiredis = (book.ratios("drain-log", who.name, "log level INFO") for who in RUBY)
    ends = book.steps("million", "last", "first")
    deep = book.steps("growth-depth", "1,000,000", "10,000")
    found = [
        Target("No-op drain, over ruby-sidekiq", "8 times", book.ratios("drain1", SIDEKIQ.name), 8),
        Target("The same, over Sidekiq with hiredis", "8 times", book.ratios("drain1", SIDEKIQ_HIREDIS.name), 8),
        Target("No-op drain, over the best Python peer", "25 times", book.ratios("drain1", best), 25, remark=best),
        Target("No-op drain, share of the bare prototype", "0.5", book.ratios("drain1", "prototype"), 0.5),
        Target("No-op drain with INFO logging, over ruby-sidekiq with its own", "4 times", logged, 4),
        Target("The same, over Sidekiq with hiredis", "4 times", logged_hiredis, 4),
        Target("Two workers over one", "not slower", book.steps("growth-workers", "2", "1"), 1),
        Target("The first 10,000 of 1,000,000 queued, over 10,000 queued", "0.85", deep, 0.85),
        Target("Drain of 1,000,000, its last tenth over its first", "0.85", ends, 0.85),
    ]
    if safe != best:
        title = "The same, best Python peer that acknowledges after the run"
        found.insert(3, Target(title, "25 times", book.ratios("drain1", safe), 25, remark=safe))
    return found


def _pushes(book: Book) -> list[Target]:
    best = book.best("single", [*PYTHON_PEERS, *(who.name for who in RUBY)])
    return [
        Target("Bulk enqueue, over ruby-sidekiq", "2 times", book.ratios("bulk", SIDEKIQ.name), 2),
        Target("The same, over Sidekiq with hiredis", "2 times", book.ratios("bulk", SIDEKIQ_HIREDIS.name), 2),
        Target("Bulk enqueue, share of a pipelined LPUSH loop in Python", "0.6", book.ratios("bulk", LPUSH_LOOP), 0.6),
        Target("Single enqueue, over the best peer", "above", book.ratios("single", best), 1, remark=best),
        Target("Single enqueue, share of redis-py's lpush", "0.85", book.ratios("single", LPUSH_LOOP), 0.85),
    ]


def _waits(book: Book) -> list[Target]:
    ideal, aio, wide, mixed = (
        [100 / share for share in book.values(name, "of_best")] for name in ("io", "aio", "aio-wide", "aio-mixed")
    )
    latency: Callable[[str], list[float]] = lambda figure: book.ratios("latency", SIDEKIQ.name, figure)  # noqa: E731
    late, split = book.values("schedule", "p99"), book.values("cpu-process", "ratio")
    return [
        Target("Idle latency p50, over ruby-sidekiq's", "at most 1", latency("p50"), 1, at_most=True),
        Target("Idle latency p99, over ruby-sidekiq's", "at most 1", latency("p99"), 1, at_most=True),
        Target("I/O-bound, time over the ideal", "at most 1.08", ideal, 1.08, at_most=True, digits=3),
        Target("Async, 100 at a time, time over the ideal", "at most 1.3", aio, 1.3, at_most=True),
        Target("Async, 1,000 at a time, time over the ideal", "at most 1.5", wide, 1.5, at_most=True),
        Target("Async and sync mixed, 500 at a time, time over the ideal", "at most 1.5", mixed, 1.5, at_most=True),
        Target("Computing jobs in two processes, time over that in threads", "at most 0.6", split, 0.6, at_most=True),
        Target("Scheduled jobs, lateness p99, ms", "under 250", late, 250, at_most=True, digits=0),
    ]


def _costs(book: Book) -> list[Target]:
    rss, pss = book.values("footprint", "worker_load"), book.values("footprint", "pss_load")
    growth, of_worker = (book.steps("million", f"{whose}_last", f"{whose}_first") for whose in ("rss", "worker"))
    million = "after 1,000,000 jobs over after 100,000"
    return [
        Target("Boot to first job, s", "under 0.6", book.values("boot", "seconds"), 0.6, at_most=True),
        Target("Worker RSS after load, MB", "under 38", rss, 38, at_most=True, digits=1),
        Target("Supervisor and worker, PSS after load, MB", "under 52", pss, 52, at_most=True, digits=1),
        Target(f"Supervisor and worker, RSS {million}", "no growth", growth, GROWTH, at_most=True),
        Target(f"Worker RSS {million}", "no growth", of_worker, GROWTH, at_most=True),
    ]


def chaos() -> dict[str, Any]:
    """What `make chaos-long` wrote. Nothing if it was too short, or does not say who failed: that shows nothing."""
    kept: dict[str, Any] = json.loads(CHAOS.read_text()) if CHAOS.exists() else {}
    is_long = len(kept.get("seeds", [])) >= SEEDS and kept["seconds"] >= SEED_S
    return kept if is_long and kept.get("failed") is not None else {}


def _chaos() -> list[Target]:
    kept = chaos()
    failed: list[str] = kept.get("failed", [])
    lost = [float(kept["lost"])] if kept else []
    remark = f"of {kept.get('jobs', {}).get('storm', 0):,} in the storms"
    title = "Chaos: lost jobs, and no other promise broken"
    found = [Target(title, "0 in 10 seeds", lost, 0, at_most=True, digits=0, remark=remark, failed=failed)]
    calm = [name for name in failed if name.startswith("calm")]
    for key, what, bound in (
        ("worker", "Recovery after SIGKILL of a worker, calm runs, p99, s", 1.0),
        ("host", "Recovery after the loss of a host, calm runs, p99, s", 35.0),
    ):
        values = [kept["recovery"][key]["p99"]] if kept.get("recovery", {}).get(key, {}).get("jobs") else []
        found.append(Target(what, f"under {bound:.0f}", values, bound, at_most=True, failed=calm))
    return found
