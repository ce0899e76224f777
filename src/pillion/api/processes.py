"""ProcessSet and Process: the worker processes of a fleet, and how to tell them what to do."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping

from pillion.api.call import call, stream_call
from pillion.api.fleet import DEFAULT, Fleet
from pillion.api.plan import Item, Plan, Stream, ask, ask_all
from pillion.api.process_data import CapsuleData, ProcessData
from pillion.errors import ConfigError, RedisRefused
from pillion.storage.ops import inspect as ops
from pillion.storage.ops import stats

__all__ = ["CapsuleData", "Process", "ProcessData", "ProcessSet"]

_MOST_FORGOTTEN = 500  # at once: a script must not keep Redis for long


class Process(ProcessData):
    """One worker process: what it said at its last beat, and three things it can be told.

    A process looks for what it is told with each beat, every 10 s, one thing a beat.
    """

    def __init__(self, identity: str, fields: Mapping[str, bytes], *, fleet: Fleet | None = None) -> None:
        super().__init__(identity, fields)
        self.fleet = fleet or DEFAULT

    @call("SISMEMBER", "HMGET", "MULTI", "LPUSH", "EXPIRE", "EXEC", cost="O(1)", trips="2")
    def quiet(self) -> Plan[None]:
        """Tell it to take no new jobs. Those that run go on; it cannot be undone.

        Raises ConfigError if it is embedded in another program, or no longer there.
        """
        yield from self._tell("TSTP")

    @call("SISMEMBER", "HMGET", "MULTI", "LPUSH", "EXPIRE", "EXEC", cost="O(1)", trips="2")
    def stop(self) -> Plan[None]:
        """Tell it to end: running jobs get `timeout_s` of its settings, then go back to their queues.

        Raises ConfigError if it is embedded in another program, or no longer there.
        """
        yield from self._tell("TERM")

    @call("SISMEMBER", "HMGET", "MULTI", "LPUSH", "EXPIRE", "EXEC", cost="O(1)", trips="2")
    def dump(self) -> Plan[None]:
        """Tell it to log what each of its threads is doing. Sidekiq's `dump_threads`.

        Raises ConfigError if it is embedded in another program, or no longer there.
        """
        yield from self._tell("TTIN")

    def _tell(self, signal: str) -> Plan[None]:
        is_listed, fields = yield from ask_all(
            [ops.is_listed(self.identity), ops.process_record(self.identity.encode())]
        )
        if not is_listed or "info" not in fields:
            hint = "It has ended, or was not heard of for a minute. ProcessSet() has those that live."
            raise ConfigError("process", "the identity of a process that lives", self.identity, hint)
        if ProcessData(self.identity, fields).is_embedded:
            hint = "It is a part of another program and obeys no signals: stop the worker from within that program."
            raise ConfigError("process", "a process of its own", self.identity, hint)
        yield from ask_all(ops.signal(self.identity, signal), atomic=True)


class ProcessSet:
    """The worker processes that live: `for process in ProcessSet(): ...`, also `async for`."""

    def __init__(self, *, fleet: Fleet | None = None) -> None:
        self.fleet = fleet or DEFAULT

    @stream_call(
        "SMEMBERS",
        "HMGET",
        "EVALSHA",
        "SET",
        "EXISTS",
        "SREM",
        cost="O(P), P = processes",
        trips="1 to 3",
    )
    def each(self) -> Stream[Process]:
        """Every process, sorted by identity, as it was when the first was asked for.

        Listed processes without a record are dead; they are left out, and at most once a minute in the
        whole fleet they are taken off the list.
        """
        listed, records = yield from self._records()
        gone = [identity for identity, fields in zip(listed, records, strict=True) if "info" not in fields]
        with contextlib.suppress(RedisRefused):  # a Redis that takes no writes must still show its processes
            yield from _forget(gone)
        for identity, fields in zip(listed, records, strict=True):
            if "info" in fields:
                yield Item(Process(identity.decode(errors="replace"), fields, fleet=self.fleet))

    def __iter__(self) -> Iterator[Process]:
        return self.each()

    def __aiter__(self) -> AsyncIterator[Process]:
        return self.each.aio()

    @call("SISMEMBER", "HMGET", cost="O(1)")
    def get(self, identity: str) -> Plan[Process | None]:
        """The process of this identity; None if it does not live."""
        is_listed, fields = yield from ask_all([ops.is_listed(identity), ops.process_record(identity.encode())])
        return Process(identity, fields, fleet=self.fleet) if is_listed and "info" in fields else None

    @call("SCARD", cost="O(1)")
    def size(self) -> Plan[int]:
        """How many are listed. One that was killed counts until it is taken off the list."""
        return (yield from ask(stats.process_count()))

    @call("SMEMBERS", "HMGET", cost="O(P), P = processes", trips="1 or 2")
    def total_concurrency(self) -> Plan[int]:
        """How many jobs they can run at a time, all together."""
        return sum(process.concurrency for process in (yield from self._living()))

    @call("SMEMBERS", "HMGET", cost="O(P), P = processes", trips="1 or 2")
    def total_rss_kib(self) -> Plan[int]:
        """Their memory (resident set) in KiB, all together."""
        return sum(process.rss_kib or 0 for process in (yield from self._living()))

    @call("GET", cost="O(1)")
    def leader(self) -> Plan[str]:
        """The identity of the leader that a fleet of Sidekiq Enterprise elects; "" if there is none."""
        return (yield from ask(ops.leader()))

    @call("SMEMBERS", "HMGET", "EVALSHA", "SET", "EXISTS", "SREM", cost="O(P), P = processes", trips="1 to 3")
    def cleanup(self) -> Plan[int]:
        """Take dead processes off the list, unless that was done within the last minute; returns how many."""
        listed, records = yield from self._records()
        return (yield from _forget([one for one, fields in zip(listed, records, strict=True) if "info" not in fields]))

    def _records(self) -> Plan[tuple[list[bytes], list[Mapping[str, bytes]]]]:
        listed = yield from ask(stats.identities())
        return listed, (yield from ask_all([ops.process_record(identity) for identity in listed]))

    def _living(self) -> Plan[list[ProcessData]]:
        listed, records = yield from self._records()
        pairs = zip(listed, records, strict=True)
        return [ProcessData(name.decode(errors="replace"), fields) for name, fields in pairs if "info" in fields]


def _forget(gone: list[bytes]) -> Plan[int]:
    return (yield from ask(ops.forget_dead(gone[:_MOST_FORGOTTEN]))) if gone else 0
