"""Stepping a generator middleware, so that one `yield` stands for the run of the job.

    def timed(job, payload, queue):
        start = monotonic()
        yield                          # the job runs here; its error is raised here
        observe(monotonic() - start)

Rules: an error of the job is raised at the `yield`; a middleware that catches it has swallowed it, as
with a context manager. Ending before the `yield` skips the job. The generator is stepped by hand, so
that it fits around a sync and an async job alike.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from contextlib import suppress
from typing import Any, NoReturn

Context = tuple[Any, ...]


def run_inside(generator: Callable[..., Any], context: tuple[Any, ...], run: Callable[[], Any]) -> Any:
    """Run up to the `yield`, then `run()`, then the rest. Returning before the `yield` skips `run`."""
    steps = generator(*context)
    try:
        next(steps)
    except StopIteration:
        return None
    try:
        result = run()
    except BaseException as error:  # noqa: BLE001 -- Shutdown and Interrupted as well
        throw_into(steps, error)
        return None  # it swallowed the error, as a context manager may
    finish(steps)
    return result


def finish(steps: Generator[Any, Any, Any]) -> None:
    """Run what comes after the `yield` of a generator middleware."""
    try:
        next(steps)
    except StopIteration:
        return
    _second_yield(steps)


def throw_into(steps: Generator[Any, Any, Any], error: BaseException) -> None:
    """Raise `error` at the `yield`. Returns if the middleware swallowed it, else raises."""
    try:
        steps.throw(error)
    except StopIteration:
        return
    except RuntimeError as wrapped:
        # PEP 479 wraps a StopIteration that leaves a generator; the job's own error is wanted.
        if isinstance(error, StopIteration) and wrapped.__cause__ is error:
            raise error from None
        raise
    _second_yield(steps)


def _second_yield(steps: Any) -> NoReturn:
    name = getattr(steps, "__qualname__", repr(steps))
    raise RuntimeError(f"Middleware {name} must yield exactly once; it yielded a second time.")


async def await_inside(generator: Callable[..., Any], context: Context, run: Callable[[], Awaitable[Any]]) -> Any:
    """A generator middleware around an async job."""
    steps = generator(*context)
    try:
        next(steps)
    except StopIteration:
        return None
    try:
        result = await run()
    except BaseException as error:  # noqa: BLE001 -- it is raised again elsewhere
        throw_into(steps, error)
        return None
    finish(steps)
    return result


def as_coroutine(generator: Callable[..., Any]) -> Callable[..., Awaitable[Any]]:
    """An async generator middleware in the form of a coroutine function that takes `next_`."""

    async def around(*arguments: Any) -> Any:
        *context, next_ = arguments
        steps = generator(*context)
        try:
            await anext(steps)
        except StopAsyncIteration:
            return None
        try:
            result = await next_()
        except BaseException as error:  # noqa: BLE001 -- it is raised again elsewhere
            with suppress(StopAsyncIteration):
                await steps.athrow(error)
                _second_yield(steps)
            return None
        with suppress(StopAsyncIteration):
            await anext(steps)
            _second_yield(steps)
        return result

    return around
