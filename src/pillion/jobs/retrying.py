"""with_retry: try again within the job, for what passes within seconds (F101, F102).

    @with_retry(times=3, on=(ConnectTimeout, ReadTimeout), base=2)
    def charge(order_id): ...

After a listed error it waits 2, 4 and 8 seconds (`base` to the power of the try), and what the fourth try raises
comes out, so that the job's own retries go on from there. Any other error comes out at once. An `async def`
waits without holding up its event loop.
"""

from __future__ import annotations

import functools
import inspect
import logging
import time
from collections.abc import Callable
from typing import Any, Final, ParamSpec, TypeVar, cast

from pillion.errors import ConfigError
from pillion.wire.error_names import ErrorList, ErrorNames

P = ParamSpec("P")
R = TypeVar("R")

# A Shutdown arrives between two bytecodes, so a thread must not sleep long in one call.
SLICE_S: Final = 0.1

_log = logging.getLogger("pillion")


def with_retry(
    *,
    on: ErrorList,
    times: int = 3,
    base: float = 2.0,
    give_up: Callable[[BaseException], Any] | None = None,
    sleep: Callable[[float], Any] | None = None,
) -> Retrying:
    """A decorator for functions, sync or async, that are tried again when they raise one of `on`.

    Parameters: `on` are error classes or names; `times` is how often to try again; the waits are `base ** n` seconds,
    n = 1, 2 ... `give_up(exc)` is called when all is used up, instead of raising; what it returns is returned. `sleep`
    waits so many seconds, and is awaited around an async function. Raises ConfigError.
    """
    if isinstance(times, bool) or not isinstance(cast("object", times), int) or times < 0:
        raise ConfigError("times", "how often to try again, 0 or more", times)
    if isinstance(base, bool) or not isinstance(cast("object", base), int | float) or not 0 <= base < 1e6:
        raise ConfigError("base", "a number of seconds, 0 or more", base)
    return Retrying(ErrorNames(on, "on"), times, base, give_up, sleep)


class Retrying:
    """What `with_retry` makes: `retrying(function)` is the function with retries."""

    def __init__(
        self,
        on: ErrorNames,
        times: int,
        base: float,
        give_up: Callable[[BaseException], Any] | None,
        sleep: Callable[[float], Any] | None,
    ) -> None:
        self._on = on
        self._times = times
        self._base = base
        self._give_up = give_up
        self._sleep = sleep

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """The function, tried again."""
        if inspect.iscoroutinefunction(function):
            return cast("Callable[P, R]", self._around_async(function))

        @functools.wraps(function)
        def tried(*args: P.args, **kwargs: P.kwargs) -> R:
            for count in range(1, self._times + 2):
                try:
                    return function(*args, **kwargs)
                except Exception as exc:
                    if not self._may_go_on(exc, count, function):
                        if self._gives_up(exc):
                            return cast("R", self._give_up(exc))  # type: ignore[misc]
                        raise
                (self._sleep or _sleep)(self._base**count)
            raise AssertionError("the last try returns or raises")

        return tried

    def _around_async(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        async def tried(*args: Any, **kwargs: Any) -> Any:
            for count in range(1, self._times + 2):
                try:
                    return await function(*args, **kwargs)
                except Exception as exc:
                    if not self._may_go_on(exc, count, function):
                        if self._gives_up(exc):
                            result = self._give_up(exc)  # type: ignore[misc]
                            return await result if inspect.isawaitable(result) else result
                        raise
                await _sleep_async(self._base**count, self._sleep)
            raise AssertionError("the last try returns or raises")

        return tried

    def _may_go_on(self, exc: Exception, count: int, function: Callable[..., Any]) -> bool:
        if not self._on.match(exc) or count > self._times:
            return False
        name = getattr(function, "__qualname__", repr(function))
        wait_s = self._base**count
        _log.info("%s failed, try %d of %d, again in %g s: %s", name, count, self._times + 1, wait_s, exc)
        return True

    def _gives_up(self, exc: Exception) -> bool:
        return self._give_up is not None and self._on.match(exc)


def _sleep(seconds: float) -> None:
    end_s = time.monotonic() + seconds
    while (left_s := end_s - time.monotonic()) > 0:
        time.sleep(min(SLICE_S, left_s))


async def _sleep_async(seconds: float, sleep: Callable[[float], Any] | None) -> None:
    if sleep is None:
        import asyncio  # here, as a program that only has threads does without it

        await asyncio.sleep(seconds)
        return
    slept = sleep(seconds)
    if inspect.isawaitable(slept):
        await slept
