"""Series of metrics: several buckets in one, so that a chart stays readable; and quantiles of histograms. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from pillion.api.metrics import JobMetrics
from pillion.web.data.models import Bar
from pillion.wire import histogram

MOST_BUCKETS: Final = 120


def factor(buckets: int, most: int = MOST_BUCKETS) -> int:
    """How many buckets go into one, for at most `most`."""
    return max(1, -(-buckets // most))


def merged(values: Sequence[float], by: int) -> tuple[float, ...]:
    """The sums of `by` values each. Counted from the end, so that the newest is whole, as far as it can be."""
    first = len(values) % by
    head = (sum(values[:first]),) if first else ()
    return (*head, *(sum(values[at : at + by]) for at in range(first, len(values), by)))


def first_of_each(values: Sequence[float], by: int) -> tuple[float, ...]:
    """What each of the merged buckets begins with."""
    first = len(values) % by
    return (*values[:1], *values[first::by]) if first else tuple(values[::by])


def dense(series: Mapping[str, float], buckets: Sequence[str]) -> list[float]:
    """A series with 0 where there is nothing."""
    return [float(series.get(bucket, 0)) for bucket in buckets]


def averages(job: JobMetrics, buckets: Sequence[str], by: int) -> tuple[float | None, ...]:
    """Seconds a run, of the runs that did not fail; None where there were none."""
    times, runs, failed = (merged(dense(job.series[name], buckets), by) for name in ("s", "p", "f"))
    return tuple(
        total / (ran - wrong) if ran > wrong else None for total, ran, wrong in zip(times, runs, failed, strict=True)
    )


def merged_histograms(job: JobMetrics, buckets: Sequence[str], by: int) -> tuple[tuple[int, ...], ...]:
    """Counts of the 26 buckets of time, fastest first, for each of the merged buckets."""
    rows = [job.hist[bucket][::-1] if bucket in job.hist else [0] * histogram.BUCKETS for bucket in buckets]
    first = len(rows) % by
    parts = ([rows[:first]] if first else []) + [rows[at : at + by] for at in range(first, len(rows), by)]
    return tuple(tuple(map(sum, zip(*part, strict=True))) for part in parts)


def summed(rows: Sequence[Sequence[int]]) -> list[int]:
    """One histogram of many."""
    return list(map(sum, zip(*rows, strict=True))) if rows else [0] * histogram.BUCKETS


def bars(counts: Sequence[int]) -> tuple[Bar, ...]:
    """A histogram, fastest first."""
    bounds: list[float | None] = [bound / 1000 for bound in histogram.BOUNDS_MS]
    return tuple(
        Bar(label, upto, count) for label, upto, count in zip(histogram.LABELS, [*bounds, None], counts, strict=True)
    )


def quantile(counts: Sequence[int], share: float) -> float | None:
    """About so many seconds does a run take that is slower than `share` of all; None without runs.

    Within a bucket runs are taken as spread evenly; of the slowest bucket only its beginning is known.
    """
    total = sum(counts)
    if not total:
        return None
    bounds = [0.0, *(bound / 1000 for bound in histogram.BOUNDS_MS)]
    passed, wanted = 0, share * total
    for number, count in enumerate(counts):
        if count and passed + count >= wanted:
            low = bounds[number]
            high = bounds[number + 1] if number + 1 < len(bounds) else low
            return low + (high - low) * (wanted - passed) / count
        passed += count
    return bounds[-1]
