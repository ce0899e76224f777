"""Jobs in the hands of processes, as an op: what the dashboard finds before a heartbeat tells of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from pillion.storage.ops.base import Op, call
from pillion.storage.ops.web import ENDS_BYTES
from pillion.wire import keys

# What one step may look at, so that it takes Redis some milliseconds at most.
OWNERS_A_STEP: Final = 50
_PLACES: Final = 1_000
_ENTRIES: Final = 3_000
_LOOK_BYTES: Final = 4_000_000
_MOST: Final = 3

_IN_FLIGHT: Final = keys.inflight("\0", "\0").split("\0")
_WAITING: Final = keys.waiting("\0", "\0").split("\0")


@dataclass(slots=True, frozen=True)
class HeldEntry:
    """A job that a process has taken; of a large one the two ends, else `tail` is empty.

    `lives`: the lease of the process runs. If not, the job goes back to `queue` soon.
    """

    identity: str
    queue: str
    lives: bool
    size_bytes: int
    head: bytes
    tail: bytes


@dataclass(slots=True, frozen=True)
class InHand:
    """What one step has found: `entries` of `looked_at`, with `owners` processes in all."""

    owners: int
    looked_at: int
    entries: tuple[HeldEntry, ...]


def in_hand(ways: Sequence[bytes], *, skip: int = 0, whole_bytes: int) -> Op[InHand]:
    """Jobs that processes have in flight, in which one of `ways` occurs.

    Parameters: `skip` so many processes, by name; 50 are looked at. Payloads up to `whole_bytes` come in whole.
    """
    names = (_IN_FLIGHT[0], _IN_FLIGHT[1], _WAITING[1], keys.alive(""))
    limits = (skip, OWNERS_A_STEP, _PLACES, _ENTRIES, _LOOK_BYTES, _MOST, whole_bytes, ENDS_BYTES)
    return call("web_in_hand", (keys.OWNERS,), (*limits, *names, *ways), _in_hand)


def _in_hand(reply: Any) -> InHand:
    owners, looked_at, flat = reply
    found = zip(*[iter(flat)] * 6, strict=True)
    entries = (
        HeldEntry(_text(identity), _text(queue), bool(lives), int(size), head, tail)
        for identity, queue, lives, size, head, tail in found
    )
    return InHand(int(owners), int(looked_at), tuple(entries))


def _text(value: bytes) -> str:
    return value.decode(errors="replace")
