"""Bell: wakes a thread that waits for files, from another thread."""

from __future__ import annotations

import contextlib
import os

from pillion.server.isolation.frames import wait_for


class Bell:
    """It can be waited for together with sockets: its descriptor is readable after `ring`, until `hush`."""

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)

    def fileno(self) -> int:
        """For `wait_for`."""
        return self._reader

    def ring(self) -> None:
        """Wake who waits. Never blocks. Nobody may ring after `close`: the descriptor may be another's by then."""
        with contextlib.suppress(BlockingIOError):  # it is full: it rings already
            os.write(self._writer, b"\0")

    def hush(self) -> None:
        """It has been heard."""
        with contextlib.suppress(BlockingIOError):
            while os.read(self._reader, 512):
                pass

    def wait(self) -> None:
        """Sleep until it is rung."""
        wait_for([self])
        self.hush()

    def close(self) -> None:
        """Free the pipe."""
        os.close(self._reader)
        os.close(self._writer)
