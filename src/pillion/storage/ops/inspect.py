"""Looking at processes, at what they run, and at profiles, as ops (wire-format 7, 11)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pillion.storage.ops.base import Arg, Op, command, raw, script
from pillion.wire import keys

PROCESS_FIELDS = ("info", "concurrency", "busy", "beat", "quiet", "rss", "rtt_us")
PROFILE_FIELDS = ("started_at", "jid", "type", "token", "size", "elapsed", "sid")

Fields = Mapping[str, bytes]


# -- processes ---------------------------------------------------------------------------------------


def process_record(identity: bytes) -> Op[Fields]:
    """The record of a process; empty if it has expired."""
    return Op(("HMGET", identity, *PROCESS_FIELDS), lambda reply: _named(PROCESS_FIELDS, reply))


def is_listed(identity: str) -> Op[bool]:
    """Whether a process is on the list. One that has ended is not, though its record lives on for a minute."""
    return Op(("SISMEMBER", keys.PROCESSES, identity), bool)


def signal(identity: str, name: str) -> list[Op[Any]]:
    """One transaction that leaves a signal for a process; it fetches it with its next beat (wire-format 7.6)."""
    key = keys.signals(identity)
    return [command("LPUSH", key, name), command("EXPIRE", key, keys.SIGNAL_TTL_S)]


def forget_dead(gone: Sequence[bytes]) -> Op[int]:
    """Take processes without a record off the list, unless somebody did so within the last minute."""
    names: list[Arg] = [keys.PROCESS_CLEANUP, keys.PROCESSES, *gone]
    return Op((len(names), *names, keys.PROCESS_TTL_S), int, script("forget_dead"))


def leader() -> Op[str]:
    """The identity of the leader of the fleet; "" if there is none."""
    return Op(("GET", keys.DEAR_LEADER), lambda reply: bytes(reply or b"").decode(errors="replace"))


def works(identity: bytes) -> list[Op[Fields]]:
    """What a process is running: thread id to work JSON, under its key of today and that of Sidekiq up to 6.4.1."""
    name = identity.decode(errors="replace")
    return [Op(("HGETALL", key), _map) for key in (keys.work(name), keys.work_before_6_4_2(name))]


# -- profiles ----------------------------------------------------------------------------------------


def profile_count() -> Op[int]:
    """How many profiles are listed, expired ones included."""
    return Op(("ZCARD", keys.PROFILES), int)


def profile_keys(now_s: float) -> list[Op[Any]]:
    """Drop expired profiles from the list, then read the others, the newest first."""
    return [
        command("ZREMRANGEBYSCORE", keys.PROFILES, "-inf", now_s),
        command("ZREVRANGE", keys.PROFILES, 0, -1),
    ]


def profile(key: bytes) -> Op[Fields]:
    """One profile without its data; empty if it has expired."""
    return Op(("HMGET", key, *PROFILE_FIELDS), lambda reply: _named(PROFILE_FIELDS, reply))


def profile_data(key: str) -> Op[bytes | None]:
    """The data of one profile; None if it has expired."""
    return Op(("HGET", key, "data"), raw)


# -- inside ------------------------------------------------------------------------------------------


def _named(names: Sequence[str], reply: Sequence[bytes | None]) -> Fields:
    return {name: value for name, value in zip(names, reply, strict=True) if value is not None}


def _map(reply: Sequence[bytes]) -> Fields:
    return {name.decode(errors="replace"): value for name, value in zip(reply[::2], reply[1::2], strict=True)}
