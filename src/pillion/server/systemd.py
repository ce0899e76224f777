"""Systemd: tells the service manager that we are ready, stopping, alive (behaviour 23).

Nothing here does anything unless the environment names NOTIFY_SOCKET.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping

READY = "READY=1"
STOPPING = "STOPPING=1"
WATCHDOG = "WATCHDOG=1"


class Notifier:
    """Sends state lines to the manager's socket. Send errors are raised: a wrong unit must not go unseen."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._path = environ.get("NOTIFY_SOCKET", "")

    def __bool__(self) -> bool:
        return bool(self._path)

    def notify(self, *lines: str) -> None:
        """Send these lines as one datagram; a leading @ in the path means the abstract namespace."""
        if not self._path:
            return
        address = "\0" + self._path[1:] if self._path.startswith("@") else self._path
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.sendto("\n".join(lines).encode(), address)


def watchdog_interval_s(environ: Mapping[str, str], pid: int) -> float | None:
    """Seconds between two WATCHDOG=1: half of what the manager waits. None if it does not watch this process.

    Intervals below one second are refused (None): they would fire on every hiccup of the machine.
    """
    if environ.get("WATCHDOG_PID", str(pid)) != str(pid):
        return None
    try:
        interval_s = int(environ.get("WATCHDOG_USEC", "0")) / 2_000_000
    except ValueError:
        return None
    return interval_s if interval_s >= 0.5 else None
