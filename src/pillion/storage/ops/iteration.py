"""The state of iterable jobs, and their progress, as ops (wire-format 10)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pillion.storage.ops.base import Op, call, command
from pillion.storage.ops.stats import number
from pillion.wire import keys

Fields = Mapping[str, bytes]


class Flushed(NamedTuple):
    """What became of a flush. Not `saved`: a later execution of the job is ahead of this one."""

    saved: bool
    cancelled_at: int | None


def read(jid: str) -> Op[Fields]:
    """How far an iterable job has come; empty if nothing is known."""
    return Op(("HGETALL", keys.iteration(jid)), _fields)


def flush(jid: str, executions: int, cursor: bytes, runtime: str) -> Op[Flushed]:
    """Save how far it has come, and learn whether it was cancelled."""
    argv = (executions, cursor, runtime, keys.ITERATION_TTL_S)
    return call("flush_iteration", (keys.iteration(jid),), argv, _flushed)


def cancelled_at(jid: str) -> Op[int | None]:
    """When it was cancelled (epoch seconds); None if it was not."""
    return Op(("HGET", keys.iteration(jid), "cancelled"), _time)


def cancel(jid: str, now_s: int) -> Op[int]:
    """Mark it as cancelled; returns when that was done first (epoch seconds)."""
    return call("cancel_iteration", (keys.iteration(jid),), (now_s, keys.ITERATION_TTL_S), number)


def forget(jid: str) -> Op[Any]:
    """It is complete: nothing is left to go on with."""
    return command("UNLINK", keys.iteration(jid))


# -- progress ----------------------------------------------------------------------------------------


def set_progress(jid: str, percent: str) -> Op[Any]:
    """Note how far a job is, in percent; it is gone an hour later."""
    return command("SET", keys.progress(jid), percent, "EX", keys.PROGRESS_TTL_S)


def progress(jid: str) -> Op[float]:
    """How far a job is, in percent; 0.0 if nothing is known."""
    return Op(("GET", keys.progress(jid)), _percent)


def forget_progress(jid: str) -> Op[bool]:
    """Forget how far a job is; whether something was known."""
    return Op(("UNLINK", keys.progress(jid)), bool)


# -- inside ------------------------------------------------------------------------------------------


def _fields(reply: Sequence[bytes]) -> Fields:
    return {name.decode(errors="replace"): value for name, value in zip(reply[::2], reply[1::2], strict=True)}


def _flushed(reply: Sequence[Any]) -> Flushed:
    saved, cancelled = reply
    return Flushed(bool(saved), _time(cancelled))


def _time(reply: Any) -> int | None:
    return None if reply is None else number(reply)


def _percent(reply: Any) -> float:
    try:
        return float(reply or 0)
    except ValueError:
        return 0.0
