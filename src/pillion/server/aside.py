"""Aside: a few threads for what may block and must not do so on the event loop. They are started as they are needed."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from queue import SimpleQueue

log = logging.getLogger("pillion")

Work = tuple[Callable[..., object], tuple[object, ...]]


class Aside:
    """Up to `most` threads. They are daemons: a handler that never returns must not keep the process from ending."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._threads = 0
        self._unfinished = 0
        self._waiting: SimpleQueue[Work | None] = SimpleQueue()
        self._lock = threading.Lock()

    def do(self, task: Callable[..., object], *args: object) -> None:
        """Call `task(*args)` in another thread, soon and once. What it raises is logged."""
        if self._has_thread():
            self._waiting.put((task, args))
        else:
            self._carry_out(task, args)  # the system has no threads left: late is better than never

    def close(self) -> None:
        """Let the threads end once they have done what there is."""
        with self._lock:
            threads, self._threads = self._threads, 0
        for _ in range(threads):
            self._waiting.put(None)

    def _has_thread(self) -> bool:
        with self._lock:
            self._unfinished += 1
            if self._unfinished > self._threads < self._most:
                thread = threading.Thread(target=self._live, name=f"pillion.aside-{self._threads + 1}", daemon=True)
                try:
                    thread.start()
                except RuntimeError:
                    return self._threads > 0
                self._threads += 1
            return True

    def _live(self) -> None:
        while (work := self._waiting.get()) is not None:
            self._carry_out(*work)

    def _carry_out(self, task: Callable[..., object], args: tuple[object, ...]) -> None:
        try:
            task(*args)
        except BaseException:
            log.exception("Error beside the event loop")
        finally:
            with self._lock:
                self._unfinished -= 1
