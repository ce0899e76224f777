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
