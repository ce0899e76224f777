"""Counters and sizes, as ops (wire-format 6)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

from pillion.storage.ops.base import Op, raw
from pillion.wire import keys


def total(stat_key: str) -> Op[int]:
    """An all-time counter; 0 if nothing was counted yet."""
    return Op(("GET", stat_key), number)


def per_day(stat_key: str, days: Sequence[date]) -> Op[list[int]]:
    """The counters of some UTC days, in that order; 0 for a day without one."""
    return Op(("MGET", *(keys.stat_day(stat_key, day) for day in days)), _numbers)


def reset(stat_keys: Iterable[str]) -> Op[Any]:
    """Set all-time counters to 0. Those of the days stay."""
    return Op(("MSET", *(part for key in stat_keys for part in (key, 0))), raw)


def job_set_size(key: str) -> Op[int]:
    """How many jobs are in `schedule`, `retry` or `dead`."""
    return Op(("ZCARD", key), int)


def process_count() -> Op[int]:
    """How many processes are listed."""
    return Op(("SCARD", keys.PROCESSES), int)


def identities() -> Op[list[bytes]]:
    """All listed processes, sorted, in one reply."""
    return Op(("SMEMBERS", keys.PROCESSES), sorted)


def busy(identity: bytes) -> Op[int]:
    """How many jobs a process is running."""
    return Op(("HGET", identity, "busy"), number)


def queue_names() -> Op[list[str]]:
    """Every queue that was ever pushed to."""
    return Op(("SMEMBERS", keys.QUEUES), _texts)


def paused_queues() -> Op[list[str]]:
    """The queues that are paused."""
    return Op(("SMEMBERS", keys.PAUSED), _texts)


def number(reply: Any) -> int:
    """A counter's value; 0 for what is missing or no whole number."""
    try:
        return int(reply or 0)
    except ValueError:
        return 0


def _numbers(reply: Any) -> list[int]:
    return [number(value) for value in reply]


def _texts(reply: Any) -> list[str]:
    return sorted(bytes(name).decode(errors="replace") for name in reply)
