"""Ends the demo's workers if the demo itself is killed. Loaded with `pillion run -r`.

The demo holds one end of a pipe, the workers the other. When the demo is gone, by kill -9 too, reading
from the pipe comes to an end, and the supervisor is told to stop as by Ctrl-C.
"""

from __future__ import annotations

import os
import signal
import threading

FD_VARIABLE = "PILLION_DEMO_LEASH"


def _watch(fd: int, supervisor: int) -> None:
    os.read(fd, 1)
    if os.getppid() == supervisor:
        os.kill(supervisor, signal.SIGTERM)


if FD_VARIABLE in os.environ:
    threading.Thread(
        target=_watch, args=(int(os.environ[FD_VARIABLE]), os.getppid()), name="pillion.leash", daemon=True
    ).start()
