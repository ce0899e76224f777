"""An error for tests of what crosses between processes, in a module that costs nothing to import."""

from __future__ import annotations

import threading


class SentinelError(Exception):
    """An error that both sides can import, and that does not pickle: it has a lock, and wants two arguments."""

    def __init__(self, what: str, retry_after_s: int) -> None:
        super().__init__(what)
        self.retry_after_s = retry_after_s
        self.lock = threading.Lock()

    def __str__(self) -> str:
        return f"{self.args[0]}, again in {self.retry_after_s} s"
