"""The fake payments service. Nobody is charged."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any, ClassVar

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from fakes.bodies import idempotency_key, json_object
from fakes.service import FakeService

DECLINED_CENTS = 9999


class Payments(FakeService):
    """Charges each call, unless its idempotency key was charged before. Declines 99.99."""

    title = "Payments"
    list_path = "charges"
    columns: ClassVar[Mapping[str, str]] = {
        "Customer Id": "customer_id",
        "Amount Cents": "amount_cents",
        "Status": "status",
        "Charge Id": "charge_id",
        "Metadata": "metadata",
    }

    @property
    def routes(self) -> list[Route]:
        return [*super().routes, Route("/charge", self.charge, methods=["POST"])]

    async def charge(self, request: Request) -> JSONResponse:
        """Take money."""
        body = await json_object(request)
        charge_id = self._charged_before(idempotency_key(body))
        if charge_id is None and body.get("amount_cents") == DECLINED_CENTS:
            self._note(body, "declined", None)
            return JSONResponse({"status": "declined", "explanation": "Insufficient funds"})
        if charge_id is None:
            charge_id = f"ch_{secrets.token_hex(4)}"
            self._note(body, "success", charge_id)
        return JSONResponse({"status": "success", "charge_id": charge_id}, status_code=201)

    def _charged_before(self, key: str | None) -> str | None:
        """The charge of this key, whatever is asked for now. One that was declined may be tried again."""
        if key is None:
            return None
        same = (row for row in self.rows if row["status"] == "success" and idempotency_key(row) == key)
        return next((row["charge_id"] for row in same), None)

    def _note(self, body: dict[str, Any], status: str, charge_id: str | None) -> None:
        row = {name: body.get(name) for name in ("customer_id", "amount_cents", "metadata")}
        self.rows.append({**row, "status": status, "charge_id": charge_id})
