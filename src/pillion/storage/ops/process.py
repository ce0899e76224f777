"""The process record, the work hash and the signal list of a worker process, as ops (wire-format 7)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pillion.storage.ops.base import Arg, Op, command
from pillion.wire import keys


@dataclass(slots=True, frozen=True)
class BeatReply:
    """What a beat learned: whether the record was there before, and a signal sent to this process."""

    existed: bool
    signal: str | None


def work(identity: str, entries: Mapping[str, bytes]) -> list[Op[Any]]:
    """One transaction that replaces the work hash; without entries the key is gone (wire-format 7.4)."""
    key = keys.work(identity)
    ops = [command("UNLINK", key)]
    if entries:
        ops.append(command("HSET", key, *_flat(entries)))
        ops.append(command("EXPIRE", key, keys.PROCESS_TTL_S))
    return ops


def ping() -> Op[Any]:
    """The command whose duration is the process's `rtt_us`."""
    return command("PING")


def beat(identity: str, fields: Mapping[str, Arg]) -> list[Op[Any]]:
    """One transaction that refreshes the process record and takes one signal. Read it with `read_beat`."""
    key = keys.process(identity)
    return [
        command("SADD", keys.PROCESSES, identity),
        command("EXISTS", key),
        command("HSET", key, *_flat(fields)),
        command("EXPIRE", key, keys.PROCESS_TTL_S),
        command("RPOP", keys.signals(identity)),
    ]


def read_beat(replies: Sequence[Any]) -> BeatReply:
    """What the replies to `beat` say."""
    _, existed, _, _, signal = replies
    return BeatReply(bool(existed), None if signal is None else signal.decode(errors="replace"))


def leave(identity: str) -> list[Op[Any]]:
    """Take a process off the list, and what it was running. Its record is left to expire."""
    return [command("SREM", keys.PROCESSES, identity), command("UNLINK", keys.work(identity))]


def claim_cleanup() -> Op[bool]:
    """Claim the pruning of dead processes for a minute (wire-format 7.7)."""
    return Op(("SET", keys.PROCESS_CLEANUP, "1", "NX", "EX", 60), bool)


def identities(cursor: int, count: int = 100) -> Op[tuple[int, list[bytes]]]:
    """One step through the listed processes. Ends when the cursor is 0 again."""
    return Op(("SSCAN", keys.PROCESSES, cursor, "COUNT", count), _page)


def info(identity: bytes) -> Op[Any]:
    """The `info` field of a process record; None if the record is gone."""
    return command("HGET", identity, "info")


def strike_off(gone: Sequence[bytes]) -> Op[int]:
    """Remove processes from the list."""
    return Op(("SREM", keys.PROCESSES, *gone), int)


def _flat(fields: Mapping[str, Arg]) -> list[Arg]:
    return [part for pair in fields.items() for part in pair]


def _page(reply: Any) -> tuple[int, list[bytes]]:
    return int(reply[0]), list(reply[1])
