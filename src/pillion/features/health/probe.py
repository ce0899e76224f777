"""Probe: a number of your business, watched like those of the queues (F213, F214)."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass

from pillion.features.health.alert import PROBE, Alert

log = logging.getLogger("pillion")


@dataclass(slots=True, frozen=True)
class Probe:
    """A number that must not be above `most`: `Probe("orders paid but not sent", count_unsent, most=0)`.

    Parameters: `name` says what it is, for people; `measure` is called without arguments by each
    `HealthMonitor.run_once` and returns the number. One that raises is an alert too.
    """

    name: str
    measure: Callable[[], float]
    most: float

    def alerts(self) -> list[Alert]:
        """The alert, or none."""
        try:
            value = float(self.measure())
            if not math.isfinite(value):  # it compares with nothing, and JSON cannot say it
                raise ValueError(f"{value} is no number")
        except Exception as exc:
            log.exception("The probe %r of the health monitor failed", self.name)
            return [Alert(PROBE, self.name, 0, self.most, f"{self.name} cannot be measured: {exc!r}", "critical")]
        if value <= self.most:
            return []
        return [Alert(PROBE, self.name, value, self.most, f"{self.name}: {value:g} (limit {self.most:g})")]
