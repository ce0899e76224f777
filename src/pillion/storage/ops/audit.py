"""The audit stream, as ops: one entry for each thing that somebody did on the dashboard."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pillion.storage.ops.base import Op, raw
from pillion.wire import keys

# So many entries are kept, or a few more: Redis trims whole nodes of the stream.
KEPT: Final = 10_000


def append(fields: Mapping[str, str]) -> Op[Any]:
    """Write an entry; the oldest ones leave. XADD."""
    pairs = [text for pair in fields.items() for text in pair]
    return Op(("XADD", keys.AUDIT, "MAXLEN", "~", KEPT, "*", *pairs), raw)


def newest(behind: str, count: int) -> Op[list[tuple[str, dict[str, str]]]]:
    """Up to `count` entries, the newest first, older than the one with the id `behind` ("": from the newest on)."""
    return Op(("XREVRANGE", keys.AUDIT, f"({behind}" if behind else "+", "-", "COUNT", count), _entries)


def size() -> Op[int]:
    """How many entries there are. XLEN."""
    return Op(("XLEN", keys.AUDIT), int)


def _entries(reply: Any) -> list[tuple[str, dict[str, str]]]:
    return [(_text(entry_id), _map(fields)) for entry_id, fields in reply]


def _map(fields: list[bytes]) -> dict[str, str]:
    return {_text(name): _text(value) for name, value in zip(fields[::2], fields[1::2], strict=True)}


def _text(value: bytes) -> str:
    return value.decode(errors="replace")
