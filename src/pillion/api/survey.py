"""A survey of a fleet: its processes, its queues, and jobs in dead hands. For doctor and for monitors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from pillion.api.plan import Plan, ask, ask_all
from pillion.api.record import JobData
from pillion.errors import DecodeError
from pillion.storage.ops import reap, survey
from pillion.storage.ops.base import Op
from pillion.wire import codec
from pillion.wire.timestamps import to_seconds

# Ops of one round trip: a page of answers stays small, and no other client waits long for it.
PAGE = 200
# Of dead owners, more are counted but not looked at: what to do about 100 is what to do about 1000.
DEAD_OWNERS_LOOKED_AT = 100


@dataclass(slots=True, frozen=True)
class ProcessFacts:
    """A live worker process, of any language. `beat_at` is epoch seconds, `rtt_s` its own PING."""

    identity: str
    queues: tuple[str, ...] = ()
    quiet: bool = False
    beat_at: float | None = None
    busy: int = 0
    concurrency: int = 0
    rtt_s: float | None = None


@dataclass(slots=True, frozen=True)
class QueueFacts:
    """A queue: jobs that wait in it, and how long the oldest of them has waited."""

    name: str
    size: int = 0
    latency_s: float = 0.0
    paused: bool = False


@dataclass(slots=True, frozen=True)
class OwnerFacts:
    """A process that has died, with the number of jobs it had in flight."""

    identity: str
    jobs: int = 0


# -- asking ----------------------------------------------------------------------------------------------


def processes() -> Plan[list[ProcessFacts]]:
    """The live processes, sorted by identity. One that is listed but has no record any more is dead."""
    names = sorted((yield from _all_names(survey.process_names)))
    records = yield from _in_pages([survey.process_record(name) for name in names])
    found = (read_process(name, record) for name, record in zip(names, records, strict=True))
    return [process for process in found if process is not None]


def queues(now_s: float) -> Plan[list[QueueFacts]]:
    """Every queue that was ever pushed to and not cleared, sorted by name."""
    names = sorted((yield from _all_names(survey.queue_names)))
    paused = set((yield from ask(survey.paused_queues())))
    sizes = yield from _in_pages([survey.queue_size(name) for name in names])
    waiting = [name for name, size in zip(names, sizes, strict=True) if size]
    oldest = yield from _in_pages([survey.oldest_job(name) for name in waiting])
    latency_s = {
        name: JobData(payload).waited_s(now_s)
        for name, payload in zip(waiting, oldest, strict=True)
        if payload is not None
    }
    return [
        QueueFacts(name, size, latency_s.get(name, 0.0), name in paused)
        for name, size in zip(names, sizes, strict=True)
    ]


def dead_owners() -> Plan[list[OwnerFacts]]:
    """Processes that have died and whose jobs nobody has taken back yet, sorted by identity."""
    records = yield from ask(reap.owners())
    names = sorted(records)
    alive = yield from _in_pages([reap.lives(name) for name in names])
    dead = [name for name, lives in zip(names, alive, strict=True) if not lives]
    found: list[OwnerFacts] = []
    for name in dead[:DEAD_OWNERS_LOOKED_AT]:
        held = yield from ask_all([survey.jobs_held(queue, name) for queue in owned_queues(records[name])])
        found.append(OwnerFacts(name, sum(held)))
    return found + [OwnerFacts(name) for name in dead[DEAD_OWNERS_LOOKED_AT:]]


def _all_names(step: Callable[[int], Op[tuple[int, list[str]]]]) -> Plan[set[str]]:
    """All members of a set, page by page; a member may come twice while the set changes."""
    cursor, names = yield from ask(step(0))
    found = set(names)
    while cursor:
        cursor, names = yield from ask(step(cursor))
        found.update(names)
    return found


def _in_pages(ops: Sequence[Op[Any]]) -> Plan[list[Any]]:
    replies: list[Any] = []
    for start in range(0, len(ops), PAGE):
        replies += yield from ask_all(ops[start : start + PAGE])
    return replies


# -- reading, without I/O -----------------------------------------------------------------------------------


def read_process(identity: str, record: Sequence[bytes | None]) -> ProcessFacts | None:
    """A process from its survey.PROCESS_FIELDS; None if it is dead. Old and foreign records are fine."""
    raw_info, quiet, beat, busy, concurrency, rtt_us = record
    if raw_info is None:
        return None
    try:
        info = codec.loads_job(raw_info)
    except DecodeError:
        info = {}
    rtt = _number(rtt_us)
    return ProcessFacts(
        identity,
        served_queues(info),
        quiet=quiet == b"true",
        beat_at=to_seconds(_number(beat)),
        busy=int(_number(busy) or 0),
        concurrency=int(_number(concurrency) or _number(info.get("concurrency")) or 0),
        rtt_s=None if rtt is None else rtt / 1_000_000,
    )


def served_queues(info: dict[str, Any]) -> tuple[str, ...]:
    """The queues a process record names: in its capsules, or in the older list (wire-format 7.3)."""
    capsules = info.get("capsules")
    names: list[str] = []
    for capsule in _values(capsules):
        names += _keys(cast("dict[str, object]", capsule).get("weights") if isinstance(capsule, dict) else None)
    listed = info.get("queues")
    names += [str(name) for name in cast("list[object]", listed)] if isinstance(listed, list) else []
    return tuple(dict.fromkeys(names))


def owned_queues(record: bytes) -> tuple[str, ...]:
    """The queues that the record of an owner names."""
    try:
        listed = codec.loads_job(record).get("queues")
    except DecodeError:
        return ()
    return tuple(str(name) for name in cast("list[object]", listed)) if isinstance(listed, list) else ()


def _values(value: object) -> Iterable[object]:
    return list(cast("dict[str, object]", value).values()) if isinstance(value, dict) else []


def _keys(value: object) -> list[str]:
    return list(cast("dict[str, object]", value)) if isinstance(value, dict) else []


def _number(value: object) -> float | None:
    try:
        return float(cast("Any", value))
    except (TypeError, ValueError):
        return None
