"""A page that takes too long is given up, as hosting companies do it (Rack::Timeout does it in the book)."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.responses import PlainTextResponse


class RequestTimeout:
    """ASGI middleware: answer 503 if a page takes longer than `timeout_s` seconds.

    The thread that makes the page cannot be stopped. It works on, and nobody sees what comes of it.
    """

    def __init__(self, app: Any, timeout_s: float) -> None:
        self._app = app
        self._timeout_s = timeout_s

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = False

        async def watched(message: Any) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            async with asyncio.timeout(self._timeout_s) as limit:
                await self._app(scope, receive, watched)
        except TimeoutError:
            if begun or not limit.expired():
                raise
            answer = PlainTextResponse(f"This page took longer than {self._timeout_s:g} seconds.", status_code=503)
            await answer(scope, receive, send)
