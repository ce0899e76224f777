"""What only doctor and monitors ask for, as ops."""

from __future__ import annotations

from typing import Any

from pillion.storage.ops.base import Op
from pillion.wire import keys


def jobs_held(queue: str, identity: str) -> Op[int]:
    """How many jobs of a queue a process has in flight."""
    return Op(("HLEN", keys.inflight(queue, identity)), int)


def counters() -> Op[tuple[int, int]]:
    """The all-time counters: processed (failures included) and failed."""
    return Op(("MGET", keys.STAT_PROCESSED, keys.STAT_FAILED), _two_numbers)


def _two_numbers(reply: Any) -> tuple[int, int]:
    return _whole(reply[0]), _whole(reply[1])


def _whole(value: bytes | None) -> int:
    """A counter; what is no number counts as 0."""
    try:
        return int(value or 0)
    except ValueError:
        return 0
