"""The name of every Redis key that Pillion touches, and how long the short-lived ones live.

The bare names are Sidekiq's (wire-format 1). Our own start with `pl:`; those that must share a
Redis Cluster slot with a queue wrap that queue's key in braces, so that `queue:NAME` itself, which
Ruby reads, keeps its bare name.
"""

from __future__ import annotations

from datetime import date
from typing import Final

QUEUES: Final = "queues"
SCHEDULE: Final = "schedule"
RETRY: Final = "retry"
DEAD: Final = "dead"
PAUSED: Final = "paused"  # set of the bare names of paused queues, as Sidekiq Pro has it (wire-format 1)
PROCESSES: Final = "processes"
PROCESS_CLEANUP: Final = "process_cleanup"
DEAR_LEADER: Final = "dear-leader"  # identity of the leader of a Ruby fleet (Sidekiq Enterprise)
PROFILES: Final = "profiles"
STAT_PROCESSED: Final = "stat:processed"
STAT_FAILED: Final = "stat:failed"
OWNERS: Final = "pl:owners"
SCHEDULER_LOCK: Final = "pl:scheduler"
SCHEDULER_WAKE: Final = "pl:scheduler:wake"
CONTROL: Final = "pl:control"  # a pub/sub channel: the name of a queue that was just paused or unpaused
HEALTH: Final = "pl:health"
AUDIT: Final = "pl:audit"  # stream of what people did on the dashboard
BULKS: Final = "pl:bulks"  # hash of the operations on many jobs: id to record
TRASH: Final = "pl:trash"  # sorted set of undo ids, scored with the time they expire

STAT_TTL_S: Final = 157_680_000  # five years of 365 days
PROCESS_TTL_S: Final = 60
SIGNAL_TTL_S: Final = 60
ITERATION_TTL_S: Final = 2_592_000  # 30 days
PROGRESS_TTL_S: Final = 3600
ALIVE_TTL_S: Final = 30
RECOVERY_TTL_S: Final = 72 * 3600
ROLLUP_MINUTE_TTL_S: Final = 8 * 3600
ROLLUP_TEN_MINUTES_TTL_S: Final = 72 * 3600
HISTOGRAM_TTL_S: Final = 8 * 3600
BULK_TTL_S: Final = 86_400
DEPLOY_LOCK_TTL_S: Final = 60
DEPLOY_MARKS_TTL_S: Final = 90 * 86_400


def queue(name: str) -> str:
    """List of waiting payloads; the tail runs next (wire-format 2)."""
    return f"queue:{name}"


def inflight(name: str, identity: str) -> str:
    """Hash of the payloads that a process holds from a queue: token to exact bytes."""
    return f"{{queue:{name}}}:inflight:{identity}"


def waiting(name: str, identity: str) -> str:
    """List into which a blocking fetch of an idle process moves one payload of a queue."""
    return f"{{queue:{name}}}:wait:{identity}"


def process(identity: str) -> str:
    """Hash that describes a process; its key is the bare identity (wire-format 7.2)."""
    return identity


def work(identity: str) -> str:
    """Hash of what a process is running: thread id to work JSON (wire-format 7.5)."""
    return f"{identity}:work"


def work_before_6_4_2(identity: str) -> str:
    """Where Sidekiq up to 6.4.1 keeps what `work` does."""
    return f"{identity}:workers"


def signals(identity: str) -> str:
    """List through which dashboards send TSTP and TERM to a process (wire-format 7.6)."""
    return f"{identity}-signals"


def alive(identity: str) -> str:
    """String that exists as long as the process, or its supervisor, renews it."""
    return f"pl:alive:{identity}"


def recoveries(jid: str) -> str:
    """Counter of how often a job came back from a dead process."""
    return f"pl:recovered:{jid}"


def company(identity: str) -> str:
    """String that exists if several of the jobs that a dead process held may have been its death."""
    return f"pl:company:{identity}"


def iteration(jid: str) -> str:
    """Hash with how far an iterable job has come (wire-format 10)."""
    return f"it-{jid}"


def progress(jid: str) -> str:
    """String with how far a job is, in percent (F137)."""
    return f"job:progress:{jid}"


def lock(key: str) -> str:
    """String that exists while somebody holds a lock: the token of the holder."""
    return f"pl:lock:{key}"


def once(key: str) -> str:
    """String that says that something was done, until it expires: the id of the job that did it."""
    return f"pl:once:{key}"


def circuit(name: str) -> str:
    """Counter of the latest failures of a service."""
    return f"pl:circuit:{name}"


def stat_day(stat_key: str, day: date) -> str:
    """Counter of one UTC day, such as `stat:processed:2026-11-21` (wire-format 6)."""
    return f"{stat_key}:{day.year:04d}-{day.month:02d}-{day.day:02d}"


def trash(undo_id: str) -> str:
    """What was removed with undo: a list or sorted set with the jobs, until it expires."""
    return f"{TRASH}:{undo_id}"


def trash_note(undo_id: str) -> str:
    """Hash that says where the jobs of `trash(undo_id)` came from."""
    return f"{TRASH}:{undo_id}:note"


def bulk_stop(bulk_id: str) -> str:
    """String that exists if an operation on many jobs is to stop."""
    return f"pl:bulk:{bulk_id}:stop"


def bulk_lease(bulk_id: str) -> str:
    """String that exists while somebody is at work on that operation."""
    return f"pl:bulk:{bulk_id}:lease"


def rollup(bucket: str) -> str:
    """Hash of what all classes did in a bucket, such as `j|250214|8:03` (wire-format 8.1; `wire.rollup`)."""
    return f"j|{bucket}"


def histogram(job_class: str, minute: str) -> str:
    """Bit field with the run times of a class in a minute, such as `h|HardJob-14-8:3` (wire-format 8.2)."""
    return f"h|{job_class}-{minute}"


def deploy_marks(day: date) -> str:
    """Hash of the deploys of one UTC day: minute to label (wire-format 9)."""
    return f"{day.year:04d}{day.month:02d}{day.day:02d}-marks"


def deploy_lock(label: str) -> str:
    """String that keeps a deploy of many machines from being marked by each of them."""
    return f"deploylock-{label}"


# How long a process that flushes metrics is remembered: longer than any answer of Redis can be on its way.
METRICS_BATCH_TTL_S = 86_400


def metrics_batch(identity: str) -> str:
    """String: the number of the last batch of metrics that Redis has from a process."""
    return f"pl:counted:{identity}"
