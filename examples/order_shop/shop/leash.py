"""Ends a process of `make shop` when `make shop` itself is gone, even if it was killed.

Whoever starts us holds one end of a pipe, we read from the other. When they are gone, by kill -9 too, there is nothing
more to read, and we stop as if told so. `pillion run -r shop.leash` brings it to the workers.
"""

from __future__ import annotations

import os
import signal
import threading

VARIABLE = "SHOP_LEASH_FD"


def watch() -> None:
    """Stop this process when whoever started it has gone. Does nothing if nobody has put us on a leash."""
    fd = os.environ.get(VARIABLE)
    if fd:
        threading.Thread(target=_wait_and_stop, args=(int(fd),), name="leash", daemon=True).start()


def _wait_and_stop(fd: int) -> None:
    os.read(fd, 1)
    os.kill(os.getpid(), signal.SIGTERM)
