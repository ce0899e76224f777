"""Turn: which thread fetches. One at a time, with nobody kept from the jobs that are here already.

Design record. Not a lock. A thread that waits for a lock may get it while another one runs, and has it then until it
gets Python's interpreter lock too, which is up to 5 ms later. So threads that wait for jobs would always own the
right to fetch, and never use it as long as there are jobs. Here nobody owns what he has not begun.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager


class Turn:
    """Safe to use from any thread."""

    def __init__(self) -> None:
        self._over = threading.Condition()
        self._is_taken = False

    def take_if(self, is_due: Callable[[], object]) -> bool:
        """Take the turn now, if nobody has it and `is_due()`. Whoever got True calls `end`."""
        with self._over:
            if self._is_taken or not is_due():
                return False
            self._is_taken = True
            return True

    def take_unless(self, is_enough: Callable[[], object]) -> bool:
        """Take the turn as soon as nobody has it, unless `is_enough()` by then. Whoever got True calls `end`."""
        with self._over:
            while not is_enough():  # asked once each time: what is enough now may be gone when asked again
                if not self._is_taken:
                    self._is_taken = True
                    return True
                self._over.wait()
            return False

    def end(self) -> None:
        """The turn is over: others look again."""
        with self._over:
            self._is_taken = False
            self._over.notify_all()

    @contextmanager
    def alone(self) -> Generator[None]:
        """Inside the block nobody fetches."""
        self.take_unless(lambda: False)
        try:
            yield
        finally:
            self.end()
