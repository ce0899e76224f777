"""BackPressureMiddleware: a web application answers 503 while its queues are full (F026).

    app = BackPressureMiddleware(app, queues=["default"])

Plain ASGI: Starlette, FastAPI, Django, Quart and Litestar take it. The pressure is asked at most once a
second; while one request asks, the others go by what was known before. When Redis cannot be asked,
requests go through: whether they can be served is then for the application to say.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, Final

from pillion import pressure as default_pressure
from pillion.errors import ConfigError, RedisError

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

KNOWN_FOR_S: Final = 1.0
_BODY: Final = b"Too much work is waiting. Please try again later.\n"

_log = logging.getLogger("pillion")


class BackPressureMiddleware:
    """Answer 503 with Retry-After while the pressure of one of `queues` is `threshold` or more.

    Parameters: `threshold` is above 0 and up to 1; `retry_after_s` is what clients are told (whole
    seconds); `applies(scope)` says which HTTP requests this is for (all, unless given): let a health check
    through, for instance. `pressure` and `clock` (seconds) are for tests. Raises ConfigError.
    """

    def __init__(
        self,
        app: App,
        queues: Iterable[str] = ("default",),
        *,
        threshold: float = 1.0,
        retry_after_s: int = 5,
        applies: Callable[[Scope], bool] = lambda scope: True,  # noqa: ARG005
        pressure: Callable[[str], Awaitable[float]] = default_pressure.aio,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if isinstance(queues, str):
            raise ConfigError("queues", "a list of queue names", queues)
        if not 0 < threshold <= 1:
            raise ConfigError("threshold", "a number above 0, up to 1", threshold)
        if retry_after_s < 1:
            raise ConfigError("retry_after_s", "whole seconds, 1 or more", retry_after_s)
        self._app = app
        self._queues = tuple(queues)
        self._threshold = threshold
        self._headers = [
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"content-length", str(len(_BODY)).encode()),
            (b"retry-after", str(int(retry_after_s)).encode()),
        ]
        self._applies = applies
        self._pressure = pressure
        self._clock = clock
        self._is_full = False
        self._known_until = float("-inf")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse it."""
        if scope["type"] == "http" and self._applies(scope) and await self._full():
            await send({"type": "http.response.start", "status": 503, "headers": self._headers})
            await send({"type": "http.response.body", "body": _BODY})
            return
        await self._app(scope, receive, send)

    async def _full(self) -> bool:
        now = self._clock()
        if now >= self._known_until:
            self._known_until = now + KNOWN_FOR_S  # before the await: the requests meanwhile do not ask as well
            self._is_full = await self._ask()
        return self._is_full

    async def _ask(self) -> bool:
        try:
            for queue in self._queues:
                if await self._pressure(queue) >= self._threshold:
                    return True
        except RedisError as error:
            _log.warning("The pressure of the queues is not known, requests go through: %s", error)
        return False
