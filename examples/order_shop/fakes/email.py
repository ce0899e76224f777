"""The fake email service. Nothing is sent."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import ClassVar

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from fakes.bodies import json_object
from fakes.service import FakeService


class Email(FakeService):
    """Sends a mail with each call: it knows no idempotency keys."""

    title = "Email"
    list_path = "emails"
    columns: ClassVar[Mapping[str, str]] = {
        "To": "to",
        "Template Id": "template_id",
        "Email Id": "email_id",
        "Template Data": "template_data",
    }

    @property
    def routes(self) -> list[Route]:
        return [*super().routes, Route("/send", self.send, methods=["POST"])]

    async def send(self, request: Request) -> JSONResponse:
        """Queue a mail."""
        body = await json_object(request)
        if not body.get("to") or not body.get("template_id"):
            return JSONResponse({"status": "not-queued", "error": "to and template_id are needed"}, status_code=422)
        row = {name: body.get(name) for name in ("to", "template_id", "template_data")}
        row["email_id"] = f"em_{secrets.token_hex(4)}"
        self.rows.append(row)
        return JSONResponse({"status": "queued", "email_id": row["email_id"]}, status_code=202)

    async def show(self, request: Request) -> JSONResponse:
        """What was sent, all of it or what fits `?email=` and `?template_id=`."""
        to, template_id = request.query_params.get("email"), request.query_params.get("template_id")
        return JSONResponse(
            [row for row in self.rows if to in (None, row["to"]) and template_id in (None, row["template_id"])]
        )
