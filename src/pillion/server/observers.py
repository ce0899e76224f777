"""Observers: what features want to know of each run, told so that none of them can harm a job."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pillion.config import Observer

REPORT_EVERY_S = 60.0


def as_one(
    observers: Sequence[Observer],
    report: Callable[[BaseException, Mapping[str, Any]], object],
    clock: Callable[[], float] = time.monotonic,
) -> Observer | None:
    """One observer that tells all and never raises; None if there is nobody to tell.

    An error goes to `report`, but only once in REPORT_EVERY_S: the next job would bring the same. `clock`
    is in seconds.
    """
    if not observers:
        return None
    silent_until_s = float("-inf")

    def failed(exc: BaseException, payload: dict[str, Any]) -> None:
        nonlocal silent_until_s
        now_s = clock()
        if now_s >= silent_until_s:
            silent_until_s = now_s + REPORT_EVERY_S
            report(exc, {"context": "Error in an observer of jobs", "job": payload})

    told = tuple(observers)

    def tell(payload: dict[str, Any], elapsed_s: float, error: BaseException | None) -> None:
        for observe in told:
            try:
                observe(payload, elapsed_s, error)
            except Exception as exc:  # noqa: BLE001 - the job is what counts
                failed(exc, payload)

    return tell
