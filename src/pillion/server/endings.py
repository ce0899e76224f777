"""How a process ended, in words, and what has to be done about it before its number is given away."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable


def describe_end(exit_code: int) -> str:
    """The end of a process; `exit_code` as of `os.waitstatus_to_exitcode` (negative: a signal)."""
    if exit_code >= 0:
        return f"exit code {exit_code}"
    try:
        return f"signal {signal.Signals(-exit_code).name}"
    except ValueError:
        return f"signal {-exit_code}"


def collect(pid: int, bury: Callable[[int], None], *, wait: bool = False) -> int | None:
    """Take note of the end of a child process. Returns its exit code, None while it lives.

    Parameters: `bury` is called with the exit code while the number of the child, also as that of its process group, is
    still its own: a signal to what it has left behind cannot hit strangers. Only where the kernel does not tell of an
    end without giving the number away (macOS before Python 3.13) it is called right afterwards. `wait` waits for the
    end. Raises ChildProcessError if it is no child of this process.
    """
    can_look = hasattr(os, "waitid")
    if can_look:
        end = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | (0 if wait else os.WNOHANG))
        if end is None:
            return None
        bury(end.si_status if end.si_code == os.CLD_EXITED else -end.si_status)
    found, status = os.waitpid(pid, 0 if wait else os.WNOHANG)
    if not found:
        return None
    exit_code = os.waitstatus_to_exitcode(status)
    if not can_look:
        bury(exit_code)
    return exit_code
