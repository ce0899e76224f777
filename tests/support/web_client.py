"""Ask an ASGI application from a test that is not async: an httpx client whose requests run on a loop of their own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from typing import Any

import httpx

ADDRESS = "192.0.2.7"


class _Loop:
    """An event loop in a thread, for the whole process."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()

    def run(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result()


_LOOP = _Loop()


class _Transport(httpx.BaseTransport):
    def __init__(self, application: Any, root_path: str) -> None:
        self._inner = httpx.ASGITransport(application, root_path=root_path, client=(ADDRESS, 50_000))

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return _LOOP.run(self._ask(request))  # type: ignore[no-any-return]

    async def _ask(self, request: httpx.Request) -> httpx.Response:
        body = request.read()
        asked = httpx.Request(request.method, request.url, headers=request.headers, content=body)
        answer = await self._inner.handle_async_request(asked)
        return httpx.Response(answer.status_code, headers=answer.headers, content=await answer.aread())


def client_of(
    application: Any, base_url: str, *, headers: Mapping[str, str] | None = None, root_path: str = ""
) -> httpx.Client:
    """A client of an application; it follows no redirects, and keeps cookies."""
    return httpx.Client(transport=_Transport(application, root_path), base_url=base_url, headers=headers)


def wsgi_client_of(application: Any, base_url: str) -> httpx.Client:
    """The same for a WSGI application."""

    def as_servers_do(environ: dict[str, Any], start_response: Any) -> Any:
        # WSGI has the bytes of a path as latin-1; httpx leaves them decoded.
        path = environ["PATH_INFO"].encode().decode("latin-1")
        return application({**environ, "PATH_INFO": path}, start_response)

    return httpx.Client(transport=httpx.WSGITransport(app=as_servers_do), base_url=base_url)
