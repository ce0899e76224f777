"""What all services have in common: a call, its errors, and whether the service is up."""

from __future__ import annotations

from functools import cache
from typing import Any, ClassVar

import httpx

from shop.behaviours import behaviour_of
from shop.settings import settings

STATUS_TIMEOUT_S = 1.0  # all of them are asked for one page, which is to show those that do not answer


class HTTPError(Exception):
    """A service did not answer as agreed. `code` is the status of HTTP."""

    def __init__(self, code: int, body: str) -> None:
        self.code, self.body = code, body
        super().__init__(f"{code}: {body}")


class ClientError(HTTPError):
    """4xx: the call itself is wrong, so the same call again is wrong again."""


class TooManyRequests(ClientError):
    """429: the call is right, but too soon. It passes, unlike other 4xx."""


class ServerError(HTTPError):
    """5xx: the service is in trouble. It passes."""


class Service:
    """A service at a URL. Each call has the headers that the simulated behaviour wants."""

    name: ClassVar[str]  # in addresses and in the table of behaviours
    title: ClassVar[str]  # for people
    list_path: ClassVar[str]  # what the service remembers

    def __init__(self, url: str) -> None:
        self.url = url

    def status(self) -> dict[str, Any]:
        """What the service says of itself, whatever behaviour was set. Raises HTTPError, httpx.TransportError."""
        facts: dict[str, Any] = _read(_http().get(f"{self.url}/status", timeout=STATUS_TIMEOUT_S))
        return facts

    def clear(self) -> None:
        """Make the service forget everything. Only fakes can."""
        _read(_http().delete(f"{self.url}/{self.list_path}"))

    def rows(self) -> list[dict[str, Any]]:
        """Everything that the service remembers. Only fakes tell."""
        rows: list[dict[str, Any]] = _read(_http().get(f"{self.url}/{self.list_path}"))
        return rows

    def call(self, method: str, path: str, **request: Any) -> Any:
        """Call the service and return what its JSON says.

        Raises HTTPError for any answer that is not 2xx, httpx.TransportError if there is none.
        """
        headers = behaviour_of(self.name).headers()
        return _read(_http().request(method, f"{self.url}/{path}", headers=headers, **request))


@cache
def _http() -> httpx.Client:
    """The HTTP client of this process. It keeps no connections, so none is shared after a fork."""
    return httpx.Client(timeout=settings().call_timeout_s, limits=httpx.Limits(max_keepalive_connections=0))


def _read(response: httpx.Response) -> Any:
    if not response.is_success:
        raise _error_of(response.status_code)(response.status_code, response.text)
    try:
        return response.json()
    except ValueError as error:
        raise HTTPError(response.status_code, "the answer is no JSON") from error


def _error_of(code: int) -> type[HTTPError]:
    if code == 429:
        return TooManyRequests
    if code >= 500:
        return ServerError
    return ClientError if code >= 400 else HTTPError
