"""The histogram of run times: 26 buckets from 20 ms to "Slow" (wire-format 8.2)."""

from __future__ import annotations

from bisect import bisect_right
from typing import Final

# Upper bounds in milliseconds, exclusive; the last bucket has none.
BOUNDS_MS: Final = (
    20, 30, 45, 65, 100, 150, 225, 335, 500, 750, 1100, 1700, 2500,
    3800, 5750, 8500, 13_000, 20_000, 30_000, 45_000, 65_000, 100_000, 150_000, 225_000, 335_000,
)  # fmt: skip
BUCKETS: Final = len(BOUNDS_MS) + 1

LABELS: Final = (
    "20ms", "30ms", "45ms", "65ms", "100ms", "150ms", "225ms", "335ms", "500ms", "750ms", "1.1s", "1.7s", "2.5s",
    "3.8s", "5.75s", "8.5s", "13s", "20s", "30s", "45s", "65s", "100s", "150s", "225s", "335s", "Slow",
)  # fmt: skip


def bucket_of(time_ms: float) -> int:
    """The bucket of a run of `time_ms` milliseconds: the first whose bound is above it, so 20 ms is in bucket 1."""
    return bisect_right(BOUNDS_MS, time_ms)
