"""What a zygote is told once, and a child with each job."""

from __future__ import annotations

import logging
import os
import pickle
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from pillion import log
from pillion.config import Config, QueueLimit, QueueSpec, RedisConfig
from pillion.definition.execution import hard_timeout_s
from pillion.definition.registry import JobDefinition
from pillion.errors import ChildNotStarted, InvalidJob, JobArgumentError
from pillion.log.handler import Handler
from pillion.server.isolation.app import App
from pillion.wire.codec import dumps, loads_job

# `capsules` are sent in a form of their own; the application's code gives them their middleware.
_NOT_SENT = frozenset({"capsules"})
_PLAIN = (str, bytes, int, float, bool, type(None), RedisConfig, QueueLimit)


@dataclass(slots=True, frozen=True)
class Boot:
    """All that a zygote needs to become like the worker `worker_pid`, before the application's own code.

    `capsules` are names with their queues and concurrency; `levels` those of loggers; `log_format` is "" where the
    application does its own logging. `measures` says that the memory of children counts.
    """

    app: App
    worker_pid: int
    settings: Mapping[str, Any]
    capsules: Mapping[str, tuple[list[QueueSpec], int]]
    sys_path: Sequence[str]
    argv: Sequence[str]
    levels: Mapping[str, int]
    log_format: str
    measures: bool

    @classmethod
    def of(cls, config: Config, app: App) -> Boot:
        """What a zygote of this process needs."""
        names = (name for name in Config.__annotations__ if name not in _NOT_SENT)
        return cls(
            app=app,
            worker_pid=os.getpid(),
            settings={name: value for name in names if is_plain(value := getattr(config, name))},
            capsules={name: (each.queues, each.concurrency) for name, each in config.capsules.items()},
            sys_path=list(sys.path),
            argv=list(sys.argv),
            levels=_levels(),
            log_format=_log_format(),
            measures=config.max_rss_mb_per_child is not None,
        )

    def config(self) -> Config:
        """The settings of the worker, as far as they are values. What is code comes from the application's blocks."""
        config = Config(**self.settings)
        for name, (queues, concurrency) in self.capsules.items():
            capsule = config.capsule(name)
            capsule.queues, capsule.concurrency = queues, concurrency
        return config

    def pack(self) -> bytes:
        """As bytes, for our own zygote only. Raises ChildNotStarted for a setting that cannot be sent."""
        try:
            return pickle.dumps(self)
        except Exception as exc:
            raise ChildNotStarted(f"the settings of the worker cannot be handed to a child process: {exc}") from exc

    @staticmethod
    def unpack(packed: bytes) -> Boot:
        """What `pack` was given."""
        boot = pickle.loads(packed)  # noqa: S301 - it comes from our worker, over a socket that nobody else has
        assert isinstance(boot, Boot)
        return boot


def is_plain(value: object) -> bool:
    """Whether a setting is a value, and not code or something that holds it."""
    if isinstance(value, Mapping):
        return all(is_plain(key) and is_plain(item) for key, item in cast("Mapping[object, object]", value).items())
    if type(value) in (list, tuple):
        return all(map(is_plain, cast("Sequence[object]", value)))
    return isinstance(value, _PLAIN)


def _levels() -> dict[str, int]:
    """The levels of all loggers that have one of their own; "" is the root."""
    root = logging.getLogger()
    known: dict[str, object] = dict(root.manager.loggerDict)
    levels = {name: each.level for name, each in known.items() if isinstance(each, logging.Logger) and each.level}
    return {"": root.level, **levels}


def _log_format() -> str:
    ours = [each for each in logging.getLogger().handlers if isinstance(each, Handler)]
    return ("json" if ours[0].shows_cpu else "text") if ours else ""


# -- one job -----------------------------------------------------------------------------------------


@dataclass(slots=True, frozen=True)
class Errand:
    """One run of a job, as the worker sees it: `body` is for the child, `hard_timeout_s` None for no limit."""

    body: bytes
    hard_timeout_s: float | None

    @classmethod
    def of(cls, definition: JobDefinition, payload: Mapping[str, Any], queue: str) -> Errand:
        """The run of `payload`, as middleware has left it. Raises JobArgumentError for arguments that are no JSON."""
        head = {"name": definition.wire_name, "queue": queue, "meta": dict(log.carried())}
        return cls(dumps(head) + b"\n" + _payload_bytes(payload), hard_timeout_s(definition, payload))


@dataclass(slots=True, frozen=True)
class Order:
    """The same, as the child sees it. `meta` are the facts that travel with jobs, as they hold around this one."""

    name: str
    queue: str
    meta: dict[str, Any]
    payload: dict[str, Any]

    @classmethod
    def read(cls, body: bytes) -> Order:
        """The order in a frame."""
        head, _, payload = body.partition(b"\n")  # JSON as we write it has no line breaks
        return cls(**loads_job(head), payload=loads_job(payload))


def _payload_bytes(payload: Mapping[str, Any]) -> bytes:
    """The payload as JSON, without what middleware has put there for itself and JSON cannot carry."""
    try:
        return dumps(dict(payload))
    except InvalidJob:
        kept = {key: value for key, value in payload.items() if key == "args" or _is_json(value)}
    try:
        return dumps(kept)
    except InvalidJob as exc:
        hint = 'A job with execution="process" gets its arguments as JSON; what have server middleware made of them?'
        raise JobArgumentError(f"{exc} {hint}") from None


def _is_json(value: object) -> bool:
    try:
        dumps(value)
    except InvalidJob:
        return False
    return True
