"""The payments service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from shop.services.base import Service


@dataclass(frozen=True, slots=True)
class Charged:
    """The money is ours."""

    charge_id: str


@dataclass(frozen=True, slots=True)
class Declined:
    """The customer's bank said no. That is an answer, not an error."""

    explanation: str


class Payments(Service):
    """Takes money. The same `idempotency_key` in the metadata never takes it twice."""

    name = "payments"
    title = "payments"
    list_path = "charges"

    def charge(
        self, customer_id: str, payment_method_id: str, amount_cents: int, metadata: Mapping[str, str] | None = None
    ) -> Charged | Declined:
        """Take `amount_cents` from the customer."""
        body = {
            "customer_id": customer_id,
            "payment_method_id": payment_method_id,
            "amount_cents": amount_cents,
            "metadata": dict(metadata or {}),
        }
        answer = self.call("POST", "charge", json=body)
        if answer["status"] == "declined":
            return Declined(answer["explanation"])
        return Charged(answer["charge_id"])
