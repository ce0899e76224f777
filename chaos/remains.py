"""What processes have left of themselves in Redis, after the last has stopped.

What the engine promises, and no more (src/pillion: server/launcher.py, storage/lua/retire.lua, storage/prune.py):
nobody owns anything. Who stopped in order has taken itself off the list of processes, has emptied what it said of its
work, and has given up the scheduler's lock. Its record ends by its TTL; so does all that the killed have left but their
place in the list, which the living look through once a minute, if any are left.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

import redis

# "host:pid:nonce", and what begins with it.
_OF_A_PROCESS = re.compile(r"[^:{}]+:(?P<pid>\d+):[0-9a-f]+(?P<what>|:work|-signals)")


def left_behind(
    raw: redis.Redis, *, orderly: Collection[int] = (), killed: Collection[int] = (), foreign: Collection[int] = ()
) -> list[str]:
    """What should not be there.

    Parameters: `orderly` are the processes that lived until the end of the run and were stopped then, with Redis at
    hand; `killed` those that met a sudden death; `foreign` those that are none of ours.
    """
    keys: list[bytes] = raw.keys("*")  # type: ignore[assignment]
    names = [key.decode(errors="replace") for key in keys]
    owners: dict[bytes, bytes] = raw.hgetall("pl:owners")  # type: ignore[assignment]
    held = [name for name in names if name.startswith(("{queue:", "pl:alive:"))]
    held += [f"pl:owners {name.decode()}" for name in owners]
    return [*held, *_listed(raw, {*killed, *foreign}), *_records(raw, names, orderly, foreign), *_lock(raw, orderly)]


def _listed(raw: redis.Redis, excepted: Collection[int]) -> Iterator[str]:
    listed: set[bytes] = raw.smembers("processes")  # type: ignore[assignment]
    for name in sorted(each.decode() for each in listed):
        if _pid(name) not in excepted:
            yield f"processes {name}"


def _records(
    raw: redis.Redis, names: Collection[str], orderly: Collection[int], foreign: Collection[int]
) -> Iterator[str]:
    for name in names:
        found = _OF_A_PROCESS.fullmatch(name)
        if found is None or int(found["pid"]) in foreign:
            continue
        if int(raw.ttl(name)) == -1:  # type: ignore[arg-type]
            yield f"{name} without an expiry"
        elif found["what"] == ":work" and int(found["pid"]) in orderly:
            yield name


def _lock(raw: redis.Redis, orderly: Collection[int]) -> Iterator[str]:
    holder: bytes | None = raw.get("pl:scheduler")  # type: ignore[assignment]
    if holder is not None and (_pid(holder.decode()) in orderly or raw.ttl("pl:scheduler") == -1):
        yield f"pl:scheduler {holder.decode()}"


def _pid(identity: str) -> int:
    """0 for what is no identity."""
    found = _OF_A_PROCESS.fullmatch(identity)
    return int(found["pid"]) if found else 0
