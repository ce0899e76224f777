"""Pillion: Sidekiq for Python.

    from pillion import Job

    class CompleteOrder(Job, queue="high", retry=5):
        def perform(self, order_id: int) -> None: ...

    CompleteOrder.perform_async(42)

Everything here is loaded when it is first used: `import pillion` brings neither the Redis client nor
the server with it.
"""

from pillion._lazy import lazy_names
from pillion._version import __version__ as __version__

# What type checkers see; at run time `lazy_names` loads the same ones. The constant is theirs by
# name, and importing it from `typing` would take longer than all the rest of this module.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from pillion.ambient import context as context
    from pillion.ambient import current_context as current_context
    from pillion.api.progress import cleanup_progress as cleanup_progress
    from pillion.api.progress import get_progress as get_progress
    from pillion.client import AsyncClient as AsyncClient
    from pillion.client import Client as Client
    from pillion.client.blocks import transaction as transaction
    from pillion.config import Config as Config
    from pillion.config import QueueLimit as QueueLimit
    from pillion.default import Job as Job
    from pillion.default import Worker as Worker
    from pillion.default import configure_client as configure_client
    from pillion.default import configure_server as configure_server
    from pillion.default import job as job
    from pillion.default import pressure as pressure
    from pillion.default import redis as redis
    from pillion.errors import ChildDied as ChildDied
    from pillion.errors import CircuitOpen as CircuitOpen
    from pillion.errors import ComplexArgument as ComplexArgument
    from pillion.errors import ConfigError as ConfigError
    from pillion.errors import EnqueuedInTransaction as EnqueuedInTransaction
    from pillion.errors import HardTimeout as HardTimeout
    from pillion.errors import Interrupted as Interrupted
    from pillion.errors import InvalidJob as InvalidJob
    from pillion.errors import JobArgumentError as JobArgumentError
    from pillion.errors import LockNotAcquired as LockNotAcquired
    from pillion.errors import PillionError as PillionError
    from pillion.errors import Postponed as Postponed
    from pillion.errors import QueueFull as QueueFull
    from pillion.errors import RedisError as RedisError
    from pillion.errors import RetryableError as RetryableError
    from pillion.errors import Shutdown as Shutdown
    from pillion.errors import UnknownJobClass as UnknownJobClass
    from pillion.iterable.job import IterableJob as IterableJob
    from pillion.jobs.retrying import with_retry as with_retry
    from pillion.middleware.current import CurrentAttributes as CurrentAttributes
    from pillion.server.embedded import EmbeddedWorker as EmbeddedWorker
    from pillion.toolbox import CircuitBreaker as CircuitBreaker
    from pillion.toolbox import lock as lock
    from pillion.toolbox import once as once
    from pillion.toolbox import persist as persist

__all__ = [
    "AsyncClient",
    "ChildDied",
    "CircuitBreaker",
    "CircuitOpen",
    "Client",
    "ComplexArgument",
    "Config",
    "ConfigError",
    "CurrentAttributes",
    "EmbeddedWorker",
    "EnqueuedInTransaction",
    "HardTimeout",
    "Interrupted",
    "InvalidJob",
    "IterableJob",
    "Job",
    "JobArgumentError",
    "LockNotAcquired",
    "PillionError",
    "Postponed",
    "QueueFull",
    "QueueLimit",
    "RedisError",
    "RetryableError",
    "Shutdown",
    "UnknownJobClass",
    "Worker",
    "__version__",
    "cleanup_progress",
    "configure_client",
    "configure_server",
    "context",
    "current_context",
    "get_progress",
    "job",
    "lock",
    "once",
    "persist",
    "pressure",
    "redis",
    "transaction",
    "with_retry",
]

_HOMES = {
    "ambient": ("context", "current_context"),
    "api.progress": ("cleanup_progress", "get_progress"),
    "client": ("AsyncClient", "Client"),
    "client.blocks": ("transaction",),
    "config": ("Config", "QueueLimit"),
    "default": ("Job", "Worker", "configure_client", "configure_server", "job", "pressure", "redis"),
    "errors": (
        "ChildDied",
        "CircuitOpen",
        "ComplexArgument",
        "ConfigError",
        "EnqueuedInTransaction",
        "HardTimeout",
        "Interrupted",
        "InvalidJob",
        "JobArgumentError",
        "LockNotAcquired",
        "PillionError",
        "Postponed",
        "QueueFull",
        "RedisError",
        "RetryableError",
        "Shutdown",
        "UnknownJobClass",
    ),
    "jobs.retrying": ("with_retry",),
    "middleware.current": ("CurrentAttributes",),
    "server.embedded": ("EmbeddedWorker",),
    "toolbox": ("CircuitBreaker", "lock", "once", "persist"),
    "iterable.job": ("IterableJob",),
}

__getattr__, __dir__ = lazy_names(__name__, _HOMES, globals())
