"""Lifecycle: calls the hooks of `config.on(event)` in the right order (behaviour 12)."""

from __future__ import annotations

import threading

from pillion.config import Config, Event
from pillion.server.reporter import Reporter

# Set up in the order given, taken down in the opposite one, like the frames of a stack.
_REVERSED: frozenset[Event] = frozenset({"quiet", "shutdown", "exit", "child_exit"})
_ONCE: frozenset[Event] = frozenset({"startup", "quiet", "shutdown", "exit", "child_start", "child_exit"})
# A process that could not set itself up must not take jobs.
_NEEDED: frozenset[Event] = frozenset({"startup", "child_start"})


class Lifecycle:
    """Fires lifecycle events. `heartbeat` and `beat` may be fired again and again, the others act once."""

    def __init__(self, config: Config, reporter: Reporter) -> None:
        self._config = config
        self._reporter = reporter
        self._fired: set[Event] = set()
        self._lock = threading.Lock()

    def fire(self, event: Event) -> None:
        """Call the hooks of `event`.

        Raises what a `startup` or `child_start` hook raises.
        What hooks of the other events raise is reported, and the remaining hooks still run.
        """
        if not self._claim(event):
            return
        hooks = self._config.hooks(event)
        for hook in reversed(hooks) if event in _REVERSED else hooks:
            try:
                hook()
            except (Exception, SystemExit) as exc:
                if event in _NEEDED:
                    raise
                self._reporter.report(exc, {"context": f"Exception during lifecycle event {event}", "event": event})

    def _claim(self, event: Event) -> bool:
        with self._lock:
            if event in self._fired:
                return False
            if event in _ONCE:
                self._fired.add(event)
            return True
