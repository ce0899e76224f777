"""Who works, what waits, and who died with jobs in hand, as ops: what doctor and monitors look at."""

from __future__ import annotations

from typing import Any

from pillion.storage.ops.base import Op
from pillion.wire import keys

PROCESS_FIELDS = ("info", "quiet", "beat", "busy", "concurrency", "rtt_us")


def process_names(cursor: int) -> Op[tuple[int, list[str]]]:
    """One step through the identities of the listed processes. Ends when the cursor is 0 again."""
    return Op(("SSCAN", keys.PROCESSES, cursor, "COUNT", 200), _page)


def process_record(identity: str) -> Op[list[bytes | None]]:
    """The PROCESS_FIELDS of a process; all None if it is dead."""
    return Op(("HMGET", keys.process(identity), *PROCESS_FIELDS), list)


def queue_names(cursor: int) -> Op[tuple[int, list[str]]]:
    """One step through the names of all queues."""
    return Op(("SSCAN", keys.QUEUES, cursor, "COUNT", 200), _page)


def queue_size(name: str) -> Op[int]:
    """How many jobs wait in a queue."""
    return Op(("LLEN", keys.queue(name)), int)


def oldest_job(name: str) -> Op[bytes | None]:
    """The payload that has waited longest in a queue."""
    return Op(("LINDEX", keys.queue(name), -1), _bytes_or_none)


def paused_queues() -> Op[list[str]]:
    """The names of the queues that are paused (wire-format 12)."""
    return Op(("SMEMBERS", keys.PAUSED), _texts)


def jobs_held(queue: str, identity: str) -> Op[int]:
    """How many jobs of a queue a process has in flight."""
    return Op(("HLEN", keys.inflight(queue, identity)), int)


def counters() -> Op[tuple[int, int]]:
    """The all-time counters: processed (failures included) and failed."""
    return Op(("MGET", keys.STAT_PROCESSED, keys.STAT_FAILED), _two_numbers)


# -- reading replies -----------------------------------------------------------------------------------


def _page(reply: Any) -> tuple[int, list[str]]:
    return int(reply[0]), _texts(reply[1])


def _texts(reply: Any) -> list[str]:
    return [_text(name) for name in reply]


def _text(name: bytes) -> str:
    return name.decode("utf-8", "replace")


def _bytes_or_none(reply: Any) -> bytes | None:
    return None if reply is None else bytes(reply)


def _two_numbers(reply: Any) -> tuple[int, int]:
    return _whole(reply[0]), _whole(reply[1])


def _whole(value: bytes | None) -> int:
    """A counter; what is no number counts as 0."""
    try:
        return int(value or 0)
    except ValueError:
        return 0
