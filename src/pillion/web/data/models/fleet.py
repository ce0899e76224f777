"""Queues, processes, running jobs, Redis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pillion.web.data.models.jobs import JobRow
from pillion.web.data.models.pieces import Health, Shown


@dataclass(slots=True, frozen=True)
class QueueRow:
    """A queue. `wait_s` is how long the job that runs next has waited.

    `workers`: processes that serve it, `slots`: jobs they may run at a time (other queues share them). `is_served`
    false and `size` > 0: its jobs wait for ever. `change_per_min` is how the size changed lately, as seen by this
    dashboard (negative: shrinks; None: it has not looked long enough); `drains_in_s` follows from it (None: does
    not shrink). `sizes` are samples of the size for a sparkline, None where none was taken.
    """

    name: str
    size: int
    wait_s: float
    is_paused: bool = False
    is_served: bool = True
    workers: int = 0
    slots: int = 0
    level: Health = "ok"
    change_per_min: float | None = None
    drains_in_s: float | None = None
    sizes: tuple[float | None, ...] = ()


@dataclass(slots=True, frozen=True)
class ClassShare:
    """How much of a sample a class is."""

    label: str
    count: int
    share: float


@dataclass(slots=True, frozen=True)
class CapsuleRow:
    """One capsule of a process. `mode`: "strict", "weighted", "random" or ""."""

    name: str
    slots: int
    mode: str
    queues: tuple[tuple[str, int], ...]


@dataclass(slots=True, frozen=True)
class ProcessRow:
    """A worker process. `identity` is exactly as stored: the address for quiet, stop and dump.

    `beat_age_s` is how long ago it was heard of (it beats every 10 s; `is_late` from 30 s on). `runtime` is
    "pillion" or "sidekiq". `is_odd_version`: most others run another version. `can_signal` false: embedded.
    """

    identity: str
    hostname: str
    pid: int | None
    tag: str = ""
    labels: tuple[str, ...] = ()
    version: str = ""
    runtime: str = ""
    queues: tuple[str, ...] = ()
    capsules: tuple[CapsuleRow, ...] = ()
    started_at: float | None = None
    beat_at: float | None = None
    beat_age_s: float | None = None
    rtt_s: float | None = None
    rss_bytes: int | None = None
    busy: int = 0
    slots: int = 0
    is_late: bool = False
    is_quiet: bool = False
    is_embedded: bool = False
    is_leader: bool = False
    is_odd_version: bool = False

    @property
    def can_signal(self) -> bool:
        """Whether it obeys quiet, stop and dump."""
        return not self.is_embedded


@dataclass(slots=True, frozen=True)
class IterationFacts:
    """How far an iterable job is. `cursor` as JSON; `runs` is how often it was started."""

    cursor: Shown
    runs: int
    run_s: float
    cancelled_at: float | None = None


@dataclass(slots=True, frozen=True)
class RunningRow:
    """A running job. `for_s` is since when; `usual_s` what its class took on average in the last hour.

    `progress_share` and `iteration` are None if the job says nothing.
    """

    job: JobRow
    for_s: float | None
    usual_s: float | None = None
    progress_share: float | None = None
    iteration: IterationFacts | None = None

    @property
    def times_usual(self) -> float | None:
        """How many times as long as usual; None if unknown."""
        return self.for_s / self.usual_s if self.for_s is not None and self.usual_s else None


@dataclass(slots=True, frozen=True)
class RedisCard:
    """The Redis of this fleet. None: it does not tell. `limit_bytes` is maxmemory, else what its machine has.

    `rtt_s` is the median of what the worker processes measured.
    """

    store: str = "unknown"
    version: str | None = None
    uptime_s: int | None = None
    clients: int | None = None
    max_clients: int | None = None
    used_bytes: int | None = None
    peak_bytes: int | None = None
    limit_bytes: int | None = None
    has_maxmemory: bool = False
    memory_share: float | None = None
    policy: str | None = None
    persistence: Literal["aof", "rdb", "none", "unknown"] = "unknown"
    role: str | None = None
    evicted_keys: int | None = None
    ops_per_s: int | None = None
    rtt_s: float | None = None
    clock_offset_s: float | None = None
