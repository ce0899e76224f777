"""Service: what every long-lived part of a worker process has in common."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol

from pillion.server.reporter import Reporter


class Service(Protocol):
    """Something that starts, goes quiet and stops. Each call may come twice, and `stop` before `start`."""

    def start(self) -> None:
        """Begin to work, in threads of its own."""
        ...

    def quiet(self) -> None:
        """Take nothing new; finish what has begun. Cannot be taken back."""
        ...

    def stop(self, deadline_s: float) -> None:
        """Stop; return when done or at `deadline_s` (a `time.monotonic()` instant), whichever is first."""
        ...


class PeriodicService:
    """A named thread that calls `tick()` again and again until it is stopped.

    `tick` returns how many seconds to wait until its next call. An error is reported, and the next
    try comes after `error_wait_s`.
    """

    def __init__(self, name: str, tick: Callable[[], float], reporter: Reporter, *, error_wait_s: float = 1.0) -> None:
        self.name = name
        self._tick = tick
        self._reporter = reporter
        self._error_wait_s = error_wait_s
        self._stopping = threading.Event()
        self._due = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def stopping(self) -> bool:
        """True once `quiet` or `stop` was called."""
        return self._stopping.is_set()

    def start(self) -> None:
        """Start the thread, once."""
        if self._thread is None and not self.stopping:
            self._thread = threading.Thread(target=self._run, name=f"pillion.{self.name}", daemon=True)
            self._thread.start()

    def hurry(self) -> None:
        """Make the next tick now."""
        self._due.set()

    def quiet(self) -> None:
        """Make no further tick."""
        self._stopping.set()
        self._due.set()

    def stop(self, deadline_s: float) -> None:
        """Make no further tick and wait for the one under way until `deadline_s` (monotonic)."""
        self.quiet()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(max(0.0, deadline_s - time.monotonic()))

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._due.clear()
            try:
                wait_s = self._tick()
            except Exception as exc:  # noqa: BLE001 - a service outlives any single failure
                self._reporter.report(exc, {"context": f"Error in {self.name}"})
                wait_s = self._error_wait_s
            if not self._stopping.is_set():
                self._due.wait(wait_s)
