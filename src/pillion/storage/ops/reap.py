"""Owners of jobs, their leases, and taking jobs back from owners whose lease has ended, as ops."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from math import inf
from typing import Any, Final, cast

from pillion.storage.ops.base import Op, call
from pillion.wire import keys

# Held for some seconds by the process that looks for dead owners, so that not all processes look.
SWEEP_LOCK: Final = "pl:reaper"
# Exists for an hour after the whole keyspace was searched for jobs without an owner.
SEARCH_LOCK: Final = "pl:reaper:search"

# The jobs that were in flight at two deaths or more, by the name their recoveries are counted under.
SUSPECTS: Final = "pl:suspects"
# The recovery that makes a job a suspect.
SUSPECT_AT: Final = 2

# What the give-back scripts answer when nothing was touched.
OWNER_LIVES: Final = -1
TOO_MANY_RECOVERIES: Final = -2

# Tokens count up from 1 in each process; what was taken last has the largest. Exact as a Lua number.
_AFTER_ALL_TOKENS: Final = 2**52


# -- owners and leases -----------------------------------------------------------------------------


def register(identity: str, record: bytes) -> Op[int]:
    """Enter a process as an owner of jobs and give it its first lease, in one step."""
    names = (keys.OWNERS, keys.alive(identity))
    return call("register", names, (identity, record, keys.ALIVE_TTL_S), int)


def enter(identity: str, record: bytes) -> Op[int]:
    """Enter or correct the record of an owner, without touching its lease."""
    return Op(("HSET", keys.OWNERS, identity, record), int)


def renew(identity: str) -> Op[bool]:
    """Renew a lease. False: it had run out, so others may have taken this owner for dead."""
    return call("renew", (keys.alive(identity),), (keys.ALIVE_TTL_S,), bool)


def retire(identity: str, queues: Iterable[str], *, force: bool) -> Op[int]:
    """Strike an owner off, with its lease and its process record, if nothing is left with it.

    1 struck off, 0 it still holds jobs, OWNER_LIVES its lease runs (never with `force`).
    """
    held = chain.from_iterable((keys.inflight(name, identity), keys.waiting(name, identity)) for name in queues)
    names = (keys.OWNERS, keys.alive(identity), keys.PROCESSES, keys.company(identity), *held)
    return call("retire", names, (identity, int(force)), int)


def owners() -> Op[dict[str, bytes]]:
    """Every owner's record, by identity."""
    return Op(("HGETALL", keys.OWNERS), _text_keys)


def owner(identity: str) -> Op[bytes | None]:
    """The record of one owner."""
    return Op(("HGET", keys.OWNERS, identity), _bytes_or_none)


def lives(identity: str) -> Op[bool]:
    """Whether the lease of an owner runs."""
    return Op(("EXISTS", keys.alive(identity)), bool)


def lease_left(identity: str) -> Op[float]:
    """For how many seconds the lease of an owner still runs: 0 if it has ended, infinite if it has no end."""
    return Op(("PTTL", keys.alive(identity)), _seconds_left)


def claim_search(identity: str, ttl_s: int) -> Op[bool]:
    """Claim the search for jobs without an owner, for this hour."""
    return Op(("SET", SEARCH_LOCK, identity, "NX", "EX", ttl_s), bool)


def search(cursor: int, count: int = 1000) -> Op[tuple[int, list[bytes]]]:
    """One step through the keys that belong to an owner and a queue. Ends when the cursor is 0 again."""
    return Op(("SCAN", cursor, "MATCH", "{queue:*}:*", "COUNT", count), _page)


# -- giving back -----------------------------------------------------------------------------------


def tokens(queue: str, identity: str) -> Op[list[bytes]]:
    """The tokens of the jobs an owner has in flight from a queue, in no order."""
    return Op(("HKEYS", keys.inflight(queue, identity)), list)


def payloads(queue: str, identity: str, tokens: Sequence[bytes]) -> Op[list[bytes | None]]:
    """The payloads of these tokens; None for one that is settled by now."""
    return Op(("HMGET", keys.inflight(queue, identity), *tokens), list)


