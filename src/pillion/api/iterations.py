"""Iterations: how far iterable jobs have come, and how to cancel them (wire-format 10)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from pillion.api.call import call
from pillion.api.fleet import DEFAULT, Fleet
from pillion.api.plan import Plan, ask, ask_all
from pillion.errors import ConfigError, DecodeError
from pillion.storage.ops import inspect as ops
from pillion.storage.ops.stats import number
from pillion.wire import codec


@dataclass(slots=True, frozen=True)
class IterationState:
    """How far one iterable job has come.

    Attributes:
        executions: how often it was started.
        runtime_s: how long it ran until it was interrupted last, in seconds.
        cursor: the element to go on with, None for the first; a cursor that is no JSON is its text.
        cancelled_at: when it was cancelled (epoch seconds), else None.
    """

    executions: int
    runtime_s: float
    cursor: Any
    cancelled_at: int | None


class Iterations:
    """The state of iterable jobs, by jid. Kept for 30 days, and gone once the job is complete."""

    def __init__(self, *, fleet: Fleet | None = None) -> None:
        self.fleet = fleet or DEFAULT

    @call("HGETALL", cost="O(J), J = jids")
    def read(self, jids: Iterable[str]) -> Plan[dict[str, IterationState]]:
        """The states of many jobs in one round trip; without those of which nothing is known.

        Raises ConfigError if `jids` is no list of texts.
        """
        wanted = _checked(jids)
        found = yield from ask_all([ops.iteration(jid) for jid in wanted])
        return {jid: _state(fields) for jid, fields in zip(wanted, found, strict=True) if fields}

    @call("HGETALL", cost="O(1)")
    def get(self, jid: str) -> Plan[IterationState | None]:
        """The state of one job; None if nothing is known."""
        (wanted,) = _checked([jid])
        fields = yield from ask(ops.iteration(wanted))
        return _state(fields) if fields else None

    @call("EVALSHA", "HSETNX", "TTL", "EXPIRE", "HGET", cost="O(1)")
    def cancel(self, jid: str) -> Plan[int]:
        """Cancel a job: it stops within seconds if it runs, else when it is next started.

        Returns when it was cancelled first, in epoch seconds. A jid that no job has is cancelled as well.
        """
        (wanted,) = _checked([jid])
        return (yield from ask(ops.cancel_iteration(wanted, int(self.fleet.clock()))))


def _checked(jids: object) -> list[str]:
    listed = list(cast("Iterable[object]", jids)) if _is_many(jids) else [None]
    texts = [jid for jid in listed if isinstance(jid, str) and jid]
    if len(texts) != len(listed):
        raise ConfigError("jids", "job ids, as a list of texts that are not empty", jids)
    return list(dict.fromkeys(texts))


def _is_many(jids: object) -> bool:
    return isinstance(jids, Iterable) and not isinstance(jids, str | bytes)


def _state(fields: Mapping[str, bytes]) -> IterationState:
    cancelled = fields.get("cancelled")
    return IterationState(
        executions=number(fields.get("ex")),
        runtime_s=_seconds(fields.get("rt", b"0")),
        cursor=_cursor(fields.get("c", b"null")),
        cancelled_at=None if cancelled is None else number(cancelled),
    )


def _cursor(text: bytes) -> Any:
    try:
        return codec.loads(text)
    except DecodeError:
        return text.decode(errors="replace")


def _seconds(text: bytes) -> float:
    try:
        seconds = float(text)
    except ValueError:
        return 0.0
    return seconds if math.isfinite(seconds) else 0.0
