"""Locks, markers of what was done, and circuits, as ops. Each is a key that ends by itself."""

from __future__ import annotations

from typing import Any

from pillion.storage.ops.base import Op, call, command
from pillion.wire import keys


def take_lock(key: str, token: str, timeout_ms: int) -> Op[bool]:
    """Take the lock `key` for `token`. False: somebody else has it. May be sent again."""
    return call("lock_take", (keys.lock(key),), (token, timeout_ms), bool)


def release_lock(key: str, token: str) -> Op[bool]:
    """Let the lock go. False: it was not that of `token` any more."""
    return call("lock_release", (keys.lock(key),), (token,), bool)


def extend_lock(key: str, token: str, timeout_ms: int) -> Op[bool]:
    """Have the lock end in `timeout_ms` from now. False: it was not that of `token` any more."""
    return call("lock_extend", (keys.lock(key),), (token, timeout_ms), bool)


def was_done(key: str) -> Op[bool]:
    """Whether `key` is marked as done."""
    return Op(("EXISTS", keys.once(key)), bool)


def mark_done(key: str, by: str, ttl_ms: int) -> Op[Any]:
    """Mark `key` as done by the job `by`, for `ttl_ms`."""
    return command("SET", keys.once(key), by, "PX", ttl_ms)


def circuit_failures(name: str) -> Op[int]:
    """How many failures of a service count now."""
    return Op(("GET", keys.circuit(name)), _number)


def circuit_ends_in_ms(name: str) -> Op[int]:
    """Milliseconds until none of them counts any more; below 0 if there are none."""
    return Op(("PTTL", keys.circuit(name)), int)


def circuit_failed(name: str, threshold: int, window_ms: int) -> Op[int]:
    """Count a failure. Returns how many there are."""
    return call("circuit_fail", (keys.circuit(name),), (threshold, window_ms), int)


def circuit_closed(name: str, threshold: int) -> Op[bool]:
    """Forget the failures of a service, unless they have opened the circuit meanwhile. Whether there were any."""
    return call("circuit_close", (keys.circuit(name),), (threshold,), bool)


def _number(reply: Any) -> int:
    return int(reply or 0)
