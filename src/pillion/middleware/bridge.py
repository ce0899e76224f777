"""Carrying a sync middleware around an async job, and an async one around a sync job.

Design record. A middleware should not have to know what kind of job it wraps.

- A generator is stepped by hand, so it fits around both without cost (`steps`).
- A sync callable around an async job must block in `next_()` until the job has ended. It gets a
  thread of its own, never one of a pool: with a pool, as many outer middleware as there are threads
  would wait for inner ones that find no thread. `next_()` sends the rest to the loop and waits.
- An async callable around a sync job runs on a private event loop that stands still while the job
  runs. So the job sees no running loop (it may call `asyncio.run` itself) and stays on its thread.

Context variables set by the middleware are seen by the job in every combination. This module is loaded
when one of the two is needed: it brings asyncio with it.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import Any

Context = tuple[Any, ...]


def run_around_sync(coroutine: Callable[..., Any], context: Context, run: Callable[[], Any]) -> Any:
    """An async middleware around a sync job: the loop stops each time `next_()` is awaited."""
    variables = contextvars.copy_context()
    loop = asyncio.new_event_loop()
    try:
        reached: list[asyncio.Future[Any]] = []

        def next_() -> asyncio.Future[Any]:
            waiter = loop.create_future()
            reached.append(waiter)
            loop.stop()
            return waiter

        task = loop.create_task(coroutine(*context, next_), context=variables)
        task.add_done_callback(lambda _done: loop.stop())
        while not task.done():
            loop.run_forever()
            while reached and not task.done():
                _settle(reached.pop(0), variables, run)
        return task.result()
    finally:
        _close(loop)


def _settle(waiter: asyncio.Future[Any], variables: contextvars.Context, run: Callable[[], Any]) -> None:
    if waiter.done():
        return
    try:
        waiter.set_result(variables.run(run))
    except BaseException as error:  # noqa: BLE001 -- it is raised again inside the middleware
        waiter.set_exception(_awaitable(error))


def _awaitable(error: BaseException) -> BaseException:
    """The error as a future may have it: asyncio refuses a StopIteration (before Python 3.12), and waits for ever."""
    if not isinstance(error, StopIteration):
        return error
    stand_in = RuntimeError("a middleware or a job raised StopIteration")
    stand_in.__cause__ = error
    return stand_in


def _close(loop: asyncio.AbstractEventLoop) -> None:
    pending = asyncio.all_tasks(loop)
    for task in pending:
        task.cancel()
    if pending:
        loop.run_until_complete(asyncio.gather(*pending, return_exceptions=True))
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()


async def run_in_thread(middleware: Callable[..., Any], context: Context, run: Callable[[], Awaitable[Any]]) -> Any:
    """A sync middleware around an async job, in a thread made for it.

    If this task is cancelled, the cancellation reaches the job first, and the middleware then sees
    it come out of its `next_()`, as it would see any other exception.
    """
    loop = asyncio.get_running_loop()
    variables = contextvars.copy_context()
    ended: Future[Any] = Future()
    inner = _Inner(run)

    def next_() -> Any:
        return asyncio.run_coroutine_threadsafe(inner.awaited(), loop).result()

    def body() -> None:
        try:
            ended.set_result(variables.run(middleware, *context, next_))
        except BaseException as error:  # noqa: BLE001 -- it is raised again where the result is awaited
            ended.set_exception(_awaitable(error))

    threading.Thread(target=body, name="pillion.middleware", daemon=True).start()
    waiting = asyncio.wrap_future(ended)
    try:
        return await asyncio.shield(waiting)
    except asyncio.CancelledError:
        inner.cancel()
        with suppress(BaseException):
            await waiting
        raise


class _Inner:
    """What is inside of a middleware that runs in a thread; lives on the loop, can be cancelled at any time."""

    def __init__(self, run: Callable[[], Awaitable[Any]]) -> None:
        self._run = run
        self._task: asyncio.Task[Any] | None = None
        self._cancelled = False

    async def awaited(self) -> Any:
        if self._cancelled:
            raise asyncio.CancelledError
        self._task = asyncio.current_task()
        return await self._run()

    def cancel(self) -> None:
        self._cancelled = True
        if self._task is not None:
            self._task.cancel()
