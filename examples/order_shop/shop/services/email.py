"""The email service."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shop.services.base import Service


class Email(Service):
    """Sends mail. It knows no idempotency keys, but tells what it has sent."""

    name = "email"
    title = "email"
    list_path = "emails"

    def send_email(self, to: str, template_id: str, template_data: Mapping[str, Any]) -> str:
        """Send a mail; returns its id."""
        body = {"to": to, "template_id": template_id, "template_data": dict(template_data)}
        return str(self.call("POST", "send", json=body)["email_id"])

    def search_emails(self, to: str, template_id: str) -> list[dict[str, Any]]:
        """The mails that were sent to this address from this template, each with `email_id` and `template_data`."""
        found: list[dict[str, Any]] = self.call("GET", "emails", params={"email": to, "template_id": template_id})
        return found
