"""The compressed backtrace in a payload: lines as JSON, zlib, base64 (wire-format 5.2)."""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Sequence
from typing import Final, cast

from pillion.errors import DecodeError
from pillion.wire.codec import dumps, loads
from pillion.wire.text import scrub

# What a reader inflates at most: a small text may unpack to gigabytes.
MAX_INFLATED_BYTES: Final = 16 * 1024 * 1024
# Begins a line between the stack of an error and that of what lies behind it; the name of its class follows.
CAUSED_BY: Final = "caused by "


def compress(lines: Sequence[str]) -> str:
    """Pack backtrace lines as Sidekiq >= 7.2.2 does: one line of base64 with padding."""
    text = dumps([scrub(line) for line in lines])
    return base64.b64encode(zlib.compress(text)).decode("ascii")


def expand(packed: object) -> list[str]:
    """Read the `error_backtrace` of any Sidekiq version. What cannot be read gives no lines.

    Base64 may be wrapped (6.0.1 to 7.2.1); before that the lines were a plain list.
    """
    if isinstance(packed, str):
        packed = _inflate(packed)
    if not isinstance(packed, list):
        return []
    return [line if isinstance(line, str) else str(line) for line in cast("list[object]", packed)]


def _inflate(text: str) -> object:
    try:
        # Without validate=True, characters outside the alphabet (newlines) are skipped.
        squeezed = base64.b64decode(text)
        return loads(zlib.decompressobj().decompress(squeezed, MAX_INFLATED_BYTES))
    except (binascii.Error, zlib.error, DecodeError, ValueError):
        return None
