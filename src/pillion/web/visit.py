"""A visit: one request, as far as it is read before anybody looks at its body."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request

from pillion.web import paths
from pillion.web.forms import Fields, parse_query
from pillion.web.router import split
from pillion.web.security.auth import Visitor, cookies_of


@dataclass(slots=True, frozen=True, kw_only=True)
class Visit:
    """One request.

    `root` is the mount as it is written in addresses, `path` what comes after it; `headers` are by lower-case name.
    `address` is the other end of the connection, for the audit log. `is_secure`: the browser came by https, as far as
    we can know. `stream` reads the body.
    """

    method: str
    root: str
    path: str
    headers: Mapping[str, str]
    cookies: Mapping[str, str]
    query_text: str
    address: str
    is_secure: bool
    scope: Mapping[str, Any] = field(repr=False)
    stream: Callable[[], AsyncIterator[bytes]] = field(repr=False)

    @classmethod
    def of(cls, request: Request, public_origin: str | None) -> Visit:
        """From Starlette's request."""
        root, path = split(request.scope)
        headers = {name.lower(): value for name, value in reversed(request.headers.items())}  # the first counts
        return cls(
            method=request.method,
            root=paths.quoted(root),
            path=path,
            headers=headers,
            cookies=cookies_of(headers.get("cookie", "")),
            query_text=request.scope.get("query_string", b"").decode("latin-1"),
            address=_address(request.scope),
            is_secure=request.scope.get("scheme") == "https" or (public_origin or "").startswith("https:"),
            scope=request.scope,
            stream=request.stream,
        )

    @property
    def query(self) -> Fields:
        """The parameters of the address. Raises Refusal for too many."""
        return parse_query(self.query_text)

    @property
    def is_look(self) -> bool:
        """Whether it only looks: its address can be opened again."""
        return self.method in ("GET", "HEAD")

    @property
    def wants_fragment(self) -> bool:
        """Whether only `<main>` is wanted."""
        return self.headers.get("x-pillion-fragment") == "1" or "fragment=1" in self.query_text.split("&")

    @property
    def visitor(self) -> Visitor:
        """As functions given as `auth` see it."""
        return Visitor(
            method=self.method,
            path=self.path,
            headers=self.headers,
            address=self.address,
            scope=self.scope,
            environ=self.scope.get("wsgi_environ"),
        )


def _address(scope: Mapping[str, Any]) -> str:
    client = scope.get("client")
    if client:
        return str(client[0])
    environ = scope.get("wsgi_environ")  # without a port, a2wsgi leaves the client out
    return str(environ.get("REMOTE_ADDR", "")) if environ else ""
