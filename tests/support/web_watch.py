"""Watches a page of a browser: what must never happen on the dashboard, whatever is shown."""

from __future__ import annotations

from playwright.sync_api import ConsoleMessage, Page, Request


class Watch:
    """Notes errors of scripts, what the content security policy stopped, requests elsewhere, and dialogs.

    Parameters: `home` is where requests may go to; `allow` are words of console messages that are meant.
    """

    def __init__(self, page: Page, home: str, allow: tuple[str, ...] = ()) -> None:
        self.page, self.allow = page, allow
        self.wrong: list[str] = []
        self._origin = "/".join(home.split("/")[:3])
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.wrong.append(f"script: {error}"))
        page.on("request", self._request)
        page.on("dialog", lambda dialog: (self.wrong.append(f"dialog: {dialog.message}"), dialog.dismiss()))

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not any(word in message.text for word in self.allow):
            self.wrong.append(f"console: {message.text}")

    def _request(self, request: Request) -> None:
        if not request.url.startswith((self._origin, "data:", "blob:")):
            self.wrong.append(f"elsewhere: {request.url}")
