"""Kin: what the kernel is told about parent and child: nothing outlives its parent, no signal ends it out of turn."""

from __future__ import annotations

import contextlib
import ctypes  # here, so that all children share it
import os
import signal
import sys
from pathlib import Path
from types import FrameType

_PR_SET_PDEATHSIG = 1
# Added to what the kernel thinks of a child when memory runs out: losing it costs one job, losing the worker costs all.
_OOM_SCORE = 300
# What a terminal or a service manager sends to whole groups. When to end is for the worker to say.
_NOT_FOR_US = ("INT", "HUP", "TERM", "TSTP", "TTIN", "TTOU", "USR2")


def pass_signals_over() -> None:
    """Have signals that are meant for the worker do nothing here, whatever handlers the app has. Main thread only."""
    for name in _NOT_FOR_US:
        signal.signal(signal.Signals[f"SIG{name}"], _pass_over)  # SIG_IGN would be inherited


def _pass_over(_number: int, _frame: FrameType | None) -> None:
    """Nothing to do."""


def die_with(parent_pid: int) -> None:
    """Have the kernel kill this process when its parent ends, where it can (Linux).

    To the kernel, the parent is the thread that has started this process: see `outlive`.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGKILL))
        if os.getppid() != parent_pid:  # it has ended before we said so
            os._exit(1)


def outlive() -> None:
    """Take `die_with` back."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(0))


def be_first_to_go() -> None:
    """Have the kernel choose this process before its worker when memory runs out (Linux)."""
    path = Path("/proc/self/oom_score_adj")
    with contextlib.suppress(OSError, ValueError):
        path.write_text(str(min(1000, int(path.read_text()) + _OOM_SCORE)))


def rss_bytes() -> int:
    """The memory of this process that is in RAM, shared parts included; at its highest where there is no /proc."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


class Parent:
    """The process that has executed this one. Readable, for `wait_for`, once it has ended; else ask `is_gone`."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._fd = -1
        if hasattr(os, "pidfd_open"):
            with contextlib.suppress(OSError):
                self._fd = os.pidfd_open(pid)

    @property
    def is_gone(self) -> bool:
        """Whether it has ended."""
        return os.getppid() != self._pid

    @property
    def can_be_watched(self) -> bool:
        """Whether the kernel tells when it ends."""
        return self._fd >= 0

    def fileno(self) -> int:
        """For `wait_for`."""
        return self._fd

    def close(self) -> None:
        """Let go of it."""
        if self._fd >= 0:
            os.close(self._fd)
