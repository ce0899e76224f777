"""What doctor looks at, gathered in one go; and Finding, what it says of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from pillion.api import survey
from pillion.api.plan import Plan, ask
from pillion.api.process_data import ProcessData
from pillion.api.redis_info import RedisInfo, RedisSnapshot
from pillion.api.stats import QueueSummary, Stats
from pillion.api.survey import DeadOwner
from pillion.errors import RedisError, RedisUnavailable
from pillion.storage.ops import server
from pillion.wire.recognise import is_ours

T = TypeVar("T")

Level = Literal["ok", "warn", "fail"]

# Each SCAN looks at about so many keys, and there are so many at most.
KEYS_A_SCAN = 100
SCANS = 10
SHOWN_KEYS = 5


@dataclass(slots=True, frozen=True)
class Finding:
    """One thing that was examined.

    `level` is "ok", "warn" (it works, and one day it will not) or "fail" (jobs are lost or stand still,
    now or at the next restart). `cure` says what to do; "" if there is nothing to do.
    """

    level: Level
    name: str
    what_is: str
    why_it_matters: str = ""
    cure: str = ""


@dataclass(slots=True, frozen=True)
class KeySample:
    """Some keys of the database: how many were looked at, how many of them nobody here uses, and a few of those."""

    sampled: int = 0
    foreign: int = 0
    examples: tuple[str, ...] = ()


@dataclass(slots=True)
class Facts:
    """Everything that the rules go by. A part that Redis refused is empty, and `refused` has its words."""

    redis: RedisSnapshot
    keys: KeySample = field(default_factory=KeySample)
    processes: Sequence[ProcessData] = ()
    queues: Sequence[QueueSummary] = ()
    dead_owners: Sequence[DeadOwner] = ()
    refused: dict[str, str] = field(default_factory=dict[str, str])


def counted(number: int, word: str) -> str:
    """A number with its word: "1 job", "2 jobs", "3 processes"."""
    ending = "" if number == 1 else "es" if word.endswith("s") else "s"
    return f"{number} {word}{ending}"


def gather(info: RedisInfo) -> Plan[Facts]:
    """Ask for everything. Raises RedisError if not even a PING is answered."""
    facts = Facts((yield from info.snapshot.plan()))
    facts.keys = yield from _part(facts, "keys", _sample_keys(), facts.keys)
    facts.processes = yield from _part(facts, "processes", survey.processes(), [])
    facts.queues = yield from _part(facts, "queues", Stats(fleet=info.fleet).queue_summaries.plan(), ())
    facts.dead_owners = yield from _part(facts, "owners", survey.dead_owners(), [])
    yield from _part(facts, "scripts", ask(server.run_a_script()), 1)
    return facts


def _part(facts: Facts, name: str, plan: Plan[T], otherwise: T) -> Plan[T]:
    try:
        return (yield from plan)
    except RedisUnavailable:
        raise
    except RedisError as refusal:
        facts.refused[name] = str(refusal)
        return otherwise


def _sample_keys() -> Plan[KeySample]:
    cursor, names = yield from ask(server.sample_keys(0, KEYS_A_SCAN))
    for _ in range(SCANS - 1):
        if cursor == 0:
            break
        cursor, more = yield from ask(server.sample_keys(cursor, KEYS_A_SCAN))
        names += more
    foreign = sorted({name for name in names if not is_ours(name)})
    return KeySample(len(set(names)), len(foreign), tuple(foreign[:SHOWN_KEYS]))
