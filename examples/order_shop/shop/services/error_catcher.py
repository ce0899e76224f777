"""The service that collects errors."""

from __future__ import annotations

from typing import Literal

from shop.services.base import Service


class ErrorCatcher(Service):
    """Shows errors to the people who look after the shop."""

    name = "error-catcher"
    title = "error catcher"
    list_path = "notifications"

    def __init__(self, url: str, ignored_errors: frozenset[type[BaseException]] = frozenset()) -> None:
        super().__init__(url)
        self.ignored_errors = ignored_errors

    def notify(self, error: BaseException | str) -> Literal["sent", "ignored"]:
        """Tell of an error, or say something. An error of just one of the classes `ignored_errors` is not told."""
        if type(error) in self.ignored_errors:
            return "ignored"
        kind = "message" if isinstance(error, str) else type(error).__name__
        self.call("PUT", "notification", json={"exception_class": kind, "exception_message": str(error) or kind})
        return "sent"
