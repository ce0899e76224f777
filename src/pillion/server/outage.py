"""Outage: what is said while Redis is away, or refuses something, and when it is tried again."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from pillion.server.reporter import Reporter

log = logging.getLogger("pillion")

OUTAGE_WAIT_S = 1.0
REPORT_REFUSAL_EVERY_S = 60.0


class Outage:
    """Of one capsule. `try_again` is called when something has to be tried again later."""

    def __init__(self, reporter: Reporter, try_again: Callable[[], None]) -> None:
        self._reporter = reporter
        self._try_again = try_again
        self._down_since_s = 0.0
        self._next_try_s = 0.0
        self._report_refusal_at_s = 0.0

    @property
    def is_on(self) -> bool:
        """Whether Redis did not answer when it was asked last."""
        return bool(self._down_since_s)

    @property
    def is_too_early(self) -> bool:
        """Whether it is too early to try again what has just failed."""
        return time.monotonic() < self._next_try_s

    def note(self, exc: BaseException) -> None:
        """Redis does not answer. It is reported once."""
        self._try_later()
        if not self._down_since_s:
            self._down_since_s = time.monotonic()
            self._reporter.report(exc, {"context": "Error fetching jobs"})

    def note_refusal(self, exc: BaseException) -> None:
        """Redis would not carry out the outcome of a job. It stays in the outbox, and is said now and then."""
        self._try_later()
        now_s = time.monotonic()
        if now_s >= self._report_refusal_at_s:
            self._report_refusal_at_s = now_s + REPORT_REFUSAL_EVERY_S
            self._reporter.report(exc, {"context": "Redis refuses what became of a job; trying each second"})

    def over(self) -> None:
        """Redis has answered."""
        if self._down_since_s:
            log.info("Redis is back, %.1f s of downtime", time.monotonic() - self._down_since_s)
            self._down_since_s = 0.0

    def _try_later(self) -> None:
        self._next_try_s = time.monotonic() + OUTAGE_WAIT_S
        self._try_again()
