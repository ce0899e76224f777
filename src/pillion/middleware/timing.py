"""Timing: one measurement for each run of a job, also of one that fails (F126).

    config.server_middleware.add(Timing(lambda name, ms, tags: statsd.timing(name, ms, tags=tags)))

The name is `sidekiq.job.duration`, as a Ruby fleet's dashboards have it. The tags are `class`, `queue` and `outcome`:
"ok", "error", or "interrupted" for a job that stopped early and goes on later.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Generator, Mapping
from typing import Any, Final

from pillion.errors import Interrupted, Shutdown

NAME: Final = "sidekiq.job.duration"
WARN_EVERY_S: Final = 60.0
# Called with the name, milliseconds, and the tags.
Emit = Callable[[str, float, Mapping[str, str]], object]

_log = logging.getLogger("pillion.timing")


def log_timing(name: str, ms: float, tags: Mapping[str, str]) -> None:
    """Write a measurement to the logger "pillion.timing", at INFO."""
    _log.info("%s %.1f ms %s", name, ms, " ".join(f"{key}={value}" for key, value in tags.items()))


class Timing:
    """Give `emit(name, milliseconds, tags)` one measurement for each run; without it, log them.

    What `emit` raises is logged once a minute and harms no job. `clock` is in seconds. Add one object, not the
    class: only the object remembers that it has complained.
    """

    def __init__(
        self, emit: Emit = log_timing, *, name: str = NAME, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._emit = emit
        self._name = name
        self._clock = clock
        self._lock = threading.Lock()
        self._silent_until_s = float("-inf")

    def __call__(self, job: Any, payload: dict[str, Any], queue: str) -> Generator[None]:  # noqa: ARG002
        """Run the job and measure it."""
        began_s, outcome = self._clock(), "error"
        try:
            yield
            outcome = "ok"
        except (Interrupted, Shutdown):
            outcome = "interrupted"
            raise
        finally:
            tags = {"class": _class_of(payload), "queue": queue, "outcome": outcome}
            self._tell((self._clock() - began_s) * 1000, tags)

    def _tell(self, ms: float, tags: Mapping[str, str]) -> None:
        try:
            self._emit(self._name, ms, tags)
        except Exception as exc:  # noqa: BLE001 - the job is what counts
            with self._lock:
                now_s = self._clock()
                if now_s < self._silent_until_s:
                    return
                self._silent_until_s = now_s + WARN_EVERY_S
            _log.warning("A measurement could not be sent (said once a minute at most)", exc_info=exc)


def _class_of(payload: Mapping[str, Any]) -> str:
    return str(payload.get("wrapped") or payload.get("class") or "")
