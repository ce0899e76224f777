"""What every call passes before it reaches a service: may it be answered, and is the service to misbehave?"""

from __future__ import annotations

import asyncio
import math
import random
from typing import Any

from starlette.datastructures import Headers
from starlette.responses import JSONResponse

SLOW_S = 1, 10
ANSWERS = ("application/json", "text/html", "*/*")
# It crashes after its work: the mail is sent, and the caller does not learn of it.
CRASHES_LATE = "/email/send"


class AcceptedTypes:
    """ASGI middleware: 406 for callers who accept neither JSON nor HTML."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request."""
        if scope["type"] == "http":
            accepted = Headers(scope=scope).get("accept", "*/*")
            if not any(kind in accepted for kind in ANSWERS):
                await _answer(406, "I speak JSON and HTML.")(scope, receive, send)
                return
        await self._app(scope, receive, send)


class ControlHeaders:
    """ASGI middleware: misbehave as the headers want, X-Be-Slow first, then X-Throttle, then X-Crash."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        await asyncio.sleep(seconds_to_sleep(headers.get("x-be-slow", "")))
        if headers.get("x-throttle") == "true":
            await _answer(429, "Too many requests")(scope, receive, send)
        elif headers.get("x-crash") != "true":
            await self._app(scope, receive, send)
        elif scope["path"] == CRASHES_LATE:
            await self._app(scope, receive, _nowhere)
            await _answer(503, "Crashed after the mail was sent")(scope, receive, send)
        else:
            await _answer(random.choice((503, 504)), "Crashed")(scope, receive, send)


def seconds_to_sleep(header: str) -> float:
    """What X-Be-Slow means: a number is seconds, "true" is 1 to 10, anything else is nothing."""
    if header == "true":
        return random.uniform(*SLOW_S)
    try:
        seconds = float(header)
    except ValueError:
        return 0.0
    return seconds if 0 < seconds < math.inf else 0.0


async def _nowhere(_message: Any) -> None:
    """An answer that the caller never sees."""


def _answer(code: int, message: str) -> JSONResponse:
    return JSONResponse({"error": message}, status_code=code)
