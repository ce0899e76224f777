"""The service that fulfils orders."""

from __future__ import annotations

from collections.abc import Mapping

from shop.services.base import Service


class Fulfillment(Service):
    """Packs and delivers. The same `idempotency_key` in the metadata never delivers twice."""

    name = "fulfillment"
    title = "order fulfillment"
    list_path = "requests"

    def request_fulfillment(
        self,
        customer_id: str,
        address: str,
        product_id: int,
        quantity: int,
        metadata: Mapping[str, str] | None = None,
    ) -> str:
        """Ask for delivery; returns the id of the request."""
        body = {
            "customer_id": customer_id,
            "address": address,
            "product_id": product_id,
            "quantity": quantity,
            "metadata": dict(metadata or {}),
        }
        return str(self.call("PUT", "request", json=body)["request_id"])
