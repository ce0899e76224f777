"""Observers: what features want to know of each run, told so that none of them can harm a job."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pillion.config import Observer

REPORT_EVERY_S = 60.0
Report = Callable[[BaseException, Mapping[str, Any]], object]


class Observers:
    """Those to tell of a run, and what happens when one of them fails.

    Its errors go to `report`, but only one in REPORT_EVERY_S: the next job would bring the same. `clock` is
    in seconds.
    """

    def __init__(self, each: Sequence[Observer], report: Report, clock: Callable[[], float] = time.monotonic) -> None:
        self.each = tuple(each)
        self._report = report
        self._clock = clock
        self._silent_until_s = float("-inf")

    def tell(self, payload: dict[str, Any], elapsed_s: float, error: BaseException | None) -> None:
        """Tell each of a run of `payload` that took `elapsed_s` seconds and ended with `error`. Never raises."""
        for observe in self.each:
            try:
                observe(payload, elapsed_s, error)
            except (Exception, SystemExit) as exc:  # noqa: BLE001 - the job is what counts
                self.failed(exc, payload)

    def failed(self, exc: BaseException, payload: dict[str, Any]) -> None:
        """An observer has raised `exc` on the job `payload`."""
        now_s = self._clock()
        if now_s >= self._silent_until_s:
            self._silent_until_s = now_s + REPORT_EVERY_S
            self._report(exc, {"context": "Error in an observer of jobs", "job": payload})
