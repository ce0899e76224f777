"""Breaker: a service that fails again and again is left alone for a while (F103).

    search = CircuitBreaker("search", threshold=5, window_s=300)      # once, for all jobs that call it

    with search:                                                      # in a job; also `async with`
        index(product_id)

Failures are counted in Redis, for all processes together. With `threshold` failures in `window_s` the circuit opens:
for the next `window_s` the block is not entered. Then calls go through again, and the first success forgets all. A call
that began before the circuit opened, and ends well while it is open, changes nothing.

No work is lost while it is open. `when_open="reschedule"` puts the job into the schedule for when it closes, with no
retry spent; "raise" raises CircuitOpen, so that the job is retried by its own rules, or the caller does something
else. Outside of a worker there is no job to postpone, and CircuitOpen is raised in any case.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from contextvars import ContextVar
from types import TracebackType
from typing import Any, Final, Literal, NoReturn, cast

from pillion.errors import CircuitOpen, ConfigError, LockNotAcquired, Postponed, RedisError
from pillion.jobs.calls import Home
from pillion.jobs.guard_runs import run, run_aio
from pillion.jobs.lock import checked_key, checked_ms
from pillion.log import running_payload
from pillion.storage.ops.base import Op
from pillion.storage.ops.guards import circuit_closed, circuit_ends_in_ms, circuit_failed, circuit_failures
from pillion.wire.error_names import ErrorList, ErrorNames

WhenOpen = Literal["reschedule", "raise"]

WINDOW_S: Final = 300.0
# Jobs that were put off together do not come back together: up to so much of the delay is added.
JITTER: Final = 0.1

_log = logging.getLogger("pillion")
# For each block that this thread or task is in, the failures that were counted when it was entered.
_entered: ContextVar[tuple[int, ...]] = ContextVar("pillion_breakers", default=())


class Breaker:
    """The circuit `name`. One object serves all threads and tasks; see the module.

    Parameters: `on` says which errors count (classes or names, all Exceptions unless given); `threshold` how many
    open it; `window_s` for how many seconds they count, and it is open. Raises ConfigError.
    """

    def __init__(
        self,
        home: Home,
        name: str,
        *,
        threshold: int = 5,
        window_s: float = WINDOW_S,
        when_open: WhenOpen = "reschedule",
        on: ErrorList = Exception,
        rand: Callable[[], float] = random.random,
    ) -> None:
        if isinstance(threshold, bool) or not isinstance(cast("object", threshold), int) or threshold < 1:
            raise ConfigError("threshold", "a whole number of failures, 1 or more", threshold)
        if when_open not in ("reschedule", "raise"):
            hint = "Returning without an error would drop the job's work."
            raise ConfigError("when_open", '"reschedule" or "raise"', when_open, hint)
        self.name = checked_key("CircuitBreaker", name)
        self._home = home
        self._threshold = threshold
        self._window_ms = checked_ms("window_s", window_s)
        self._when_open = when_open
        self._on = ErrorNames(on, "on")
        self._rand = rand

    def __enter__(self) -> None:
        self._enter(run(self._home, self._look()))

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, stack: TracebackType | None
    ) -> None:
        ops = self._news(exc)
        if ops:
            try:
                run(self._home, ops)
            except RedisError as error:
                self._not_told(error)

    async def __aenter__(self) -> None:
        self._enter(await run_aio(self._home, self._look()))

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, stack: TracebackType | None
    ) -> None:
        ops = self._news(exc)
        if ops:
            try:
                await run_aio(self._home, ops)
            except RedisError as error:
                self._not_told(error)

    # -- inside ----------------------------------------------------------------------------------

    def _look(self) -> list[Op[Any]]:
        return [circuit_failures(self.name), circuit_ends_in_ms(self.name)]

    def _enter(self, replies: list[Any]) -> None:
        failures, ends_in_ms = replies
        if failures >= self._threshold:
            self._refuse(max(ends_in_ms, 0) / 1000)
        _entered.set((*_entered.get(), failures))

    def _refuse(self, ends_in_s: float) -> NoReturn:
        refusal = CircuitOpen(self.name, ends_in_s)
        if self._when_open == "raise" or running_payload() is None:
            raise refusal
        raise Postponed(max(1.0, ends_in_s * (1 + JITTER * self._rand())), str(refusal))

    def _news(self, exc: BaseException | None) -> list[Op[Any]]:
        """What there is to tell Redis after a block; nothing after a success without failures before."""
        *outer, failures = _entered.get()
        _entered.set(tuple(outer))
        if exc is None:
            return [circuit_closed(self.name, self._threshold)] if failures else []
        counts = self._on.match(exc) and not isinstance(exc, CircuitOpen | LockNotAcquired)
        return [circuit_failed(self.name, self._threshold, self._window_ms)] if counts else []

    def _not_told(self, error: RedisError) -> None:
        _log.warning("The circuit %r could not be told how a call went: %s", self.name, error)
