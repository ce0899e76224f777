"""A survey of a fleet, for doctor and for monitors: who lives, and who died with jobs in hand. Writes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from pillion.api.plan import Plan, ask, ask_all
from pillion.api.process_data import ProcessData
from pillion.errors import DecodeError
from pillion.storage.ops import inspect as records
from pillion.storage.ops import reap, stats, survey
from pillion.storage.ops.base import Op
from pillion.wire import codec

# Ops of one round trip: a page of answers stays small, and no other client waits long for it.
PAGE = 200
# Of dead owners, more are counted but not looked at: what to do about 100 is what to do about 1000.
DEAD_OWNERS_LOOKED_AT = 100


@dataclass(slots=True, frozen=True)
class DeadOwner:
    """A process that has died, with the number of jobs it had in flight."""

    identity: str
    jobs: int = 0


def processes() -> Plan[list[ProcessData]]:
    """The live processes, sorted by identity. One that is listed but has no record any more is dead.

    Unlike `ProcessSet` it leaves the dead on the list: who only looks must not change what is seen.
    """
    names = sorted((yield from ask(stats.identities())))
    replies = yield from _in_pages([records.process_record(name) for name in names])
    pairs = zip(names, replies, strict=True)
    return [ProcessData(name.decode(errors="replace"), fields) for name, fields in pairs if "info" in fields]


def dead_owners() -> Plan[list[DeadOwner]]:
    """Processes that have died and whose jobs nobody has taken back yet, sorted by identity."""
    owners = yield from ask(reap.owners())
    names = sorted(owners)
    alive = yield from _in_pages([reap.lives(name) for name in names])
    dead = [name for name, lives in zip(names, alive, strict=True) if not lives]
    found: list[DeadOwner] = []
    for name in dead[:DEAD_OWNERS_LOOKED_AT]:
        held = yield from ask_all([survey.jobs_held(queue, name) for queue in owned_queues(owners[name])])
        found.append(DeadOwner(name, sum(held)))
    return found + [DeadOwner(name) for name in dead[DEAD_OWNERS_LOOKED_AT:]]


def _in_pages(ops: Sequence[Op[Any]]) -> Plan[list[Any]]:
    replies: list[Any] = []
    for start in range(0, len(ops), PAGE):
        replies += yield from ask_all(ops[start : start + PAGE])
    return replies


def owned_queues(record: bytes) -> tuple[str, ...]:
    """The queues that the record of an owner names; none if it cannot be read."""
    try:
        listed = codec.loads_job(record).get("queues")
    except DecodeError:
        return ()
    return tuple(str(name) for name in cast("list[object]", listed)) if isinstance(listed, list) else ()
