"""Metrics: what each class of jobs did, and one class in all detail."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from pillion.api.metrics import JobMetrics, Metrics, MetricsResult
from pillion.api.plan import Plan, ask_all, together
from pillion.storage.ops import metrics as ops
from pillion.web.data.cache import LONG_S, remembered
from pillion.web.data.groups import FEW, RawGroups, table
from pillion.web.data.models import Chart, ClassMetricsPage, ClassRow, Line, Mark, MetricsPage
from pillion.web.data.query import read_query
from pillion.web.data.redaction import Redact, show_all
from pillion.web.data.series import (
    averages,
    bars,
    dense,
    factor,
    first_of_each,
    merged,
    merged_histograms,
    quantile,
    summed,
)
from pillion.web.data.source import Source
from pillion.web.data.texts import short
from pillion.wire import rollup

# Minutes are kept for 8 hours, ten minutes for 72.
PERIODS: Final[Mapping[str, dict[str, Any]]] = {
    "1h": {"minutes": 60},
    "2h": {"minutes": 120},
    "4h": {"minutes": 240},
    "8h": {"minutes": 480},
    "24h": {"hours": 24},
    "48h": {"hours": 48},
    "72h": {"hours": 72},
}
MEASURES: Final[Mapping[str, str]] = {"total": "s", "runs": "p", "failures": "f", "average": "ms"}
OTHER: Final = "other"
_LINES: Final = 5
SORTS: Final = ("total", "runs", "failures", "average", "name")
_MOST_ROWS: Final = 200
_TREND: Final = 60
_HEAT: Final = 60
# Histograms are read one by one for each minute and class.
_MOST_HISTOGRAMS: Final = 1_500
_SORTS: Final = ("total", "runs", "failures", "average", "name")


@dataclass(slots=True, frozen=True)
class _Answer:
    """What the metrics said, and when."""

    result: MetricsResult
    read_at: float

    @property
    def buckets(self) -> tuple[str, ...]:
        """The buckets that are over, oldest first: in the one that runs, every line would fall."""
        return self.result.buckets[:-1]

    @property
    def times(self) -> tuple[float, ...]:
        """When they begin."""
        return tuple(rollup.read_label(bucket) or 0.0 for bucket in self.buckets)

    @property
    def marks(self) -> tuple[Mark, ...]:
        """The deploys."""
        return tuple(Mark(mark.at, short(mark.label, 80)) for mark in self.result.marks)

    def chart(self, lines: Sequence[Line]) -> Chart:
        """A chart of the whole period."""
        by = factor(len(self.buckets))
        return Chart(first_of_each(self.times, by), self.result.granularity_s * by, tuple(lines), self.marks)


# -- all classes -----------------------------------------------------------------------------------------


def metrics(source: Source, period: str, by: str, q: str, sort: str) -> Plan[MetricsPage]:
    """All classes whose name has `q` in it."""
    period = period if period in PERIODS else "1h"
    measure, sort = by if by in MEASURES else "total", sort if sort in SORTS else "total"
    overview, answer, histograms = yield from together(
        [source.overview(), _ask(source, period), _ask_histograms(source, period)]
    )
    text = q.strip()
    jobs = {name: job for name, job in answer.result.job_results.items() if text.lower() in name.lower()}
    source.classes[period] = tuple(answer.result.job_results)
    rows = sorted((_row(name, job, answer, histograms.get(name)) for name, job in jobs.items()), key=_order(sort))
    return MetricsPage(
        frame=overview.frame(),
        period=period,
        measure=measure,
        chart=answer.chart(_lines(jobs, answer, measure)),
        rows=tuple(rows[:_MOST_ROWS]),
        total=len(jobs),
        query=text,
        sort=sort,
        read_at=answer.read_at,
    )


def _ask(source: Source, period: str) -> Plan[_Answer]:
    def ask() -> Plan[_Answer]:
        result = yield from Metrics(fleet=source.fleet).top_jobs.plan(**PERIODS[period])
        return _Answer(result, source.now_s)

    return remembered(source.cache, ("metrics", period), ask, ttl_s=LONG_S)


def _ask_histograms(source: Source, period: str) -> Plan[Mapping[str, list[int]]]:
    """The histograms of the classes that took most time when they were looked at last, as far as that is not too many.

    Which classes there are is only known when the metrics are read; so the first look has none.
    """
    minutes = PERIODS[period].get("minutes", 0)
    names = source.classes.get(period, ())[: _MOST_HISTOGRAMS // minutes if minutes else 0]

    def ask() -> Plan[Mapping[str, list[int]]]:
        now_s = source.now_s
        times = [rollup.histogram_minute(now_s - 60 * number) for number in range(minutes)]
        replies: list[list[int]] = yield from ask_all([ops.histogram_of(name, at) for name in names for at in times])
        rows = [replies[at : at + minutes] for at in range(0, len(replies), minutes)] if minutes else []
        return {name: summed(row) for name, row in zip(names, rows, strict=True)}

    return remembered(source.cache, ("histograms", period, names), ask, ttl_s=LONG_S)


def _row(name: str, job: JobMetrics, answer: _Answer, counts: Sequence[int] | None) -> ClassRow:
    buckets = answer.buckets
    return ClassRow(
        job_class=name,
        runs=int(job.totals["p"]),
        failed=int(job.totals["f"]),
        total_s=job.totals["s"],
        average_s=job.total_avg("s"),
        p50_s=None if counts is None else quantile(counts, 0.5),
        p95_s=None if counts is None else quantile(counts, 0.95),
        trend=merged(dense(job.series["p"], buckets), factor(len(buckets), _TREND)),
    )


def _order(sort: str) -> Callable[[ClassRow], Any]:
    if sort == "name":
        return _by_name
    of = {"runs": "runs", "failures": "failed", "average": "average_s", "total": "total_s"}[sort]

    def key(row: ClassRow) -> tuple[float, str]:
        return -getattr(row, of), row.job_class

    return key


def _by_name(row: ClassRow) -> str:
    return row.job_class


def _lines(jobs: Mapping[str, JobMetrics], answer: _Answer, measure: str) -> list[Line]:
    """The five largest classes, and all others together."""
    metric, buckets = MEASURES[measure], answer.buckets
    by = factor(len(buckets))
    ranked = sorted(jobs.items(), key=lambda pair: (-_size(pair[1], measure), pair[0]))
    lines = [Line(short(name, 80), _values(job, buckets, by, measure)) for name, job in ranked[:_LINES]]
    rest = [job for _, job in ranked[_LINES:]]
    if rest and measure != "average":
        columns = zip(*(dense(job.series[metric], buckets) for job in rest), strict=True)
        lines.append(Line(OTHER, merged([sum(column) for column in columns], by)))
    return lines


def _size(job: JobMetrics, measure: str) -> float:
    return job.total_avg("s") if measure == "average" else job.totals[MEASURES[measure]]


def _values(job: JobMetrics, buckets: Sequence[str], by: int, measure: str) -> tuple[float | None, ...]:
    if measure == "average":
        return averages(job, buckets, by)
    return merged(dense(job.series[MEASURES[measure]], buckets), by)


# -- one class -------------------------------------------------------------------------------------------


def metrics_job(source: Source, job_class: str, period: str, redact: Redact) -> Plan[ClassMetricsPage]:
    """One class, by its name in the metrics."""
    period = period if period in PERIODS else "1h"
    overview, answer, groups, marks = yield from together(
        [
            source.overview(),
            _ask_class(source, job_class, period),
            source.groups("retries", read_query(""), show_all, FEW),
            source.marks(),
        ]
    )
    (job,) = answer.result.job_results.values()
    buckets = answer.buckets
    counts = summed(merged_histograms(job, answer.result.buckets, 1)) if job.hist else None
    return ClassMetricsPage(
        frame=overview.frame(),
        job_class=job_class,
        period=period,
        row=_row(job_class, job, answer, counts),
        p99_s=None if counts is None else quantile(counts, 0.99),
        runs=_runs_chart(job, answer),
        times=_times_chart(job, answer),
        histogram=() if counts is None else bars(counts),
        heat=merged_histograms(job, buckets, factor(len(buckets), _HEAT)) if counts is not None else (),
        heat_width_s=answer.result.granularity_s * factor(len(buckets), _HEAT),
        errors=table(_of_class(groups, job_class), redact, marks),
        exists=job.totals["p"] > 0,
        read_at=answer.read_at,
    )


def _ask_class(source: Source, job_class: str, period: str) -> Plan[_Answer]:
    def ask() -> Plan[_Answer]:
        # An empty name cannot be asked for; no job has it either.
        name = job_class or "-"
        result = yield from Metrics(fleet=source.fleet).for_job.plan(name, **PERIODS[period])
        return _Answer(result, source.now_s)

    return remembered(source.cache, ("metrics_job", period, job_class), ask, ttl_s=LONG_S)


def _runs_chart(job: JobMetrics, answer: _Answer) -> Chart:
    buckets = answer.buckets
    by = factor(len(buckets))
    runs, failed = (merged(dense(job.series[metric], buckets), by) for metric in ("p", "f"))
    return answer.chart([Line("runs", runs), Line("failed", failed)])


def _times_chart(job: JobMetrics, answer: _Answer) -> Chart:
    buckets = answer.buckets
    by = factor(len(buckets))
    lines = [Line("average", averages(job, buckets, by))]
    if job.hist:
        lines.append(Line("p95", tuple(quantile(row, 0.95) for row in merged_histograms(job, buckets, by))))
    return answer.chart(lines)


def _of_class(raw: RawGroups, job_class: str) -> RawGroups:
    groups = tuple(group for group in raw.groups if group.label == job_class and group.error_class)
    return replace(raw, groups=groups, unreadable=0)
