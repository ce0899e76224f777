"""View models as JSON, and errors as RFC 9457 says. Pure.

Integers stay as they are, however large: whoever reads them with JavaScript must read them as text. Numbers that JSON
cannot write (an infinite age) are null.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, Final, cast

import msgspec

from pillion.web.errors import Kind, Refusal

PROBLEM_TYPE: Final = "application/problem+json"
JSON_TYPE: Final = "application/json"

TITLES: Final[dict[Kind, str]] = {
    "bad_request": "The request is not as it must be",
    "unauthorized": "Nobody is logged in",
    "forbidden": "Not allowed",
    "not_found": "Not found",
    "method": "Another method is needed",
    "conflict": "It is not as it was",
    "too_large": "Too large",
    "media": "Another kind of body is needed",
    "unconfirmed": "To be confirmed",
    "too_many": "Too often",
    "broken": "The dashboard failed",
    "unavailable": "Redis does not answer",
}

_encode = msgspec.json.Encoder().encode


def to_json(value: Any) -> bytes:
    """A view model, or any of its parts, as JSON."""
    return _encode(plain(value))


def plain(value: Any) -> Any:
    """Dataclasses as maps, their properties left out; other values as JSON has them."""
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in cast("Mapping[object, Any]", value).items()}
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str):
        return value.encode(errors="replace").decode()  # half a surrogate pair cannot be written
    if isinstance(value, Sequence):
        return [plain(item) for item in cast("Any", value)]
    return value


def problem(refusal: Refusal, **facts: Any) -> bytes:
    """An error for programs. `code` is the kind of it, and what to decide by; `facts` are more to know."""
    return to_json(
        {
            "type": "about:blank",
            "title": TITLES[refusal.kind],
            "status": refusal.status,
            "code": refusal.kind,
            "detail": refusal.detail,
            **facts,
        }
    )
