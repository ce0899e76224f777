"""The dashboard in a WSGI host: Flask, Django, anything behind gunicorn or mod_wsgi."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from typing import Any

from a2wsgi import ASGIMiddleware

from pillion.web.asgi_app import Dashboard, app

Environ = dict[str, Any]
StartResponse = Callable[..., Any]


def wsgi(**options: Any) -> WsgiDashboard:
    """The dashboard as a WSGI application. Parameters and errors are those of `pillion.web.app`.

    Mount it with what the host has for that: Flask's `DispatcherMiddleware`, or `pillion.web.django.urls`.
    """
    return WsgiDashboard(app(**options))


class WsgiDashboard:
    """The WSGI application around a dashboard."""

    def __init__(self, dashboard: Dashboard) -> None:
        self._dashboard = dashboard
        self._lock = threading.Lock()
        self._pid = 0
        self._bridge: Any = None

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        answer: Iterable[bytes] = self._of_this_process()(_readable(environ), start_response)
        return answer

    def close(self) -> None:
        """Close the connections to Redis."""
        self._dashboard.close()

    def _of_this_process(self) -> Any:
        """The bridge has an event loop in a thread of its own, which a fork (gunicorn --preload) leaves behind."""
        with self._lock:
            if self._bridge is None or self._pid != os.getpid():
                self._pid = os.getpid()
                application: Any = self._dashboard  # Starlette and a2wsgi write the same type differently
                self._bridge = ASGIMiddleware(application)
            return self._bridge


def _readable(environ: Environ) -> Environ:
    """The bridge stops at a path that is no UTF-8 and a query that is no ASCII: what cannot be read becomes `?`."""
    paths = {name: _utf8(str(environ.get(name, ""))) for name in ("SCRIPT_NAME", "PATH_INFO")}
    query = str(environ.get("QUERY_STRING", "")).encode("ascii", "replace").decode("ascii")
    port = str(environ.get("SERVER_PORT", ""))  # of a server on a Unix socket there is none
    return {**environ, **paths, "QUERY_STRING": query, "SERVER_PORT": port if port.isdecimal() else "0"}


def _utf8(text: str) -> str:
    """WSGI has the bytes of a path as latin-1."""
    return text.encode("latin-1", "replace").decode(errors="replace").encode().decode("latin-1")
