"""Metrics: how often each job class ran and failed, and how long it took (behaviour 15, wire-format 8).

What Ruby's Sidekiq 8 has counted is in it too: both add to the same buckets. Older versions of Sidekiq
count under other names, which are not read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, cast

from pillion.api.call import call
from pillion.api.deploy import Mark, read_marks
from pillion.api.fleet import DEFAULT, Fleet
from pillion.api.plan import Plan, ask_all
from pillion.errors import ConfigError
from pillion.storage.ops import metrics as ops
from pillion.wire import histogram, rollup

DEFAULT_MINUTES = 60
MAX_MINUTES = 480  # minutes are kept for 8 hours
MAX_HOURS = 72
METRICS = (rollup.RUNS, rollup.FAILURES, rollup.TIME_MS, "s")
JobClass = Any  # a job as `pillion.Job` or `pillion.job` makes it: it has its definition as `__job__`


@dataclass(slots=True)
class JobMetrics:
    """What one class did. The metrics: `p` runs, `f` of them failed, `ms` and `s` time of the others.

    `totals` is metric to sum; `series` metric to bucket to amount, without the buckets that have none.
    `hist` is bucket to the 26 counters of its histogram, slowest first (`for_job` by minutes only).
    """

    totals: dict[str, float] = field(default_factory=lambda: dict.fromkeys(METRICS, 0))
    series: dict[str, dict[str, float]] = field(default_factory=lambda: {metric: {} for metric in METRICS})
    hist: dict[str, list[int]] = field(default_factory=dict[str, list[int]])

    def total_avg(self, metric: str = "ms") -> float:
        """The average over the runs that did not fail, such as milliseconds; 0 if there are none."""
        return _average(self.totals[metric], self.totals["p"] - self.totals["f"])

    def series_avg(self, metric: str = "ms") -> dict[str, float]:
        """The same for each bucket in which the class ran."""
        runs, failures, amounts = self.series["p"], self.series["f"], self.series[metric]
        return {bucket: _average(amounts.get(bucket, 0), runs[bucket] - failures.get(bucket, 0)) for bucket in runs}

    def hist_total(self) -> dict[str, int]:
        """The histograms of all buckets in one, label to runs, fastest first: `{"20ms": 7, "30ms": 0, ...}`."""
        sums = [sum(column) for column in zip(*self.hist.values(), strict=True)] or [0] * histogram.BUCKETS
        return dict(zip(histogram.LABELS, reversed(sums), strict=True))


@dataclass(slots=True, frozen=True)
class MetricsResult:
    """An answer of `Metrics`.

    `granularity_s` is the width of a bucket in seconds: 60 or 600. `starts_at` and `ends_at` are epoch
    seconds; `buckets` the ISO times at which the buckets begin, oldest first. `job_results` is class to
    what it did, the class that took most time first. `marks` are the deploys of the time, oldest first.
    """

    granularity_s: int
    starts_at: float
    ends_at: float
    buckets: tuple[str, ...]
    job_results: dict[str, JobMetrics]
    marks: list[Mark]


class Metrics:
    """The metrics of a fleet, of the last minutes or hours.

    Parameters: `fleet` says which Redis; without it, the one that this process pushes to.
    """

    def __init__(self, *, fleet: Fleet | None = None) -> None:
        self.fleet = fleet or DEFAULT

    @call("HGETALL", cost="O(B*C), B = buckets (at most 480), C = classes that ran in each")
    def top_jobs(
        self,
        *,
        minutes: int | None = None,
        hours: int | None = None,
        class_filter: str | re.Pattern[str] | None = None,
    ) -> Plan[MetricsResult]:
        """What each class did that ran.

        Parameters: `minutes` up to now, in buckets of a minute; more than 480 are taken as 60. Or `hours`, in
        buckets of ten minutes; more than 72 are taken as 72. Without both, 60 minutes. `class_filter` is a
        part of the name, in any case, or a compiled pattern to be found in it. Raises ConfigError.
        """
        window = _Window.of(self.fleet.clock(), minutes, hours)
        wanted = _filter(class_filter)
        replies = yield from ask_all([*map(ops.rollup_of_all, window.keys()), *map(ops.marks, window.days())])
        return window.result(_collect(window, replies, wanted), replies)

    @call(
        "HMGET",
        "BITFIELD_RO",
        "HGETALL",
        cost="O(B+D), B = buckets (at most 480), D = deploys of the days they are in",
    )
    def for_job(
        self, job_class: str | JobClass, *, minutes: int | None = None, hours: int | None = None
    ) -> Plan[MetricsResult]:
        """What one class did. It is in the result also if it did not run.

        Parameters: `job_class` is its name on the wire, or the class itself; `minutes` and `hours` as in
        `top_jobs`. By minutes the histograms come too. Raises ConfigError.
        """
        name = _class_name(job_class)
        window = _Window.of(self.fleet.clock(), minutes, hours)
        counts = [ops.rollup_of(key, name) for key in window.keys()]  # noqa: SIM118 - it is no mapping
        grams = [ops.histogram_of(name, key) for key in window.histogram_keys()]
        replies = yield from ask_all([*counts, *grams, *map(ops.marks, window.days())])
        job = JobMetrics()
        for bucket, row in zip(window.labels, replies, strict=False):
            _add_row(job, bucket, row)
        for bucket, counters in zip(window.labels, replies[len(counts) : len(counts) + len(grams)], strict=False):
            job.hist[bucket] = counters[::-1]
        return window.result({name: job}, replies)


# -- which buckets -----------------------------------------------------------------------------------------


@dataclass(slots=True, frozen=True)
class _Window:
    """The buckets from now back. `times` has one epoch time in each, newest first, and `labels` their names."""

    now_s: float
    width_s: int
    times: Sequence[float]
    labels: Sequence[str]

    @classmethod
    def of(cls, now_s: float, minutes: object, hours: object) -> _Window:
        if minutes is not None and hours is not None:
            raise ConfigError("minutes", "either minutes or hours", (minutes, hours))
        if hours is not None:
            width_s, count = rollup.TEN_MINUTES_S, min(_amount("hours", hours), MAX_HOURS) * 6
        else:
            given = DEFAULT_MINUTES if minutes is None else _amount("minutes", minutes)
            width_s, count = rollup.MINUTE_S, given if given <= MAX_MINUTES else DEFAULT_MINUTES
        times = [now_s - number * width_s for number in range(count)]
        return cls(now_s, width_s, times, [rollup.label(at_s, width_s) for at_s in times])

    @property
    def starts_at(self) -> float:
        return self.now_s - len(self.times) * self.width_s

    def keys(self) -> list[str]:
        name: Callable[[float], str] = rollup.minute if self.width_s == rollup.MINUTE_S else rollup.ten_minutes
        return [name(at_s) for at_s in self.times]

    def histogram_keys(self) -> list[str]:
        """The minutes that have histograms: ten minutes have none."""
        return [rollup.histogram_minute(at_s) for at_s in self.times] if self.width_s == rollup.MINUTE_S else []

    def days(self) -> list[date]:
        return rollup.days(self.starts_at, self.now_s)

    def result(self, jobs: Mapping[str, JobMetrics], replies: Sequence[Sequence[bytes]]) -> MetricsResult:
        """The answer. The last of `replies` are the marks of `days`."""
        for job in jobs.values():
            _complete(job)
        ranked = sorted(jobs.items(), key=lambda pair: -pair[1].totals["ms"])
        marks = read_marks(replies[-len(self.days()) :], self.width_s)
        inside = [mark for mark in marks if self.starts_at <= mark.at <= self.now_s]
        labels = tuple(reversed(self.labels))
        return MetricsResult(self.width_s, self.starts_at, self.now_s, labels, dict(ranked), inside)


def _amount(option: str, value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    raise ConfigError(option, "a whole number above 0", value)


def _class_name(job_class: object) -> str:
    name = job_class if isinstance(job_class, str) else getattr(getattr(job_class, "__job__", None), "wire_name", None)
    if isinstance(name, str) and name:
        return name
    raise ConfigError("job_class", "a job class or its name on the wire", job_class)


def _filter(class_filter: str | re.Pattern[str] | None) -> Callable[[str], object]:
    if class_filter is None:
        class_filter = ""
    if isinstance(class_filter, str):
        part = class_filter.casefold()
        return lambda name: part in name.casefold()
    if isinstance(cast("object", class_filter), re.Pattern) and isinstance(cast("object", class_filter.pattern), str):
        return class_filter.search
    raise ConfigError("class_filter", "a part of a class name, or a compiled pattern", class_filter)


# -- what is in them ---------------------------------------------------------------------------------------


class _SeriesOf(dict[bytes, dict[str, float]]):
    """Field of a rollup to the series its amounts belong to. Each field is read once, however often it comes."""

    def __init__(self, jobs: dict[str, JobMetrics], wanted: Callable[[str], object]) -> None:
        super().__init__()
        self._jobs, self._wanted = jobs, wanted

    def __missing__(self, name: bytes) -> dict[str, float]:
        job_class, metric = rollup.read_field(name)
        if metric in (rollup.RUNS, rollup.FAILURES, rollup.TIME_MS) and self._wanted(job_class):
            self[name] = self._jobs.setdefault(job_class, JobMetrics()).series[metric]
        else:
            self[name] = {}  # nobody asked for it, and nobody will look there
        return self[name]


def _collect(
    window: _Window, replies: Sequence[Sequence[bytes]], wanted: Callable[[str], object]
) -> dict[str, JobMetrics]:
    """The rows of all classes. There may be a quarter of a million amounts, so the loop is bare."""
    jobs: dict[str, JobMetrics] = {}
    series_of = _SeriesOf(jobs, wanted)
    for bucket, row in zip(window.labels, replies, strict=False):
        for name, amount in zip(row[::2], _numbers(row[1::2]), strict=True):
            series_of[name][bucket] = amount
    return jobs


def _add_row(job: JobMetrics, bucket: str, row: Sequence[bytes | None]) -> None:
    for metric, amount in zip((rollup.RUNS, rollup.FAILURES, rollup.TIME_MS), row, strict=True):
        if amount is not None:
            (job.series[metric][bucket],) = _numbers([amount])


def _complete(job: JobMetrics) -> None:
    """Add what follows from the rest: the seconds, and the totals."""
    job.series["s"] = {bucket: amount / 1000 for bucket, amount in job.series["ms"].items()}
    for metric in (rollup.RUNS, rollup.FAILURES, rollup.TIME_MS):
        job.totals[metric] = sum(job.series[metric].values())
    job.totals["s"] = job.totals["ms"] / 1000


def _numbers(amounts: Sequence[bytes]) -> list[int]:
    """The amounts; 0 for what somebody else has put there that is none."""
    try:
        return list(map(int, amounts))
    except ValueError:
        return [int(amount) if amount.isdigit() else 0 for amount in amounts]


def _average(amount: float, runs: float) -> float:
    return amount / runs if runs > 0 else 0
