"""Pushing: the commands that put payloads into queues and into the schedule (wire-format 2.1 and 3.1).

Plain commands, not a script: they are what Ruby sends, so a Redis proxy, an ACL or a MONITOR sees
nothing new. They are not a transaction, and need not be: a queue name without jobs harms nobody, so
SADD goes first. Only a queue with a limit needs a script: to look and to push must be one step there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

from pillion.storage.ops.base import Arg, Op, call, command
from pillion.wire import keys

# How long a wake-up may lie around. The elected scheduler takes it at once; without one nobody needs it.
WAKE_TTL_S: Final = 5


def push_now(groups: Mapping[str, Sequence[bytes]]) -> list[Op[Any]]:
    """Enqueue payloads: for each queue name (without prefix) its payloads, the first to run first.

    One SADD with all names, then one LPUSH for each queue. Returns no ops for no groups.
    """
    if not groups:
        return []
    pushes = [command("LPUSH", keys.queue(name), *payloads) for name, payloads in groups.items()]
    return [_make_known(*groups), *pushes]


def push_one(queue: str, payload: bytes) -> list[Op[Any]]:
    """Enqueue one payload: `push_now` of one, which is what most pushes are."""
    return [_make_known(queue), command("LPUSH", keys.queue(queue), payload)]


@lru_cache(maxsize=256)
def _make_known(*queues: str) -> Op[Any]:
    return command("SADD", keys.QUEUES, *queues)


def push_later(entries: Sequence[tuple[float, bytes]], *, wake: bool) -> list[Op[Any]]:
    """Put (due time in epoch seconds, payload) pairs into the schedule, in one ZADD.

    The time is written as it prints: 5 stays `5`, a float has its shortest form. With `wake`, the
    elected scheduler is told to look again at once, for entries that are due before its next look.
    """
    if not entries:
        return []
    members = [part for at, payload in entries for part in (repr(at), payload)]
    later = [command("ZADD", keys.SCHEDULE, *members)]
    return [*later, *wake_scheduler()] if wake else later


def wake_scheduler() -> list[Op[Any]]:
    """Leave one wake-up for the elected scheduler, however many were left before."""
    return [
        command("LPUSH", keys.SCHEDULER_WAKE, "1"),
        command("LTRIM", keys.SCHEDULER_WAKE, 0, 0),
        command("EXPIRE", keys.SCHEDULER_WAKE, WAKE_TTL_S),
    ]


class Refusal(NamedTuple):
    """Why a limited push was refused: how many jobs wait, and the age of the oldest if that was too high."""

    size: int
    latency_s: float | None


def push_limited(
    queue: str, payloads: Sequence[bytes], *, max_size: int | None, max_latency_s: float | None, now_ms: int
) -> Op[Refusal | None]:
    """Enqueue all payloads unless that passes a limit of the queue; else none, and say why (F026).

    The cost for Redis does not grow with the queue.
    """
    max_latency_ms = "" if max_latency_s is None else int(max_latency_s * 1000)
    argv: tuple[Arg, ...] = (queue, "" if max_size is None else max_size, max_latency_ms, now_ms, *payloads)
    return call("push_limited", (keys.queue(queue), keys.QUEUES), argv, _refusal)


def _refusal(reply: Any) -> Refusal | None:
    if not reply:
        return None
    size, latency_ms = reply
    return Refusal(int(size), None if latency_ms < 0 else latency_ms / 1000)


def queue_size(queue: str) -> Op[int]:
    """How many jobs wait in a queue."""
    return Op(("LLEN", keys.queue(queue)), int)


def oldest_job(queue: str) -> Op[bytes | None]:
    """The payload of a queue that runs next; None if there is none."""
    return command("LINDEX", keys.queue(queue), -1)
