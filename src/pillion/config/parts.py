"""What a Config is made of: queues and the capsules that serve them, limits of queues, the way to Redis."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from pillion.errors import ConfigError
from pillion.middleware import ServerChain

QueueMode = Literal["strict", "weighted", "random"]
OnFull = Literal["raise", "drop", "wait"]

QUEUE_NAME = re.compile(r"[A-Za-z0-9_:.\-]+")


def validate_queue_name(name: object, option: str = "queue") -> str:
    """Return `name` if Redis and every dashboard can use it as a queue name.

    Raises ConfigError otherwise. The set of characters is that of Sidekiq's Web UI (wire-format 2.4).
    """
    if isinstance(name, str) and QUEUE_NAME.fullmatch(name):
        return name
    raise ConfigError(option, "letters, digits and _ : . - only", name)


@dataclass(slots=True, frozen=True)
class QueueSpec:
    """One queue of a capsule. `weight` 0 means that none was given (strict order)."""

    name: str
    weight: int = 0

    @classmethod
    def parse(cls, value: object) -> QueueSpec:
        """Read "name", "name,3", ["name", 3] or a QueueSpec. Raises ConfigError."""
        given = value
        if isinstance(value, QueueSpec):
            return value
        if isinstance(value, str):
            name, _, weight = value.partition(",")
            return cls(validate_queue_name(name.strip()), _weight(weight.strip() or 0, value))
        if isinstance(value, list | tuple):
            parts = list(cast("Sequence[object]", value))
            if len(parts) in (1, 2):
                return cls(validate_queue_name(parts[0]), _weight(parts[1] if len(parts) == 2 else 0, parts))
        raise ConfigError("queue", 'a name, "name,weight" or [name, weight]', given)


def _weight(raw: object, whole: object) -> int:
    try:
        weight = int(raw)  # type: ignore[call-overload]
    except (TypeError, ValueError):
        weight = -1
    if isinstance(raw, bool) or weight < 0:
        raise ConfigError("queue", "a weight of 0 or more after the comma", whole, 'Example: "high,3".')
    return int(weight)


@dataclass(slots=True)
class Capsule:
    """Some queues, the threads that serve them, and the middleware around their jobs.

    Parameters: `concurrency` is the number of jobs at a time.
    """

    name: str
    queues: list[QueueSpec] = field(default_factory=lambda: [QueueSpec("default")])
    concurrency: int = 5
    server_middleware: ServerChain | None = None  # None: the chain of the Config

    @property
    def mode(self) -> QueueMode:
        """How the queues are ordered for each fetch (behaviour.md 6.1)."""
        weights = [queue.weight for queue in self.queues]
        if not any(weights):
            return "strict"
        return "random" if all(weight == 1 for weight in weights) else "weighted"

    @property
    def weights(self) -> dict[str, int]:
        """Queue name to weight, in the order given (the form of the process record, wire-format 7.3)."""
        return {queue.name: queue.weight for queue in self.queues}

    def validate(self) -> None:
        """Raise ConfigError unless this capsule can run."""
        whole_number(f"capsules.{self.name}.concurrency", self.concurrency, least=1)
        if not self.queues:
            raise ConfigError(f"capsules.{self.name}.queues", "at least one queue", self.queues)
        names = [queue.name for queue in self.queues]
        if len(set(names)) != len(names):
            raise ConfigError(f"capsules.{self.name}.queues", "each queue once", names)


@dataclass(slots=True, frozen=True)
class RedisConfig:
    """How to reach Redis. `url=None` means: environment, and without that the embedded server.

    `timeout_s` bounds connect, read and write, `connect_timeout_s` connect alone if it is given; `pool_timeout_s`
    the wait for a free connection.
    `sentinels` are "host:port" strings; `master_name` is the service they watch.
    """

    url: str | None = field(default=None, repr=False)  # it may have a password in it
    pool_size: int = 10
    timeout_s: float = 3.0
    connect_timeout_s: float | None = None
    pool_timeout_s: float = 1.0
    db: int | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    sentinels: tuple[str, ...] = ()
    master_name: str = "mymaster"
    sentinel_username: str | None = None
    sentinel_password: str | None = field(default=None, repr=False)
    ssl: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @classmethod
    def of(cls, value: object) -> RedisConfig:
        """Read a RedisConfig, a URL, or a map of the fields above. Raises ConfigError."""
        if isinstance(value, RedisConfig):
            return value
        if isinstance(value, str):
            return cls(url=value)
        try:
            return cls(**cast("dict[str, Any]", value))
        except TypeError:
            # The value itself may hold a password, so only its type is shown.
            kind = type(value).__name__
            raise ConfigError("redis", "a RedisConfig, a URL, or a map of RedisConfig's fields", kind) from None


@dataclass(slots=True, frozen=True)
class QueueLimit:
    """When a queue counts as full, and what a push does then (F026). Raises ConfigError.

    Parameters: `max_size` is how many jobs may wait in it; `max_latency_s` how many seconds its oldest
    job may have waited; at least one is needed. `on_full`: "raise" QueueFull, "drop" the jobs, or "wait"
    up to `wait_timeout_s` seconds for room and then raise QueueFull.
    """

    max_size: int | None = None
    max_latency_s: float | None = None
    on_full: OnFull = "raise"
    wait_timeout_s: float = 5.0

    def __post_init__(self) -> None:
        if self.max_size is None and self.max_latency_s is None:
            raise ConfigError("QueueLimit", "max_size, max_latency_s or both", "neither")
        if self.max_size is not None:
            whole_number("max_size", self.max_size, least=1)
        if self.max_latency_s is not None:
            positive_number("max_latency_s", self.max_latency_s)
        positive_number("wait_timeout_s", self.wait_timeout_s)
        if self.on_full not in ("raise", "drop", "wait"):
            raise ConfigError("on_full", '"raise", "drop" or "wait"', self.on_full)


def merge_queues(values: Sequence[object]) -> list[QueueSpec]:
    """Read queue specifications, keeping the first position of a name that comes twice."""
    merged: dict[str, QueueSpec] = {}
    for value in values:
        spec = QueueSpec.parse(value)
        merged.setdefault(spec.name, spec)
    return list(merged.values())


def whole_number(option: str, value: object, *, least: int) -> None:
    """Raise ConfigError unless `value` is one, of `least` or more."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ConfigError(option, f"a whole number of {least} or more", value)


def positive_number(option: str, value: object) -> None:
    """Raise ConfigError unless `value` is a number above 0, and not infinite."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        raise ConfigError(option, "a number above 0", value)
