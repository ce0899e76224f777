"""Context of web requests: who and what the jobs of a request are for (F129).

    app = ContextMiddleware(app, facts=lambda scope: {"user": user_name(scope)})      # ASGI
    app = WsgiContext(app, facts=lambda environ: {"user": user_name(environ)})         # WSGI

Each request also has a `request_id`: that of its header X-Request-Id, or a new one. Jobs that are pushed while it is
served carry all of it, as in `with pillion.context(...)`; see docs/guides/context.md.
"""

from __future__ import annotations

import contextvars
import re
import secrets
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, MutableMapping
from typing import Any, Final

from pillion.ambient import Fact, begin_context, context

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
Facts = Mapping[str, Fact | None]

# A header is anybody's: what is no plain id does not get into payloads and log lines.
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")


class ContextMiddleware:
    """ASGI: serve each HTTP request and web socket in a context of its own.

    `facts(scope)` are its facts besides `request_id`. It runs before the application, so outside of its frameworks'
    own middleware it sees what the server saw; facts that are known later go into `with pillion.context(...)`.
    """

    def __init__(self, app: App, facts: Callable[[Scope], Facts] = lambda scope: {}) -> None:  # noqa: ARG005
        self._app = app
        self._facts = facts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers: Iterable[tuple[bytes, bytes]] = scope.get("headers") or ()
        given = next((value.decode("latin-1") for name, value in headers if name.lower() == b"x-request-id"), "")
        with context(**{"request_id": _request_id(given), **self._facts(scope)}):
            await self._app(scope, receive, send)


class WsgiContext:
    """WSGI: serve each request in a context of its own, until the last part of its answer has been sent.

    `facts(environ)` are its facts besides `request_id`. The application runs in a copy of the thread's context
    variables: what it sets and does not take back (a CurrentAttributes, for instance) is not seen by the next request.
    """

    def __init__(self, app: WsgiApp, facts: Callable[[dict[str, Any]], Facts] = lambda environ: {}) -> None:  # noqa: ARG005
        self._app = app
        self._facts = facts

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Serve one request."""
        facts = {"request_id": _request_id(environ.get("HTTP_X_REQUEST_ID", "")), **self._facts(environ)}
        own = contextvars.copy_context()
        own.run(lambda: begin_context(**facts))
        return _Parts(own, own.run(self._app, environ, start_response))


class _Parts:
    """The parts of an answer, each made in the context of its request."""

    def __init__(self, own: contextvars.Context, parts: Iterable[bytes]) -> None:
        self._own = own
        self._parts = parts
        self._iterator: Iterator[bytes] = own.run(iter, parts)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return self._own.run(next, self._iterator)

    def close(self) -> None:
        """Tell the application that the answer is over."""
        close = getattr(self._parts, "close", None)
        if close is not None:
            self._own.run(close)


def _request_id(given: str) -> str:
    return given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(12)
