"""Drivers: they carry out the steps of an iteration, from a thread or on an event loop.

Steps are a generator of things to call. It is resumed with what the call returned, or with what it raised, so
the order of things is written once for sync and async jobs.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, NoReturn, TypeVar

from pillion.errors import ConfigError

T = TypeVar("T")
Action = Callable[[], Any]
Steps = Generator[Action, Any, T]


def drive(steps: Steps[T]) -> T:
    """Carry out the steps of a sync job."""
    try:
        action = next(steps)
        while True:
            try:
                result = action()
                if result is not None and hasattr(result, "__await__"):
                    _refuse_awaitable(action, result)
            except BaseException as exc:  # noqa: BLE001 - the steps decide
                action = steps.throw(exc)
            else:
                action = steps.send(result)
    except StopIteration as end:
        value: T = end.value
        return value


async def drive_aio(steps: Steps[T]) -> T:
    """Carry out the steps of an async job; what can be awaited is."""
    try:
        action = next(steps)
        while True:
            try:
                result = action()
                if result is not None and hasattr(result, "__await__"):
                    result = await result
            except BaseException as exc:  # noqa: BLE001 - the steps decide
                action = steps.throw(exc)
            else:
                action = steps.send(result)
    except StopIteration as end:
        value: T = end.value
        return value


def _refuse_awaitable(action: Action, result: Any) -> NoReturn:
    close = getattr(result, "close", None)
    if close is not None:
        close()  # else Python warns that it was never awaited
    name = getattr(getattr(action, "func", action), "__qualname__", repr(action))
    hint = "Where a decorator hides that it is async, make one of the others `async def` as well."
    raise ConfigError(name, "a job whose async methods are `async def`", result, hint)
