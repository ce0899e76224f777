"""Config: everything one process is told."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, Literal, cast, get_args

from pillion.config.parts import (
    Capsule,
    QueueLimit,
    QueueSpec,
    RedisConfig,
    merge_queues,
    positive_number,
    validate_queue_name,
    whole_number,
)
from pillion.errors import ConfigError
from pillion.middleware import ClientChain, ServerChain
from pillion.middleware.retry_jobs import take_retry_limit

StrictArgs = Literal["raise", "warn", False]
OnEnqueueInTransaction = Literal["warn", "raise", "defer"]
EventLoop = Literal["auto", "asyncio", "uvloop"]
Event = Literal["startup", "quiet", "shutdown", "exit", "heartbeat", "beat", "child_start", "child_exit"]

EVENTS: tuple[Event, ...] = get_args(Event)

# Called with the exception, a context map that has at least "context", and the config.
ErrorHandler = Callable[[BaseException, dict[str, Any], "Config"], None]
# Called with the payload and the exception.
DeathHandler = Callable[[dict[str, Any], BaseException], None]
# Called after each run, in its thread, with the payload, the seconds it took, and how it ended (None: well).
Observer = Callable[[dict[str, Any], float, BaseException | None], None]
# Called once in a worker process, with a `pillion.features.Host`; returns a `pillion.features.Service`.
ServiceFactory = Callable[[Any], Any]


class Config:
    """Everything one process is told. Set attributes, then `freeze()`.

    Durations end in `_s` (seconds). Unknown attributes cannot be set, and nothing can be set once
    frozen: both raise ConfigError.
    """

    redis: RedisConfig
    environment: str
    tag: str
    labels: tuple[str, ...]
    timeout_s: float
    max_retries: int
    dead_max_jobs: int
    dead_timeout_s: int
    average_scheduled_poll_interval_s: float
    max_iteration_runtime_s: float | None  # after so long an iterable job lets others run; None: never
    event_loop: EventLoop  # what async jobs run on; "auto": uvloop if it is installed, else asyncio's
    child_processes: int | None  # for jobs with execution="process", in each worker; None: one for each processor
    max_jobs_per_child: int | None  # after so many a child makes room for a new one; None: never
    max_rss_mb_per_child: int | None  # the same, when a job has left it larger than that
    strict_args: StrictArgs
    skip_default_job_logging: bool
    logged_job_attributes: tuple[str, ...]
    log_arguments: bool
    embedded_data_dir: str | None
    default_job_options: dict[str, Any]
    queue_limits: dict[str, QueueLimit]
    # What a push does while a database transaction is open that it does not wait for (F021), and who knows of those:
    # each returns the `client.transactions.Transaction`s that are open in this thread or task.
    on_enqueue_in_transaction: OnEnqueueInTransaction | None
    transactions: list[Callable[[], Iterable[Any]]]
    client_middleware: ClientChain
    server_middleware: ServerChain
    error_handlers: list[ErrorHandler]
    death_handlers: list[DeathHandler]
    backtrace_cleaner: Callable[[list[str]], list[str]]
    # For features: what to add to an outcome, as (payload, outcome) -> Redis steps, carried out with
    # it in one script; and the named Lua steps ("@name" -> function body) those may use.
    effects: list[Callable[[dict[str, Any], Any], Iterable[tuple[Any, ...]]]]
    named_steps: dict[str, str]
    # Modules with `install(config)`, called when a worker boots; and two more things those may add to.
    features: tuple[str, ...]
    observers: list[Observer]
    services: list[ServiceFactory]
    capsules: dict[str, Capsule]

    def __init__(self, **options: Any) -> None:
        self._frozen = False
        self._hooks: dict[Event, list[Callable[[], None]]] = {event: [] for event in EVENTS}
        for name, value in _defaults().items():
            setattr(self, name, value)
        for name, value in options.items():
            setattr(self, name, value)

    def __setattr__(self, name: str, value: Any) -> None:
        if not name.startswith("_"):
            self._check_settable(name, value)
        object.__setattr__(self, name, RedisConfig.of(value) if name == "redis" else value)

    def _check_settable(self, name: str, value: object) -> None:
        if self._frozen:
            raise ConfigError(name, "to be set before the process starts", value, "The config is frozen now.")
        known = set(Config.__annotations__) | {"concurrency", "queues"}
        if name not in known:
            raise ConfigError(name, f"one of {', '.join(sorted(known))}", name, "There is no such option.")

    # -- capsules ------------------------------------------------------------------------------

    @property
    def concurrency(self) -> int:
        """Jobs at a time in the default capsule."""
        return self.capsule("default").concurrency

    @concurrency.setter
    def concurrency(self, value: int) -> None:
        self.capsule("default").concurrency = value

    @property
    def queues(self) -> list[QueueSpec]:
        """Queues of the default capsule, in fetch order."""
        return self.capsule("default").queues

    @queues.setter
    def queues(self, values: Sequence[object]) -> None:
        if isinstance(values, str):
            raise ConfigError("queues", "a list of queues", values)
        self.capsule("default").queues = merge_queues(values)

    def capsule(self, name: str) -> Capsule:
        """The capsule of that name, made on first use."""
        if name not in self.capsules:
            if self._frozen:
                raise ConfigError("capsules", "to be defined before the process starts", name)
            self.capsules[name] = Capsule(name)
        return self.capsules[name]

    @property
    def total_concurrency(self) -> int:
        """Jobs at a time over all capsules."""
        return sum(capsule.concurrency for capsule in self.capsules.values())

    # -- lifecycle -----------------------------------------------------------------------------

    def on(self, event: Event, hook: Callable[[], None]) -> None:
        """Call `hook` at a lifecycle event (behaviour.md 12), one of EVENTS; two are those of child processes."""
        if event not in EVENTS:
            raise ConfigError("on", f"one of {', '.join(EVENTS)}", event)
        if self._frozen:
            raise ConfigError("on", "to be called before the process starts", event)
        self._hooks[event].append(hook)

    def hooks(self, event: Event) -> tuple[Callable[[], None], ...]:
        """The hooks of an event, in the order they were registered."""
        return tuple(self._hooks[event])

    # -- the end of configuration ----------------------------------------------------------------

    def validate(self) -> None:
        """Raise ConfigError for the first option that cannot be right."""
        for capsule in self.capsules.values():
            capsule.validate()
        self._check_queues()
        for name in ("timeout_s", "average_scheduled_poll_interval_s"):
            positive_number(name, getattr(self, name))
        if self.max_iteration_runtime_s is not None:
            positive_number("max_iteration_runtime_s", self.max_iteration_runtime_s)
        for name in ("child_processes", "max_jobs_per_child", "max_rss_mb_per_child"):
            if getattr(self, name) is not None:
                whole_number(name, getattr(self, name), least=1)
        whole_number("dead_max_jobs", self.dead_max_jobs, least=1)
        whole_number("dead_timeout_s", self.dead_timeout_s, least=1)
        whole_number("max_retries", self.max_retries, least=0)
        if self.event_loop not in ("auto", "asyncio", "uvloop"):
            raise ConfigError("event_loop", '"auto", "asyncio" or "uvloop"', self.event_loop)
        if self.strict_args not in ("raise", "warn", False):
            raise ConfigError("strict_args", '"raise", "warn" or False', self.strict_args)
        if self.on_enqueue_in_transaction not in (None, "warn", "raise", "defer"):
            given = self.on_enqueue_in_transaction
            raise ConfigError("on_enqueue_in_transaction", '"warn", "raise", "defer" or None', given)
        if isinstance(cast("object", self.features), str):
            raise ConfigError("features", "a list of modules", self.features)
        for name, limit in self.queue_limits.items():
            validate_queue_name(name, "queue_limits")
            if not isinstance(cast("object", limit), QueueLimit):
                raise ConfigError(f"queue_limits.{name}", "a QueueLimit", limit)

    def _check_queues(self) -> None:
        """Each capsule counts its leases for itself, in keys of queue and process: two would overwrite each other's."""
        names = [queue.name for capsule in self.capsules.values() for queue in capsule.queues]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            hint = "Give it to one of them, with the concurrency of both, or run a second process for the other."
            raise ConfigError("capsules", "each queue in one capsule only", twice, hint)

    def _adopt_retry_limit(self) -> None:
        """`server_middleware.add(RetryJobs, max_retries=3)` means `max_retries = 3` (F088)."""
        for capsule in self.capsules.values():
            if capsule.server_middleware is not None and take_retry_limit(capsule.server_middleware) is not None:
                hint = "Add it to config.server_middleware, or set `retry` on jobs."
                raise ConfigError("RetryJobs", "one limit for all capsules", f"one for {capsule.name!r}", hint)
        limit = take_retry_limit(self.server_middleware)
        if limit is None:
            return
        if self.max_retries not in (limit, _defaults()["max_retries"]):
            raise ConfigError("RetryJobs", f"max_retries={self.max_retries} as config.max_retries says", limit)
        self.max_retries = limit

    def copy(self) -> Config:
        """The same settings and hooks in containers of its own, not frozen."""
        twin = Config()
        for name in Config.__annotations__:
            object.__setattr__(twin, name, _own(getattr(self, name)))
        twin._hooks = {event: [*hooks] for event, hooks in self._hooks.items()}
        return twin

    def freeze(self) -> None:
        """Validate, then refuse any further change."""
        self._adopt_retry_limit()
        self.validate()
        self._frozen = True


