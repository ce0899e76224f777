"""Bodies and queries of requests, with bounds, as names with their values."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, Final, cast
from urllib.parse import parse_qs

from pillion.errors import DecodeError
from pillion.web.errors import Refusal
from pillion.wire import codec

MOST_BYTES: Final = 1_000_000
MOST_FIELDS: Final = 2_000

Fields = dict[str, list[str]]


async def read_body(stream: AsyncIterator[bytes]) -> bytes:
    """The whole body. Raises Refusal if it is larger than 1 MB, as soon as that is known."""
    body = bytearray()
    async for chunk in stream:
        body += chunk
        if len(body) > MOST_BYTES:
            raise Refusal("too_large", f"A body has at most {MOST_BYTES:,} bytes here. Send fewer rows at a time.")
    return bytes(body)


def parse_query(text: str) -> Fields:
    """Names and values of a query or a form; bytes that are no UTF-8 become U+FFFD. Raises Refusal for too many."""
    try:
        return parse_qs(text, keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError:
        raise Refusal("bad_request", f"At most {MOST_FIELDS:,} fields are read here.") from None


def parse_form(content_type: str, body: bytes) -> Fields:
    """What a form of a page sent. Raises Refusal for another kind of body."""
    if not body:
        return {}
    if _media(content_type) != "application/x-www-form-urlencoded":
        raise Refusal("media", "Send application/x-www-form-urlencoded, as a form of the dashboard does.")
    return parse_query(body.decode(errors="replace"))


def parse_json(content_type: str, body: bytes) -> Fields:
    """What a program sent: one JSON object of texts, numbers, booleans or lists of them. Raises Refusal."""
    if not body:
        return {}
    if _media(content_type) != "application/json":
        raise Refusal("media", 'Send application/json: one object, such as {"confirmed": true}.')
    try:
        given = codec.loads_job(body)
    except DecodeError as error:
        raise Refusal("bad_request", f"The body is not one JSON object: {error}") from None
    return {name: _texts(name, value) for name, value in _said(given).items()}


def _said(given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if value is not None}


def _texts(name: str, value: object) -> list[str]:
    several = cast("list[object]", value) if isinstance(value, list) else [value]
    if len(several) > MOST_FIELDS:
        raise Refusal("bad_request", f"{name}: expected at most {MOST_FIELDS:,} values, got {len(several):,}.")
    return [_text(name, one) for one in several]


def _text(name: str, value: object) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, str):
        return value
    if isinstance(value, int | float):
        return repr(value)
    raise Refusal("bad_request", f"{name}: expected a text, a number, a boolean or a list of them.")


def _media(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()
