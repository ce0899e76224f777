"""Family: a child process and all that it has started, which are one process group, as the worker sees them."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import sys

# To the whole group that the process leads, or has led: Linux 6.9, include/uapi/linux/pidfd.h.
_TO_GROUP = 4


class Family:
    """What is left of it can be killed after the death of the zygote, whose task that would be.

    The kernel's own handle is used, and not the number of the process, which may be a stranger's once init has
    collected the orphan. Before Linux 6.9 that works as long as it has not; elsewhere it does not work.

    Parameters: `pid` is that of a child that lives, or has not been collected.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._fd = -1
        if sys.platform == "linux":
            with contextlib.suppress(OSError):
                self._fd = os.pidfd_open(pid)

    def kill(self) -> None:
        """Kill all of them."""
        if self._fd < 0:
            return
        try:
            signal.pidfd_send_signal(self._fd, signal.SIGKILL, None, _TO_GROUP)
        except OSError as exc:
            if exc.errno == errno.EINVAL:
                self._kill_by_number()

    def _kill_by_number(self) -> None:
        with contextlib.suppress(OSError):
            signal.pidfd_send_signal(self._fd, 0)  # fails once it has been collected
            os.killpg(self._pid, signal.SIGKILL)

    def close(self) -> None:
        """Let go of it. Idempotent."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