def _defaults() -> dict[str, Any]:
    """Fresh containers for each Config: two configs never share a list of handlers."""
    return {
        "redis": RedisConfig(),
        "environment": "development",
        "tag": "",
        "labels": (),
        "timeout_s": 25.0,
        "max_retries": 25,
        "dead_max_jobs": 10_000,
        "dead_timeout_s": 15_552_000,
        "average_scheduled_poll_interval_s": 5.0,
        "max_iteration_runtime_s": None,
        "event_loop": "auto",
        "child_processes": None,
        "max_jobs_per_child": None,
        "max_rss_mb_per_child": None,
        "strict_args": "raise",
        "skip_default_job_logging": False,
        "logged_job_attributes": ("bid", "tags"),
        "log_arguments": True,
        "embedded_data_dir": None,
        "default_job_options": {},
        "queue_limits": {},
        "on_enqueue_in_transaction": None,
        "transactions": [],
        "client_middleware": ClientChain(),
        "server_middleware": ServerChain(),
        "error_handlers": [],
        "death_handlers": [],
        "backtrace_cleaner": _identity,
        "effects": [],
        "named_steps": {},
        "features": ("pillion.features.metrics",),
        "observers": [],
        "services": [],
        "capsules": {"default": Capsule("default")},
    }


def _own(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _own(each) for key, each in value.items()}  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, list):
        return [*value]  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, Capsule):
        chain = value.server_middleware
        return replace(value, queues=[*value.queues], server_middleware=None if chain is None else chain.copy())
    return value.copy() if isinstance(value, ClientChain | ServerChain) else value


def _identity(lines: list[str]) -> list[str]:
    return lines
