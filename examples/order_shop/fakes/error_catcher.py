"""The fake service that collects errors."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import ClassVar

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from fakes.bodies import json_object
from fakes.service import FakeService


class ErrorCatcher(FakeService):
    """Keeps what it is told."""

    title = "Error Catcher"
    list_path = "notifications"
    columns: ClassVar[Mapping[str, str]] = {
        "Timestamp": "timestamp",
        "Exception Class": "exception_class",
        "Exception Message": "exception_message",
    }

    @property
    def routes(self) -> list[Route]:
        return [*super().routes, Route("/notification", self.notify, methods=["PUT"])]

    async def notify(self, request: Request) -> JSONResponse:
        """Be told of an error."""
        body = await json_object(request)
        if not body.get("exception_class") or not body.get("exception_message"):
            answer = {"error": "exception_class and exception_message are needed"}
            return JSONResponse(answer, status_code=422)
        row = {name: str(body[name]) for name in ("exception_class", "exception_message")}
        row["timestamp"] = datetime.now(UTC).isoformat(timespec="seconds")
        row["notification_id"] = f"no_{secrets.token_hex(4)}"
        self.rows.append(row)
        return JSONResponse({"notification_id": row["notification_id"]}, status_code=202)
