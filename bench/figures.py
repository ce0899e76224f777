"""What is made of many numbers, the same everywhere in the bench."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence


def spread(values: Iterable[float], digits: int = 0) -> str:
    """Median, and the range in brackets."""
    found = list(values)
    middle = f"{statistics.median(found):,.{digits}f}"
    return f"{middle} ({min(found):,.{digits}f} to {max(found):,.{digits}f})" if len(found) > 1 else middle


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` of the sorted `values` lie."""
    return values[min(len(values) - 1, int(len(values) * share))]
