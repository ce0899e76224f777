"""Thresholds: from which number on something is worth a message (F210, F211, F215)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields

from pillion.errors import ConfigError

SIZES: Mapping[str, int] = {"critical": 100, "default": 1000, "low": 5000}


def _sizes() -> Mapping[str, int]:
    return dict(SIZES)


@dataclass(slots=True, frozen=True)
class Thresholds:
    """What may be. A number *above* one of these is an alert; None switches that alert off.

    Parameters: `sizes` is queue to the most jobs that may wait in it, `max_size` the same for all other
    queues; `latencies_s` and `max_latency_s` the same for seconds that the oldest job has waited.
    `min_processes` is how many workers must live. `max_failures` is the most failures of one job class in
    `failure_window_minutes` (from the metrics); `max_failure_share` the largest share (0.5 = half) of all
    jobs that may fail between two looks, if there were at least `min_jobs`. `max_memory_share` is of
    maxmemory, or of the machine's memory where no maxmemory is set; `max_memory_bytes` is absolute.
    `max_clients_share` is of Redis' maxclients, `max_rtt_s` the round trip in seconds.
    Raises ConfigError for what cannot be right.
    """

    sizes: Mapping[str, int] = field(default_factory=_sizes)
    max_size: int | None = 1000
    latencies_s: Mapping[str, float] = field(default_factory=dict[str, float])
    max_latency_s: float | None = None
    min_processes: int = 1
    max_failures: int | None = 100
    failure_window_minutes: int = 5
    max_failure_share: float | None = 0.5
    min_jobs: int = 100
    max_memory_share: float | None = 0.8
    max_memory_bytes: int | None = None
    max_clients_share: float | None = 0.9
    max_rtt_s: float | None = 0.1

    def __post_init__(self) -> None:
        for name, value in self._numbers():
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
                raise ConfigError(name, "a number of 0 or more", value)

    def _numbers(self) -> Iterator[tuple[str, object]]:
        for each in fields(self):
            value = getattr(self, each.name)
            if isinstance(value, Mapping):
                yield from ((f"{each.name}.{key}", item) for key, item in value.items())  # pyright: ignore[reportUnknownVariableType]
            elif value is not None:
                yield each.name, value

    def size_of(self, queue: str) -> int | None:
        """The most jobs that may wait in this queue."""
        return self.sizes.get(queue, self.max_size)

    def latency_of_s(self, queue: str) -> float | None:
        """The longest that the oldest job of this queue may have waited, in seconds."""
        return self.latencies_s.get(queue, self.max_latency_s)
