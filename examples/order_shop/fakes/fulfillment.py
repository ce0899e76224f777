"""The fake fulfillment service. Nothing is delivered."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import ClassVar

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from fakes.bodies import idempotency_key, json_object
from fakes.service import FakeService


class Fulfillment(FakeService):
    """Delivers with each call, unless its idempotency key was delivered before."""

    title = "Fulfillment"
    list_path = "requests"
    columns: ClassVar[Mapping[str, str]] = {
        "Customer Id": "customer_id",
        "Address": "address",
        "Status": "status",
        "Request Id": "request_id",
        "Metadata": "metadata",
    }

    @property
    def routes(self) -> list[Route]:
        return [*super().routes, Route("/request", self.request, methods=["PUT"])]

    async def request(self, request: Request) -> JSONResponse:
        """Ask for delivery."""
        body = await json_object(request)
        row = self._requested_before(idempotency_key(body))
        if row is None and not str(body.get("address") or "").strip():
            return JSONResponse({"status": "rejected", "error": "Missing address"}, status_code=422)
        if row is None:
            row = {name: body.get(name) for name in ("customer_id", "address", "product_id", "quantity", "metadata")}
            row |= {"status": "accepted", "request_id": f"fr_{secrets.token_hex(4)}"}
            self.rows.append(row)
        return JSONResponse({"status": "accepted", "request_id": row["request_id"]}, status_code=202)

    def _requested_before(self, key: str | None) -> dict[str, object] | None:
        """The request of this key, whatever is asked for now."""
        return next((row for row in self.rows if key is not None and idempotency_key(row) == key), None)
