"""The buckets of the metrics: which minute, which ten minutes, and how each is called (wire-format 8 and 9).

All names are of UTC. The paddings differ: a rollup has the hour as it is and the minute with two
digits (`250214|8:03`), a histogram has neither padded, and no month (`14-8:3`).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

MINUTE_S: Final = 60
TEN_MINUTES_S: Final = 600
RUNS, FAILURES, TIME_MS = "p", "f", "ms"


@dataclass(slots=True, frozen=True)
class Counts:
    """What was counted of one class: failed runs, milliseconds and histogram of the others."""

    failed: int
    time_ms: int
    histogram: Sequence[int]

    @property
    def runs(self) -> int:
        """All runs. Each that has not failed is in the histogram once."""
        return self.failed + sum(self.histogram)

    def __add__(self, other: Counts) -> Counts:
        summed = tuple(map(int.__add__, self.histogram, other.histogram))
        return Counts(self.failed + other.failed, self.time_ms + other.time_ms, summed)


def minute(at_s: float) -> str:
    """The minute of an epoch time, as in the key of a rollup: `250214|8:03`."""
    at = time.gmtime(at_s)
    return f"{at.tm_year % 100:02d}{at.tm_mon:02d}{at.tm_mday:02d}|{at.tm_hour}:{at.tm_min:02d}"


def ten_minutes(at_s: float) -> str:
    """The ten minutes of an epoch time, as in the key of a rollup: `250214|8:0`."""
    return minute(at_s)[:-1]


def histogram_minute(at_s: float) -> str:
    """The minute of an epoch time, as in the key of a histogram: `14-8:3`."""
    at = time.gmtime(at_s)
    return f"{at.tm_mday}-{at.tm_hour}:{at.tm_min}"


def field(job_class: str, metric: str) -> str:
    """The field of a class in a rollup: `Class|p`."""
    return f"{job_class}|{metric}"


def read_field(name: bytes) -> tuple[str, str]:
    """Class and metric of a field. The class may have `|` in it, the metric has none; ("", "") for what is no field."""
    job_class, bar, metric = name.decode(errors="replace").rpartition("|")
    return (job_class, metric) if bar else ("", "")


def label(at_s: float, width_s: int) -> str:
    """The ISO time at which the bucket of `width_s` seconds around an epoch time begins: `2025-02-14T08:03:00Z`."""
    return datetime.fromtimestamp(at_s // width_s * width_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def read_label(text: str) -> float | None:
    """The epoch seconds of a label, or of another ISO time; None for what is none."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def days(first_s: float, last_s: float) -> list[date]:
    """The UTC days from one epoch time to another, both included."""
    first, last = (datetime.fromtimestamp(at_s, UTC).date() for at_s in (first_s, last_s))
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]
