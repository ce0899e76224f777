"""Interruption: how a job in a child learns that it must end now.

The worker writes INTERRUPT on the line and has the zygote send a SIGTERM. The handler runs in the main thread, where
the job is, and raises Shutdown there. A SIGTERM without that word is somebody else's, a service manager's for instance
that sends one to every process: it does nothing, as it is for the worker to say when a job must end.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager

from pillion.errors import Shutdown


class Interruption:
    """Raises Shutdown in the main thread, only while user code runs there, and not amid our own.

    Parameters: `was_told` says whether the worker wants it; it is called by the signal handler.
    """

    def __init__(self, was_told: Callable[[], bool]) -> None:
        self._was_told = was_told
        self._main = threading.get_ident()
        self._in_user_code = False
        self._held = 0
        self._pending = False

    def trap(self) -> None:
        """Handle SIGTERM from now on. Main thread only."""
        signal.signal(signal.SIGTERM, lambda _number, _frame: self._on_signal())

    def _on_signal(self) -> None:
        if not self._in_user_code or not self._was_told():
            return
        if self._held:
            self._pending = True
            return
        raise Shutdown

    @contextmanager
    def allowed(self) -> Generator[None]:
        """Inside, it may come."""
        self._pending = False
        self._in_user_code = True
        try:
            yield
        finally:
            self._in_user_code = False

    @contextmanager
    def held_back(self) -> Generator[None]:
        """Inside, it waits: our own code is at work below user code, and must not be torn apart."""
        if threading.get_ident() != self._main:
            yield
            return
        self._held += 1
        try:
            yield
        finally:
            self._held -= 1
            if self._pending and not self._held:
                self._pending = False
                if self._in_user_code:
                    raise Shutdown
