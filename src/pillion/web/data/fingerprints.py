"""Which errors are alike: same class of job, same class of error, same words but for numbers and ids. Pure."""

from __future__ import annotations

import hashlib
import re
from typing import Final

LOOKED_AT_CHARS: Final = 300

# A UUID, an address or another long hexadecimal number, any other number: in this order, so that the whole of it goes.
_VARYING: Final = re.compile(
    r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"
    r"|\b0x[0-9a-f]+\b"
    r"|\b(?=[a-f]*[0-9])(?=[0-9]*[a-f])[0-9a-f]{8,}\b"
    r"|(?P<number>\d+(?:[.,]\d+)*)",
    re.IGNORECASE,
)


def pattern_of(message: str) -> str:
    """The first line of a message, with `<n>` for numbers and `<id>` for what is hexadecimal."""
    first = message[:LOOKED_AT_CHARS].split("\n", 1)[0].strip()
    return _VARYING.sub(lambda found: "<n>" if found["number"] else "<id>", first)


def fingerprint(label: str, error_class: str, pattern: str) -> str:
    """Twelve hexadecimal digits that stand for such errors."""
    text = "\0".join((label, error_class, pattern)).encode(errors="replace")
    return hashlib.sha1(text, usedforsecurity=False).hexdigest()[:12]
