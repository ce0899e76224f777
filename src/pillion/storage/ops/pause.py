"""Pausing of queues, as ops: workers start no job of a paused queue.

Design record. The truth is the set `paused`, which lives as long as Redis' data; the message on the channel
only says "look again". So a message that is lost, doubled, or meant for another database of the same server
(channels know no databases) can never pause or unpause anything.
"""

from __future__ import annotations

from typing import Any

from pillion.storage.ops.base import Op, call
from pillion.wire import keys


def pause(name: str) -> Op[bool]:
    """Pause the queue `name`. True if it was not paused before. One script: SREM, SADD, PUBLISH."""
    return call("pause", (keys.PAUSED,), (name, 1, keys.CONTROL), bool)


def unpause(name: str) -> Op[bool]:
    """End the pause of the queue `name`. True if it was paused. One script: SREM, PUBLISH."""
    return call("pause", (keys.PAUSED,), (name, 0, keys.CONTROL), bool)


def is_paused(name: str) -> Op[bool]:
    """Whether the queue `name` is paused. SISMEMBER."""
    return Op(("SISMEMBER", keys.PAUSED, name), bool)


def paused_queues() -> Op[frozenset[str]]:
    """The names of all paused queues. SMEMBERS."""
    return Op(("SMEMBERS", keys.PAUSED), _names)


def _names(reply: Any) -> frozenset[str]:
    return frozenset(bytes(name).decode(errors="replace") for name in reply)
