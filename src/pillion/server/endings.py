"""How a process ended, in words."""

from __future__ import annotations

import signal


def describe_end(exit_code: int) -> str:
    """The end of a process; `exit_code` as of `os.waitstatus_to_exitcode` (negative: a signal)."""
    if exit_code >= 0:
        return f"exit code {exit_code}"
    try:
        return f"signal {signal.Signals(-exit_code).name}"
    except ValueError:
        return f"signal {-exit_code}"
