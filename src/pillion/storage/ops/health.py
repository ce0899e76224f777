"""What monitors remember of the alerts they have sent, as ops: one hash, shared by all that run."""

from __future__ import annotations

from typing import Any

from pillion.storage.ops.base import Op, call, command
from pillion.wire import keys


def remembered() -> Op[dict[str, bytes]]:
    """Everything that is remembered: the name of an alert to its record."""
    return Op(("HGETALL", keys.HEALTH), _records)


def remember(field: str, record: bytes) -> Op[Any]:
    """Remember something of which only the newest counts."""
    return command("HSET", keys.HEALTH, field, record)


def swap(alert: str, known: bytes, record: bytes) -> Op[bool]:
    """Replace what is remembered of an alert if it still is `known`; empty bytes mean: nothing.

    False: another monitor has replaced it first, and sends the message.
    """
    return call("health_swap", (keys.HEALTH,), (alert, known, record), bool)


def _records(reply: Any) -> dict[str, bytes]:
    # RESP3 answers a map, RESP2 a flat list.
    pairs = reply.items() if isinstance(reply, dict) else zip(reply[::2], reply[1::2], strict=True)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return {name.decode("utf-8", "replace"): value for name, value in pairs}  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
