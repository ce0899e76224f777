"""Iterations: how far iterable jobs have come, and how to cancel them (wire-format 10)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from pillion.api.call import call
from pillion.api.fleet import DEFAULT, Fleet
from pillion.api.plan import Plan, ask, ask_all
from pillion.errors import ConfigError
from pillion.storage.ops import iteration as ops
from pillion.wire.iteration import IterationState, read_state

__all__ = ["IterationState", "Iterations"]


class Iterations:
    """The state of iterable jobs, by jid. Kept for 30 days, and gone once the job is complete."""

    def __init__(self, *, fleet: Fleet | None = None) -> None:
        self.fleet = fleet or DEFAULT

    @call("HGETALL", cost="O(J), J = jids")
    def read(self, jids: Iterable[str]) -> Plan[dict[str, IterationState]]:
        """The states of many jobs in one round trip; without those of which nothing is known.

        Raises ConfigError if `jids` is no list of texts.
        """
        wanted = checked_jids(jids)
        found = yield from ask_all([ops.read(jid) for jid in wanted])
        return {jid: read_state(fields) for jid, fields in zip(wanted, found, strict=True) if fields}

    @call("HGETALL", cost="O(1)")
    def get(self, jid: str) -> Plan[IterationState | None]:
        """The state of one job; None if nothing is known."""
        (wanted,) = checked_jids([jid])
        fields = yield from ask(ops.read(wanted))
        return read_state(fields) if fields else None

    @call("EVALSHA", "HSETNX", "TTL", "EXPIRE", "HGET", cost="O(1)")
    def cancel(self, jid: str) -> Plan[int]:
        """Cancel an iterable job: it stops before its next item if it runs, else when it is next started.

        Returns when it was cancelled first, in epoch seconds. A jid that no job has is cancelled as well.
        """
        (wanted,) = checked_jids([jid])
        return (yield from ask(ops.cancel(wanted, int(self.fleet.clock()))))


def checked_jids(jids: object) -> list[str]:
    """The jids, each once. Raises ConfigError for what are none."""
    listed = list(cast("Iterable[object]", jids)) if _is_many(jids) else [None]
    texts = [jid for jid in listed if isinstance(jid, str) and jid]
    if len(texts) != len(listed):
        raise ConfigError("jids", "job ids, as a list of texts that are not empty", jids)
    return list(dict.fromkeys(texts))


def _is_many(jids: object) -> bool:
    return isinstance(jids, Iterable) and not isinstance(jids, str | bytes)
