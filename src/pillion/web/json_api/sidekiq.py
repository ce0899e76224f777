"""`/stats` and `/stats/queues` in the shape of Sidekiq's web UI: what reads its numbers reads ours (behaviour 19)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from pillion.api.plan import Plan, run
from pillion.api.redis_info import read_snapshot, tolerant
from pillion.api.stats import Stats, StatsSnapshot
from pillion.storage.ops import server
from pillion.web.ask import Ask


@dataclass(slots=True, frozen=True)
class SidekiqNumbers:
    """The numbers of the fleet. `default_latency`: seconds that the oldest job of `default` has waited."""

    processed: int
    failed: int
    busy: int
    processes: int
    enqueued: int
    scheduled: int
    retries: int
    dead: int
    default_latency: float


@dataclass(slots=True, frozen=True)
class SidekiqStats:
    """What `/stats` says. `redis` are seven facts about the server, as texts; "" where it does not tell."""

    sidekiq: SidekiqNumbers
    redis: dict[str, str]
    server_utc_time: str


def stats(ask: Ask) -> SidekiqStats:
    """The numbers."""
    return run(_stats(ask), ask.fleet.storage)


def queues(ask: Ask) -> dict[str, int]:
    """Queue to size, the longest first."""
    return Stats(fleet=ask.fleet).queues()


def _stats(ask: Ask) -> Plan[SidekiqStats]:
    seen = yield from Stats(fleet=ask.fleet).read.plan()
    told = yield from tolerant(server.info(), dict[str, str]())
    return SidekiqStats(_numbers(seen), _redis(told), datetime.fromtimestamp(ask.now_s, UTC).strftime("%H:%M:%S UTC"))


def _numbers(seen: StatsSnapshot) -> SidekiqNumbers:
    return SidekiqNumbers(
        processed=seen.processed,
        failed=seen.failed,
        busy=seen.busy,
        processes=seen.processes,
        enqueued=seen.enqueued,
        scheduled=seen.scheduled,
        retries=seen.retry,
        dead=seen.dead,
        default_latency=seen.default_queue_latency_s,
    )


def _redis(told: dict[str, str]) -> dict[str, str]:
    plain = ("redis_version", "uptime_in_days", "connected_clients", "used_memory_human", "used_memory_peak_human")
    seen = read_snapshot(told, {})
    return {
        **{name: told.get(name, "") for name in plain},
        "store_name": seen.store,
        "store_version": seen.version or "",
    }
