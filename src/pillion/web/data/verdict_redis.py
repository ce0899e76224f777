"""The rules about Redis. Facts in, reasons out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pillion.web.data.models import Reason
from pillion.web.data.verdict_facts import Facts, see, see_processes
from pillion.web.data.words import counted, percent

MEMORY_SHARE: Final = 0.8
MEMORY_BAD_SHARE: Final = 0.9
CLIENTS_SHARE: Final = 0.9
_KEEP: Final = "Let it refuse writes instead of losing jobs: CONFIG SET maxmemory-policy noeviction, and in redis.conf."


def memory(facts: Facts) -> Iterator[Reason]:
    """Redis is nearly full. Without maxmemory that is the memory of its machine, and the kernel ends it."""
    redis = facts.redis
    limit, used = redis.memory_limit_bytes, redis.used_memory_bytes
    most = MEMORY_SHARE if facts.limits.max_memory_share is None else facts.limits.max_memory_share
    if not limit or used is None or used / limit < most:
        return
    share, evicts = used / limit, _evicts(facts)
    whose = "maxmemory" if redis.max_memory_bytes else "its machine's memory"
    then = (
        "jobs can be lost"
        if evicts
        else "soon nothing can be pushed"
        if redis.max_memory_bytes
        else "the kernel may end it"
    )
    policy = f", policy {redis.maxmemory_policy}" if redis.max_memory_bytes and redis.maxmemory_policy else ""
    yield Reason(
        "fail" if evicts or share >= MEMORY_BAD_SHARE else "warn",
        "redis_memory",
        f"Redis uses {percent(share)} of {whose}{policy}: {then}.",
        {"memory_share": share, "policy": redis.maxmemory_policy, "used_bytes": used, "limit_bytes": limit},
        cures=(
            see("see_queues", "See queues", "queues", sort="size"),
            see("see_dead", "See the dead", "dead"),
            see("see_removed", "See what was removed", "removed"),
        ),
        advice=(
            *((_KEEP,) if evicts else ()),
            "Give it more memory: CONFIG SET maxmemory, and in redis.conf.",
            "What takes room: long queues, the dead, and what was removed and can still be put back.",
        ),
    )


def eviction(facts: Facts) -> Iterator[Reason]:
    """Redis may throw keys away, one day."""
    redis = facts.redis
    share = redis.memory_share
    if not redis.max_memory_bytes or not _evicts(facts) or (share is not None and share >= MEMORY_SHARE):
        return
    text = f"Redis throws keys away when its memory is full (policy {redis.maxmemory_policy}): jobs can be lost."
    yield Reason("warn", "redis_eviction", text, {"policy": redis.maxmemory_policy}, advice=(_KEEP,))


def clients(facts: Facts) -> Iterator[Reason]:
    """Redis lets nobody in soon."""
    redis = facts.redis
    share = redis.clients_share
    if share is None or share < CLIENTS_SHARE:
        return
    text = f"Redis has {redis.connected_clients} of at most {redis.max_clients} clients."
    values = {"clients": redis.connected_clients, "max_clients": redis.max_clients, "clients_share": share}
    advice = ("Raise maxclients, or let processes hold fewer connections.",)
    yield Reason("warn", "redis_clients", text, values, cures=(see_processes(),), advice=advice)


def persistence(facts: Facts) -> Iterator[Reason]:
    """Redis cannot write to its disk."""
    for kind, is_fine in (("aof", facts.redis.aof_last_write_ok), ("rdb", facts.redis.rdb_last_save_ok)):
        if is_fine is False and (kind == "rdb" or facts.redis.aof_enabled):
            what = "append-only file" if kind == "aof" else "snapshot"
            text = f"Redis could not write its {what}: a restart loses jobs, and it may refuse new ones."
            advice = ("Look at the disk of Redis' machine, and into its log.",)
            yield Reason("fail", "redis_persistence", text, {"kind": kind}, advice=advice)


def replica(facts: Facts) -> Iterator[Reason]:
    """The wrong Redis."""
    if facts.redis.role == "replica":
        advice = ("Connect the dashboard, and workers above all, to the primary or its Sentinels.",)
        text = "This Redis is a replica: nothing can be changed here, and what is shown may be old."
        yield Reason("fail", "redis_replica", text, advice=advice)


def wrong_keys(facts: Facts) -> Iterator[Reason]:
    """Somebody else writes to our keys."""
    wrong = [problem for problem in facts.overview.problems if problem.code == "wrong_type"]
    if wrong:
        key = wrong[0].part
        text = f"{counted(len(wrong), 'key')} of a wrong type, such as {key!r}: something else writes to this database."
        advice = ("Look what it holds: TYPE, then rename it. Give Pillion a database of its own.",)
        yield Reason("fail", "wrong_keys", text, {"count": len(wrong), "key": key}, advice=advice)


def _evicts(facts: Facts) -> bool:
    policy = facts.redis.maxmemory_policy
    return policy is not None and policy != "noeviction"


REDIS_RULES = (memory, replica, persistence, wrong_keys, eviction, clients)
