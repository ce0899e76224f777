"""Config and Capsule: what one Pillion process is told.

A Config is built once (from code, environment and file), validated as a whole, passed down by
argument, and frozen when the launcher starts. A Capsule is a set of queues with its own threads.
Defaults are Sidekiq's (behaviour.md 7) unless a comment says why not.
"""

from pillion.config.config import (
    EVENTS,
    Config,
    DeathHandler,
    ErrorHandler,
    Event,
    EventLoop,
    Observer,
    OnEnqueueInTransaction,
    ServiceFactory,
    StrictArgs,
)
from pillion.config.parts import (
    QUEUE_NAME,
    Capsule,
    OnFull,
    QueueLimit,
    QueueMode,
    QueueSpec,
    RedisConfig,
    merge_queues,
    validate_queue_name,
)

__all__ = [
    "EVENTS",
    "QUEUE_NAME",
    "Capsule",
    "Config",
    "DeathHandler",
    "ErrorHandler",
    "Event",
    "EventLoop",
    "Observer",
    "OnEnqueueInTransaction",
    "OnFull",
    "QueueLimit",
    "QueueMode",
    "QueueSpec",
    "RedisConfig",
    "ServiceFactory",
    "StrictArgs",
    "merge_queues",
    "validate_queue_name",
]
