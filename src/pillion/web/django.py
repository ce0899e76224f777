"""The dashboard among the URLs of a Django project.

from pillion.web.django import urls

urlpatterns = [path("admin/jobs/", urls(auth=who))]

def who(visitor):
    user = visitor.environ["django.request"].user
    return User(user.get_username(), "admin" if user.is_superuser else "viewer") if user.is_staff else None
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from importlib import import_module
from io import BytesIO
from itertools import chain
from typing import Any

from pillion.web.asgi_app import app
from pillion.web.wsgi_app import Environ, WsgiDashboard

# Django brings no types.
_http: Any = import_module("django.http")
_urls: Any = import_module("django.urls")
_csrf: Any = import_module("django.views.decorators.csrf")


def urls(**options: Any) -> Any:
    """What `path("admin/jobs/", ...)` takes. Parameters and errors are those of `pillion.web.app`.

    The dashboard sees for itself that a POST comes from its own pages, so Django's tokens are not asked for. Works
    with Django's WSGI and ASGI handlers.
    """
    dashboard = WsgiDashboard(app(**options))

    def view(request: Any, path: str) -> Any:
        return _answer(dashboard, _environ(request, path), is_async=hasattr(request, "scope"))

    everything = _urls.re_path(r"^(?P<path>.*)$", _csrf.csrf_exempt(view), name="pillion")
    return ([everything], "pillion", "pillion")


def _environ(request: Any, path: str) -> Environ:
    """The request for a WSGI application that is mounted where Django's URLs say."""
    user = getattr(request, "user", None)
    if user is not None:
        bool(user.is_authenticated)  # read here, in Django's thread, which closes its database connections
    body = request.body
    return {
        "SERVER_PROTOCOL": "HTTP/1.1",
        **request.META,
        "wsgi.url_scheme": request.scheme,
        "wsgi.input": BytesIO(body),
        "CONTENT_LENGTH": str(len(body)),
        "SCRIPT_NAME": _as_wsgi(request.path.removesuffix(path).rstrip("/")),
        "PATH_INFO": _as_wsgi(f"/{path}"),
        "django.request": request,
    }


def _as_wsgi(path: str) -> str:
    return path.encode(errors="replace").decode("latin-1")


def _answer(dashboard: WsgiDashboard, environ: Environ, *, is_async: bool) -> Any:
    """The dashboard's answer as Django's. What has no length yet, an export, is passed on as it comes."""
    begun: list[tuple[int, list[tuple[str, str]]]] = []

    def start(status: str, headers: list[tuple[str, str]], _error: object = None) -> None:
        begun.append((int(status.split(" ", 1)[0]), headers))

    parts: Iterator[bytes] = iter(dashboard(environ, start))
    first = next(parts, b"")
    status, headers = begun[0]
    body = chain((first,), parts)
    has_length = any(name.lower() == "content-length" for name, _ in headers)
    is_whole = has_length or status == 304
    answer: Any = (
        _http.HttpResponse(b"".join(body), status=status)
        if is_whole
        else _http.StreamingHttpResponse(_awaited(body) if is_async else body, status=status)
    )
    for name, value in headers:
        if name.lower() == "set-cookie":
            answer.cookies.load(value)
        else:
            answer.headers[name] = value
    return answer


async def _awaited(parts: Iterator[bytes]) -> AsyncIterator[bytes]:
    """For Django's ASGI handler, which would read all of an iterator before it sends the first of it."""
    loop = asyncio.get_running_loop()
    while (part := await loop.run_in_executor(None, next, parts, None)) is not None:
        yield part
