"""How sizes change: samples that a dashboard takes as it looks, kept in its memory for an hour.

Design record. Who pushes and who takes is counted nowhere by queue, and a counter in the path of a job costs
something for each job. A dashboard that is looked at sees the sizes anyway; the price is that after a
restart it has to look for some seconds before it can say more, and that gaps are gaps.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping
from typing import Final

MINUTES: Final = 60
_EVERY_S: Final = 4.0
_LATELY_S: Final = 300.0
_LEAST_S: Final = 8.0
_MOST_NAMES: Final = 2000


class Trends:
    """Samples of numbers by name. Times are epoch seconds. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._fine: deque[tuple[float, Mapping[str, float]]] = deque()
        self._minutes: deque[tuple[int, Mapping[str, float]]] = deque(maxlen=MINUTES)

    def add(self, at_s: float, values: Mapping[str, float]) -> None:
        """Note the values of a moment; more often than every 4 s it is not needed, and does nothing."""
        with self._lock:
            if self._fine and at_s - self._fine[-1][0] < _EVERY_S:
                return
            kept = dict(list(values.items())[:_MOST_NAMES])
            self._fine.append((at_s, kept))
            while at_s - self._fine[0][0] > _LATELY_S:
                self._fine.popleft()
            minute = int(at_s // 60)
            if self._minutes and self._minutes[-1][0] == minute:
                self._minutes.pop()
            self._minutes.append((minute, kept))

    def per_minute(self, name: str, now_s: float, value: float) -> float | None:
        """How much a value changes in a minute, over the last five at most; None if that is not known yet."""
        with self._lock:
            samples = [(at_s, seen[name]) for at_s, seen in self._fine if name in seen]
        if not samples or now_s - samples[0][0] < _LEAST_S:
            return None
        return (value - samples[0][1]) / (now_s - samples[0][0]) * 60

    def history(self, name: str, now_s: float) -> tuple[float | None, ...]:
        """The last 60 minutes, oldest first, up to now; None for a minute in which nobody looked."""
        with self._lock:
            seen = {minute: values.get(name) for minute, values in self._minutes}
        last = int(now_s // 60)
        return tuple(seen.get(minute) for minute in range(last - MINUTES + 1, last + 1))
