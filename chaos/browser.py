"""A browser for the dashboard, as far as the visitor needs one: a cookie, pages, and forms that are sent as they came.

Each birth of the dashboard has a log, `web-NNNN.log`, and prints in it where it listens when it does. So nobody has to
know when it was killed, or which port is free: the last log says where it is, or that it is not yet anywhere.
"""

from __future__ import annotations

import html
import http.client
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from chaos.visits import NO_ANSWER, Visit

FOLDER_VARIABLE = "CHAOS_FOLDER"
TOKEN_VARIABLE = "PILLION_WEB_TOKEN"
# Longer than the dashboard ever waits for Redis (it gives up soon), and than it is ever put to sleep.
PATIENCE_S = 30.0
BOOTS_WITHIN_S = 60.0
LOOKS_AGAIN_S = 0.05

_ADDRESS = re.compile(r"http://(127\.0\.0\.1:\d+)/login")
_FIELD = re.compile(r'<input type="hidden" name="([^"]*)" value="([^"]*)">')


@dataclass(frozen=True, slots=True)
class Page:
    """An answer with its text; `visit` is what is written down of it."""

    visit: Visit
    text: str


class Browser:
    """Goes to where the dashboard is by now. Each request has a connection of its own: the other end may be new."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._folder, self._token = Path(environ[FOLDER_VARIABLE]), environ[TOKEN_VARIABLE]
        self._cookie = ("", "")  # of which address, and what

    @property
    def address(self) -> str | None:
        """Where the newest dashboard listens; None while it does not."""
        logs = sorted(self._folder.glob("web-*.log"))
        found = _ADDRESS.search(logs[-1].read_text(errors="replace")) if logs else None
        return found[1] if found else None

    def get(self, path: str) -> Page:
        """A page. What did not come is a page too, with the status NO_ANSWER."""
        return self._ask("GET", path, {})

    def post(self, path: str, fields: list[tuple[str, str]]) -> Page:
        """Send a form, as a browser does from a page of the same site."""
        kind = "application/x-www-form-urlencoded"
        headers = {"Content-Type": kind, "Origin": f"http://{self.address}", "Sec-Fetch-Site": "same-origin"}
        return self._ask("POST", path, headers, urlencode(fields))

    def _wait_until_there(self) -> None:
        """One that boots is waited for; one that never does is one that does not answer."""
        deadline = time.monotonic() + BOOTS_WITHIN_S
        while self.address is None and time.monotonic() < deadline:
            time.sleep(LOOKS_AGAIN_S)

    def _ask(self, method: str, path: str, headers: Mapping[str, str], body: str | None = None) -> Page:
        self._wait_until_there()
        began = time.monotonic()
        try:
            status, text = self._answer(method, path, headers, body)
        except (OSError, http.client.HTTPException) as error:
            status, text = NO_ANSWER, type(error).__name__
        took_ms = int((time.monotonic() - began) * 1000)
        return Page(Visit(began, status, took_ms, method, path, "" if status else text), text)

    def _answer(self, method: str, path: str, headers: Mapping[str, str], body: str | None) -> tuple[int, str]:
        address = self.address
        if address is None:
            raise ConnectionRefusedError
        if self._cookie[0] != address:
            self._log_in(address)
        connection = http.client.HTTPConnection(address, timeout=PATIENCE_S)
        try:
            connection.request(method, path, body, {**headers, "Cookie": self._cookie[1]})
            answer = connection.getresponse()
            return answer.status, answer.read().decode(errors="replace")
        finally:
            connection.close()

    def _log_in(self, address: str) -> None:
        connection = http.client.HTTPConnection(address, timeout=PATIENCE_S)
        try:
            connection.request("GET", f"/login?token={self._token}")
            cookie = connection.getresponse().getheader("Set-Cookie", "")
            self._cookie = (address, cookie.partition(";")[0])
        finally:
            connection.close()


def hidden_fields(text: str) -> list[tuple[str, str]]:
    """What the forms of a page send without being asked."""
    return [(html.unescape(name), html.unescape(value)) for name, value in _FIELD.findall(text)]
