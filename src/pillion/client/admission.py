"""Admission: pushes to queues that have a limit (F026). No I/O: the clients send, and wait between tries.

    replies = run_all(batch.ops)              the ops of the guards come first
    while (pause_s := admission.pause_after(replies)):
        sleep pause_s; replies = run_all(admission.ops())
    admission.jids

The time waited is the sum of the pauses, so that no clock is needed here.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from pillion.config import QueueLimit
from pillion.errors import DecodeError, QueueFull
from pillion.storage.ops.base import Op
from pillion.storage.ops.push import Refusal, oldest_job, push_limited, queue_size
from pillion.wire.codec import loads_job
from pillion.wire.timestamps import to_seconds

FIRST_PAUSE_S: Final = 0.01
LONGEST_PAUSE_S: Final = 0.25

_log = logging.getLogger("pillion")


class Guard(NamedTuple):
    """The jobs of one round trip for one queue with a limit. `places` are their positions in the batch."""

    queue: str
    limit: QueueLimit
    now_ms: int
    places: list[int]
    payloads: list[bytes]

    def op(self, waited_s: float = 0.0) -> Op[Refusal | None]:
        """Push all of them, or none."""
        limit, now_ms = self.limit, self.now_ms + int(waited_s * 1000)
        size, latency_s = limit.max_size, limit.max_latency_s
        return push_limited(self.queue, self.payloads, max_size=size, max_latency_s=latency_s, now_ms=now_ms)

    def error(self, refusal: Refusal) -> QueueFull:
        """The error for a refusal."""
        return QueueFull(
            self.queue,
            refusal.size,
            self.limit.max_size,
            count=len(self.payloads),
            latency_s=refusal.latency_s,
            max_latency_s=self.limit.max_latency_s,
        )

    def may_wait(self, waited_s: float) -> bool:
        """Whether there is still time for room to appear, and so much room can appear at all."""
        limit = self.limit
        fits = limit.max_size is None or len(self.payloads) <= limit.max_size
        return limit.on_full == "wait" and fits and waited_s < limit.wait_timeout_s


class Admission:
    """What becomes of the guarded jobs of one batch. `jids` has None for each that was dropped."""

    def __init__(self, jids: Sequence[str | None], guards: Sequence[Guard]) -> None:
        self.jids = list(jids)
        self._open = list(guards)
        self._waited_s = 0.0
        self._next_pause_s = FIRST_PAUSE_S

    def pause_after(self, replies: Sequence[Any]) -> float:
        """Take the replies of a round trip; return seconds to wait before the next, 0 if all is done.

        Raises QueueFull for the first queue that has no room and may not, or no longer, wait.
        """
        refused = [(guard, reply) for guard, reply in zip(self._open, replies, strict=False) if reply is not None]
        self._open = [guard for guard, _ in refused if guard.may_wait(self._waited_s)]
        for guard, refusal in refused:
            if guard in self._open:
                continue
            if guard.limit.on_full == "drop":
                self._drop(guard)
            else:
                raise guard.error(refusal)
        return self._pause()

    def ops(self) -> list[Op[Any]]:
        """What to send in the next round trip."""
        return [guard.op(self._waited_s) for guard in self._open]

    def _pause(self) -> float:
        if not self._open:
            return 0.0
        left_s = min(guard.limit.wait_timeout_s for guard in self._open) - self._waited_s
        pause_s = min(self._next_pause_s, left_s)
        self._next_pause_s = min(2 * self._next_pause_s, LONGEST_PAUSE_S)
        self._waited_s += pause_s
        return pause_s

    def _drop(self, guard: Guard) -> None:
        for place in guard.places:
            self.jids[place] = None
        _log.info("Queue %s is full: %d jobs were dropped", guard.queue, len(guard.places))


# -- pressure ------------------------------------------------------------------------------------------


def pressure_ops(queue: str, limit: QueueLimit) -> list[Op[Any]]:
    """What to ask Redis for the pressure of a queue."""
    return [queue_size(queue)] if limit.max_latency_s is None else [queue_size(queue), oldest_job(queue)]


def pressure_of(limit: QueueLimit, replies: Sequence[Any], now_s: float) -> float:
    """How near a queue is to its limit: 0.0 is empty, 1.0 is full. Of two limits, the nearer one counts."""
    size, *oldest = replies
    parts = [0.0]
    if limit.max_size is not None:
        parts.append(size / limit.max_size)
    if limit.max_latency_s is not None and oldest[0] is not None:
        parts.append((now_s - _enqueued_at(oldest[0], now_s)) / limit.max_latency_s)
    return min(1.0, max(parts))


def _enqueued_at(raw: bytes, now_s: float) -> float:
    """Epoch seconds; `now_s` for a payload that does not say."""
    try:
        at_s = to_seconds(loads_job(raw).get("enqueued_at"))
    except DecodeError:
        return now_s
    return now_s if at_s is None else at_s
