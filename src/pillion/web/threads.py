"""Threads of the dashboard: few and its own, so that a slow Redis holds up neither the host's loop nor its threads."""

from __future__ import annotations

import asyncio
import contextvars
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

SIZE: Final = 8
AUTH_SIZE: Final = 4


class Threads:
    """A small pool, made when it is first used and again in a child after a fork (gunicorn's --preload)."""

    def __init__(self, size: int = SIZE, name: str = "pillion-web") -> None:
        self._size, self._name = size, name
        self._lock = threading.Lock()
        self._pid = 0
        self._executor: ThreadPoolExecutor | None = None

    async def run(self, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a function that blocks in one of the threads, with the context variables of the caller."""
        loop = asyncio.get_running_loop()
        context = contextvars.copy_context()
        call = partial(function, *args, **kwargs)
        return await loop.run_in_executor(self._pool(), lambda: context.run(_call, call))

    def start(self, function: Callable[..., Any], /, *args: Any) -> None:
        """Let a function run in a thread of its own, which the end of the process does not wait for."""
        threading.Thread(target=function, args=args, name="pillion-web-bulk", daemon=True).start()

    def _pool(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._executor is None or self._pid != os.getpid():
                self._pid = os.getpid()
                self._executor = ThreadPoolExecutor(self._size, thread_name_prefix=self._name)
            return self._executor


def _call(function: Callable[[], R]) -> R:
    """Call it. StopIteration cannot travel through a future: whoever awaits that would wait for ever."""
    try:
        return function()
    except StopIteration as error:
        raise RuntimeError("A function of the dashboard ended with StopIteration") from error
