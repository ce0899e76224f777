"""Doctor: is this fleet well? Facts are gathered, rules say what they mean (F074, F075, F213)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from shlex import quote

from pillion.api import doctor_redis
from pillion.api.call import call
from pillion.api.doctor_facts import Facts, Finding, Level, counted, gather
from pillion.api.fleet import DEFAULT, Fleet
from pillion.api.plan import Plan
from pillion.api.redis_info import RedisInfo
from pillion.errors import RedisError

__all__ = ["Doctor", "Facts", "Finding", "Level", "diagnose", "worst"]

# So many names in one finding; who has more of them needs no longer list to know what to do.
SHOWN = 10


class Doctor:
    """Examine a fleet: its Redis, its workers, its queues. Changes nothing.

    Parameters: `fleet` says which Redis (this process's own).
    """

    def __init__(self, *, fleet: Fleet | None = None) -> None:
        self.fleet = fleet or DEFAULT

    @call(
        *("INFO", "CONFIG GET", "TIME", "PING", "SCAN", "HMGET", "SMEMBERS", "LLEN", "LINDEX", "HGETALL"),
        *("EXISTS", "HLEN", "EVALSHA"),
        cost="O(P + Q), P = processes, Q = queues; 1000 keys are sampled",
        trips="about 30, one more for every 200 processes, and one for each dead one (100 at most)",
    )
    def examine(self) -> Plan[list[Finding]]:
        """What is found, one `Finding` for each thing that was looked at, in a fixed order.

        A Redis that cannot be reached or does not let us in is a finding too ("connection"), not an error.
        """
        try:
            facts = yield from gather(RedisInfo(fleet=self.fleet))
        except RedisError as exc:
            why = "Nothing can be pushed, and no worker can work."
            return [Finding("fail", "connection", str(exc), why, "Correct what the message names, then look again.")]
        return diagnose(facts)


def worst(findings: Iterable[Finding]) -> Level:
    """The gravest level among findings."""
    levels = {finding.level for finding in findings}
    return "fail" if "fail" in levels else "warn" if "warn" in levels else "ok"


def diagnose(facts: Facts) -> list[Finding]:
    """What facts mean. No I/O."""
    rules = (*doctor_redis.RULES, access, workers, served, paused, orphans)
    found = (rule(facts) for rule in rules)
    return [finding for finding in found if finding is not None]


# -- the rules about the fleet ----------------------------------------------------------------------------


def access(facts: Facts) -> Finding | None:
    """Parts of the fleet that this user may not see."""
    hidden = {name: words for name, words in facts.refused.items() if name in ("processes", "queues", "owners")}
    if not hidden:
        return None
    what = f"could not look at {_listed(hidden)}. {next(iter(hidden.values()))}"
    why = "Workers need these keys; the rules about them were skipped."
    return Finding("fail", "access", what, why, "Give this user all keys: ACL SETUSER NAME ~* &* +@all -@admin")


def workers(facts: Facts) -> Finding | None:
    """Whether anybody works."""
    if "processes" in facts.refused:
        return None
    if not facts.processes:
        why = "Jobs are accepted and never run."
        return Finding("fail", "workers", "no worker: no process has reported for a minute", why, "pillion run MODULE")
    running = [process for process in facts.processes if not process.is_quiet]
    busy, threads = (sum(getattr(process, name) for process in facts.processes) for name in ("busy", "concurrency"))
    what = f"{counted(len(facts.processes), 'process')}, {busy} of {counted(threads, 'thread')} busy"
    if running:
        return Finding("ok", "workers", what)
    why = "A quiet worker takes no new jobs. During a deploy that is right; it must not last."
    return Finding("warn", "workers", f"{what}, and all of them are quiet", why, "Start new workers.")


def served(facts: Facts) -> Finding | None:
    """Whether every queue with jobs has a worker."""
    if "processes" in facts.refused or "queues" in facts.refused:
        return None
    if any(not process.queues for process in facts.processes):
        return Finding("ok", "served", "cannot tell: a process does not say which queues it serves")
    known = {name for process in facts.processes for name in process.queues}
    left = {queue.name: queue.size for queue in facts.queues if queue.size and queue.name not in known}
    if not left:
        return Finding("ok", "served", "every queue with jobs has a worker")
    names = _listed([f"{name} ({counted(size, 'job')})" for name, size in left.items()])
    why = "Their jobs wait for ever: no live process fetches from them."
    cure = f"pillion run MODULE -q {quote(next(iter(left)))}, or correct the queue's name where it is pushed to."
    return Finding("fail", "served", f"nobody serves {names}", why, cure)


def paused(facts: Facts) -> Finding | None:
    """Queues that stand still on purpose, and may have been forgotten."""
    names = [f"{queue.name} ({counted(queue.size, 'job')})" for queue in facts.queues if queue.is_paused]
    if not names:
        return None
    why = "Its jobs wait until it is resumed." if len(names) == 1 else "Their jobs wait until they are resumed."
    cure = "When the reason has passed: pillion queues resume QUEUE"
    return Finding("warn", "paused", f"paused: {_listed(names)}", why, cure)


def orphans(facts: Facts) -> Finding | None:
    """Jobs that a dead process had in flight. Live ones give them back within a minute or so."""
    if "owners" in facts.refused:
        return None
    if not facts.dead_owners:
        return Finding("ok", "orphans", "no job is held by a dead process")
    jobs = sum(owner.jobs for owner in facts.dead_owners)
    names = _listed([owner.identity for owner in facts.dead_owners])
    what = f"{counted(len(facts.dead_owners), 'process')} died with {counted(jobs, 'job')} in flight: {names}"
    why = "Live workers give such jobs back to their queues within a minute or two."
    cure = (
        "Start a worker: it takes them back."
        if not facts.processes
        else "Look again in two minutes; then into the log of a worker."
    )
    return Finding("warn", "orphans", what, why, cure)


def _listed(names: Sequence[str] | Iterable[str]) -> str:
    all_names = list(names)
    more = f" and {len(all_names) - SHOWN} more" if len(all_names) > SHOWN else ""
    return ", ".join(all_names[:SHOWN]) + more
