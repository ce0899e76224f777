"""The helpers for jobs, bound to the process-wide default: what `pillion.lock` and its neighbours are.

For jobs that are functions, and for code around jobs. A job class has `self.lock` and `self.once` of its own.
"""

from __future__ import annotations

from pillion import default
from pillion.config import Config
from pillion.jobs.breaker import WINDOW_S, Breaker, WhenOpen
from pillion.jobs.lock import LOCK_TIMEOUT_S, Lock
from pillion.jobs.once import ONCE_TTL_S, Once
from pillion.middleware.current import Source, carry, slots_of
from pillion.wire.error_names import ErrorList


def lock(key: str, timeout_s: float = LOCK_TIMEOUT_S) -> Lock:
    """A lock for a `with` or `async with` block, over all processes; see `pillion.jobs.lock`."""
    return Lock(default, key, timeout_s)


def once(key: str, ttl_s: float = ONCE_TTL_S) -> Once:
    """`with once(key) as first:` tells whether `key` still has to be done; see `pillion.jobs.once`."""
    return Once(default, key, ttl_s)


class CircuitBreaker(Breaker):
    """A service that fails again and again is left alone for a while; see `pillion.jobs.breaker`.

    Parameters: as Breaker has them, without `home`.
    """

    def __init__(
        self,
        name: str,
        *,
        threshold: int = 5,
        window_s: float = WINDOW_S,
        when_open: WhenOpen = "reschedule",
        on: ErrorList = Exception,
    ) -> None:
        super().__init__(default, name, threshold=threshold, window_s=window_s, when_open=when_open, on=on)


def persist(*sources: Source) -> None:
    """Have all jobs carry these CurrentAttributes classes (or maps of names to ContextVars), pushed and run.

    Call it once, with all of them, in a module that is imported where jobs are pushed and where they run. The order
    is that on the wire: see `pillion.middleware.current`. Raises ConfigError.
    """
    slots_of(sources)  # so that a mistake is reported here, not at the first push

    def block(config: Config) -> None:
        carry(config, *sources)

    default.configure_client(block)
    default.configure_server(block)
