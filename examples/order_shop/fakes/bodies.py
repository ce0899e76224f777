"""What callers send."""

from __future__ import annotations

import json
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request


async def json_object(request: Request) -> dict[str, Any]:
    """The body of a call. Raises HTTPException 422 unless it is a JSON object."""
    try:
        body = json.loads(await request.body())
    except ValueError:
        raise HTTPException(422, "The body is no JSON.") from None
    if not isinstance(body, dict):
        raise HTTPException(422, "The body is no JSON object.")
    return body


def idempotency_key(body: dict[str, Any]) -> str | None:
    """The key in the metadata, if there is one."""
    metadata = body.get("metadata")
    key = metadata.get("idempotency_key") if isinstance(metadata, dict) else None
    return str(key) if key else None
