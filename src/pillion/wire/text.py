"""Text that can always be written and shown: valid as UTF-8, and never raising while an error is told."""

from __future__ import annotations

from typing import Final

MAX_SHOWN_CHARS: Final = 200


def scrub(text: str) -> str:
    """Return `text` with each lone surrogate replaced by U+FFFD, so that it can be written as UTF-8."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def shown(value: object) -> str:
    """The start of `repr(value)` for an error message, even if its `__repr__` raises (as ORM objects may)."""
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - __repr__ is user code
        text = object.__repr__(value)
    return text if len(text) <= MAX_SHOWN_CHARS else f"{text[:MAX_SHOWN_CHARS]}..."