def reclaim(queue: str, identity: str, token: bytes, job_key: str, *, limit: int, force: bool) -> Op[int]:
    """Hand one job back, counting the recovery under `job_key`.

    Returns the number of this recovery; 0 if the job was no longer there; OWNER_LIVES; or
    TOO_MANY_RECOVERIES if this would be number `limit`. In the last three nothing was touched.
    """
    names = (
        keys.alive(identity),
        keys.inflight(queue, identity),
        keys.queue(queue),
        keys.recoveries(job_key),
        SUSPECTS,
    )
    return call("reclaim", names, (token, int(force), limit, keys.RECOVERY_TTL_S, SUSPECT_AT, job_key), int)


def suspects() -> Op[list[str]]:
    """The jobs that came back from dead processes SUSPECT_AT times, and have not ended since."""
    return Op(("SMEMBERS", SUSPECTS), _names)


def any_suspects() -> Op[bool]:
    """Whether there are such jobs."""
    return Op(("EXISTS", SUSPECTS), bool)


def absolve(job_key: str) -> Op[int]:
    """A suspect has ended without killing its process."""
    return Op(("SREM", SUSPECTS, job_key), int)


def note_company(identity: str) -> Op[bool]:
    """Note that several jobs in the hands of a dead owner may have been its death."""
    return Op(("SET", keys.company(identity), 1, "EX", keys.RECOVERY_TTL_S), bool)


def had_company(identity: str) -> Op[bool]:
    """Whether that was noted."""
    return Op(("EXISTS", keys.company(identity)), bool)


def was_recovered(job_key: str) -> Op[bool]:
    """Whether a job came back from a dead process within RECOVERY_TTL_S."""
    return Op(("EXISTS", keys.recoveries(job_key)), bool)


def recovery_counts(job_keys: Sequence[str]) -> Op[list[int]]:
    """How often each of these jobs came back from a dead process within RECOVERY_TTL_S."""
    return Op(("MGET", *(keys.recoveries(key) for key in job_keys)), lambda reply: [int(count or 0) for count in reply])


def bury_poison(
    queue: str,
    identity: str,
    token: bytes,
    job_key: str,
    payload: bytes | None,
    *,
    now_s: float,
    max_jobs: int,
    timeout_s: int,
    force: bool,
) -> Op[int]:
    """Move one job in flight to the dead set as `payload` (None: drop it), and trim that set.

    1 done, 0 the job was no longer there, OWNER_LIVES nothing was touched.
    """
    names = (keys.alive(identity), keys.inflight(queue, identity), keys.recoveries(job_key), keys.DEAD, SUSPECTS)
    argv = (token, int(force), payload or b"", now_s, now_s - timeout_s, max_jobs, job_key)
    return call("poison", names, argv, int)


def claim_waiting(queue: str, identity: str, *, limit: int, force: bool) -> Op[int]:
    """Put up to `limit` jobs of a private wait list in flight, after all that are. The number, or OWNER_LIVES."""
    names = (keys.alive(identity), keys.waiting(queue, identity), keys.inflight(queue, identity))
    return call("claim_waiting", names, (int(force), limit, _AFTER_ALL_TOKENS), int)


# -- reading replies -------------------------------------------------------------------------------


def _text_keys(reply: Any) -> dict[str, bytes]:
    # RESP3 answers a map, RESP2 a flat list.
    pairs: Iterable[tuple[bytes, bytes]]
    if isinstance(reply, dict):
        pairs = cast("dict[bytes, bytes]", reply).items()
    else:
        pairs = zip(reply[::2], reply[1::2], strict=True)
    return {key.decode(errors="replace"): value for key, value in pairs}


def _bytes_or_none(reply: Any) -> bytes | None:
    return None if reply is None else bytes(reply)


def _names(reply: Any) -> list[str]:
    return [name.decode(errors="replace") for name in reply]


def _seconds_left(reply: Any) -> float:
    milliseconds = int(reply)
    return inf if milliseconds == -1 else max(0, milliseconds) / 1000


def _page(reply: Any) -> tuple[int, list[bytes]]:
    return int(reply[0]), list(reply[1])
