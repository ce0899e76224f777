"""Minder: a small process that ends the others if `pillion dev` itself is killed.

It reads from a pipe whose other end only `pillion dev` holds: "+123" for a process group that lives from now on, "-123"
for one that has ended. When the pipe ends, by kill -9 too, what is left gets TERM, and KILL after a while.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterable

GRACE_S = 8.0
_LOOK_EVERY_S = 0.1


def main(orders: Iterable[str], grace_s: float = GRACE_S) -> None:
    """Follow `orders` to their end, then end the groups that are left."""
    groups: set[int] = set()
    for order in orders:
        sign, group = order[0], int(order[1:])
        groups.add(group) if sign == "+" else groups.discard(group)
    _send(groups, signal.SIGTERM)
    deadline_s = time.monotonic() + grace_s
    # One that has ended gets no further signal: its number may be another's before the others have ended.
    while (groups := set(filter(_lives, groups))) and time.monotonic() < deadline_s:
        time.sleep(_LOOK_EVERY_S)  # they are nobody's children any more: there is nothing to wait for
    _send(groups, signal.SIGKILL)


def _send(groups: Iterable[int], number: signal.Signals) -> None:
    for group in groups:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, number)


def _lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


if __name__ == "__main__":
    for name in ("INT", "TERM", "HUP", "TSTP"):
        signal.signal(signal.Signals[f"SIG{name}"], signal.SIG_IGN)
    main(sys.stdin)
