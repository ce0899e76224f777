"""Stats: the numbers of a whole fleet in one look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pillion.api.call import call
from pillion.api.fleet import DEFAULT, Fleet
from pillion.api.plan import Plan, ask, ask_all
from pillion.api.record import JobData
from pillion.errors import ConfigError
from pillion.storage.ops import push as push_ops
from pillion.storage.ops import stats as ops
from pillion.wire import keys

_RESETTABLE = {"processed": keys.STAT_PROCESSED, "failed": keys.STAT_FAILED}
_DEFAULT_QUEUE = "default"


@dataclass(slots=True, frozen=True)
class QueueSummary:
    """One queue: its name, how many jobs wait there, how long the oldest has waited (seconds), whether it is paused."""

    name: str
    size: int
    latency_s: float
    is_paused: bool


@dataclass(slots=True, frozen=True)
class StatsSnapshot:
    """What `Stats.read` saw.

    Attributes:
        taken_at: when, in epoch seconds.
        processed, failed: executions since the counters were reset; `processed` includes the failed ones.
        scheduled, retry, dead: jobs in these sets.
        processes: how many worker processes are listed.
        busy: how many jobs are running.
        queue_summaries: every queue, the largest first.
    """

    taken_at: float
    processed: int
    failed: int
    scheduled: int
    retry: int
    dead: int
    processes: int
    busy: int
    queue_summaries: tuple[QueueSummary, ...]

    @property
    def enqueued(self) -> int:
        """How many jobs wait in all queues together."""
        return sum(queue.size for queue in self.queue_summaries)

    @property
    def queues(self) -> dict[str, int]:
        """Size by queue, the largest first."""
        return {queue.name: queue.size for queue in self.queue_summaries}

    @property
    def paused(self) -> frozenset[str]:
        """The names of the queues that are paused."""
        return frozenset(queue.name for queue in self.queue_summaries if queue.is_paused)

    @property
    def default_queue_latency_s(self) -> float:
        """How long the oldest job of the queue `default` has waited, in seconds; 0.0 if none waits."""
        return next((queue.latency_s for queue in self.queue_summaries if queue.name == _DEFAULT_QUEUE), 0.0)


class Stats:
    """The numbers of a fleet: `read()` for all of them at one moment, or one number by its name.

    stats = Stats()
    stats.read().enqueued
    stats.failed()
    """

    def __init__(self, *, fleet: Fleet | None = None) -> None:
        self.fleet = fleet or DEFAULT

    @call(
        "GET",
        "ZCARD",
        "SMEMBERS",
        "LLEN",
        "LINDEX",
        "HGET",
        cost="O(P+Q), P = processes, Q = queues; one payload of each queue travels",
        trips="1 or 2",
    )
    def read(self) -> Plan[StatsSnapshot]:
        """Everything. The second round trip asks the processes and queues that the first has found."""
        names = (keys.SCHEDULE, keys.RETRY, keys.DEAD)
        counters = (ops.total(keys.STAT_PROCESSED), ops.total(keys.STAT_FAILED), *map(ops.job_set_size, names))
        lists = (ops.identities(), ops.queue_names(), ops.paused_queues())
        processed, failed, scheduled, retry, dead, listed, queues, paused = yield from ask_all((*counters, *lists))
        of_queues = [op for name in queues for op in (push_ops.queue_size(name), push_ops.oldest_job(name))]
        answers = yield from ask_all([*map(ops.busy, listed), *of_queues])
        now_s = self.fleet.clock()
        summaries = _summaries(queues, answers[len(listed) :], paused, now_s)
        busy = sum(answers[: len(listed)])
        return StatsSnapshot(now_s, processed, failed, scheduled, retry, dead, len(listed), busy, summaries)

    @call("GET", cost="O(1)")
    def processed(self) -> Plan[int]:
        """How many executions have ended, the failed ones included."""
        return (yield from ask(ops.total(keys.STAT_PROCESSED)))

    @call("GET", cost="O(1)")
    def failed(self) -> Plan[int]:
        """How many executions have failed."""
        return (yield from ask(ops.total(keys.STAT_FAILED)))

    @call("ZCARD", cost="O(1)")
    def scheduled(self) -> Plan[int]:
        """How many jobs wait for their time. Sidekiq's `scheduled_size`."""
        return (yield from ask(ops.job_set_size(keys.SCHEDULE)))

    @call("ZCARD", cost="O(1)")
    def retry(self) -> Plan[int]:
        """How many jobs wait for their next try. Sidekiq's `retry_size`."""
        return (yield from ask(ops.job_set_size(keys.RETRY)))

    @call("ZCARD", cost="O(1)")
    def dead(self) -> Plan[int]:
        """How many jobs have failed for good. Sidekiq's `dead_size`."""
        return (yield from ask(ops.job_set_size(keys.DEAD)))

    @call("SCARD", cost="O(1)")
    def processes(self) -> Plan[int]:
        """How many worker processes are listed. Sidekiq's `processes_size`."""
        return (yield from ask(ops.process_count()))

    @call("SMEMBERS", "HGET", cost="O(P), P = processes", trips="1 or 2")
    def busy(self) -> Plan[int]:
        """How many jobs are running. Sidekiq's `workers_size`."""
        listed = yield from ask(ops.identities())
        return sum((yield from ask_all([ops.busy(identity) for identity in listed])))

    @call("SMEMBERS", "LLEN", cost="O(Q), Q = queues", trips="1 or 2")
    def enqueued(self) -> Plan[int]:
        """How many jobs wait in all queues together."""
        return sum((yield from self._sizes()).values())

    @call("SMEMBERS", "LLEN", cost="O(Q), Q = queues", trips="1 or 2")
    def queues(self) -> Plan[dict[str, int]]:
        """Size by queue, the largest first."""
        sizes = yield from self._sizes()
        return dict(sorted(sizes.items(), key=lambda entry: (-entry[1], entry[0])))

    @call("LINDEX", cost="O(1)")
    def default_queue_latency(self) -> Plan[float]:
        """How long the oldest job of the queue `default` has waited, in seconds; 0.0 if none waits."""
        payload = yield from ask(push_ops.oldest_job(_DEFAULT_QUEUE))
        return _latency_s(payload, self.fleet.clock())

    @call("SMEMBERS", "LLEN", "LINDEX", cost="O(Q), Q = queues; one payload of each queue travels", trips="1 or 2")
    def queue_summaries(self) -> Plan[tuple[QueueSummary, ...]]:
        """Every queue with its size and latency and whether it is paused, the largest first."""
        queues, paused = yield from ask_all([ops.queue_names(), ops.paused_queues()])
        answers = yield from ask_all(
            [op for name in queues for op in (push_ops.queue_size(name), push_ops.oldest_job(name))]
        )
        return _summaries(queues, answers, paused, self.fleet.clock())

    @call("MSET", cost="O(1)")
    def reset(self, *names: str) -> Plan[None]:
        """Set the counters `processed` and `failed` to 0, or only those named. The counters of the days stay.

        Raises ConfigError for another name; then nothing is reset.
        """
        yield from ask(ops.reset(_stat_keys(names)))

    def _sizes(self) -> Plan[dict[str, int]]:
        names = yield from ask(ops.queue_names())
        sizes = yield from ask_all([push_ops.queue_size(name) for name in names])
        return dict(zip(names, sizes, strict=True))


def _stat_keys(names: Sequence[str]) -> list[str]:
    for name in names:
        if name not in _RESETTABLE:
            hint = "Only these are counters; the other numbers are sizes of what is in Redis."
            raise ConfigError("Stats.reset", " or ".join(map(repr, _RESETTABLE)), name, hint)
    return [_RESETTABLE[name] for name in dict.fromkeys(names or _RESETTABLE)]


def _summaries(
    names: Sequence[str], answers: Sequence[int | bytes | None], paused: Sequence[str], now_s: float
) -> tuple[QueueSummary, ...]:
    """`answers`: size and oldest payload of each of `names`."""
    pairs = zip(names, answers[::2], answers[1::2], strict=True)
    found = [
        QueueSummary(name, int(size or 0), _latency_s(oldest, now_s), name in paused) for name, size, oldest in pairs
    ]
    return tuple(sorted(found, key=lambda queue: (-queue.size, queue.name)))


def _latency_s(payload: int | bytes | None, now_s: float) -> float:
    return JobData(payload).waited_s(now_s) if isinstance(payload, bytes) else 0.0
