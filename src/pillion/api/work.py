"""WorkSet and Work: the jobs that are running now."""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator, Iterator
from functools import cached_property
from typing import Any

from pillion.api.call import call, stream_call
from pillion.api.fleet import DEFAULT, Fleet
from pillion.api.plan import Item, Plan, Stream, ask, ask_all
from pillion.api.record import JobData
from pillion.errors import DecodeError, InvalidJob
from pillion.storage.ops import inspect as ops
from pillion.storage.ops import stats
from pillion.wire import codec

_NO_TIME_S = 1e300  # an integer from here on is no time, and may be no float either

# How every known version ends an entry. Sorting ten thousand must not mean reading ten thousand payloads;
# inside of the payload, which is a text, quotes have a backslash, and inside of a map there would be a second brace.
_RUN_AT_AT_THE_END = re.compile(rb',"run_at":(\d{1,12})\}\Z')
# A jid of these signs stands in the JSON of an entry as it is.
_PLAIN_JID = re.compile(r"[\w.:-]+", re.ASCII)


class Work:
    """One running job: `process_id` (identity) and `thread_id` say where; `job` is what runs.

    Whatever a process wrote, nothing here raises.
    """

    def __init__(self, process_id: str, thread_id: str, value: bytes) -> None:
        self.process_id = process_id
        self.thread_id = thread_id
        self._value = value

    @cached_property
    def _entry(self) -> dict[str, Any]:
        try:
            return codec.loads_job(self._value)
        except DecodeError:
            return {"payload": self._value.decode(errors="replace")}

    @property
    def queue(self) -> str:
        """The queue that it came from; "" if that is unknown."""
        queue = self._entry.get("queue")
        return queue if isinstance(queue, str) else ""

    @property
    def run_at(self) -> float | None:
        """When it began to run, in epoch seconds; None if that is unknown."""
        if found := _RUN_AT_AT_THE_END.search(self._value, max(0, len(self._value) - 24)):
            return float(found[1])
        moment = self._entry.get("run_at")
        if isinstance(moment, bool) or not isinstance(moment, int | float):
            return None
        return float(moment) if abs(moment) < _NO_TIME_S else None

    @cached_property
    def payload(self) -> bytes:
        """The job's payload as it was fetched; written anew where a very old process kept it as a map."""
        payload = self._entry.get("payload")
        with contextlib.suppress(InvalidJob, UnicodeEncodeError):
            return payload.encode() if isinstance(payload, str) else codec.dumps(payload)
        return b""

    @cached_property
    def job(self) -> JobData:
        """The job."""
        return JobData(self.payload, self.queue or None)

    def runs_for_s(self, now_s: float) -> float:
        """Seconds since it began to run; 0.0 if that is unknown."""
        return 0.0 if self.run_at is None else max(0.0, now_s - self.run_at)

    def __repr__(self) -> str:
        return f"<Work {self.job.display_class or 'unreadable job'} {self.job.jid} on {self.process_id}>"


class WorkSet:
    """The jobs that are running: `for work in WorkSet(): ...`, also `async for`.

    Processes tell what they run with each beat, so this is up to 10 s old.
    """

    def __init__(self, *, fleet: Fleet | None = None) -> None:
        self.fleet = fleet or DEFAULT

    @stream_call("SMEMBERS", "HGETALL", cost="O(P+W), P = processes, W = running jobs", trips="1 or 2")
    def each(self) -> Stream[Work]:
        """Every running job, the longest running first."""
        for work in (yield from self._works()):
            yield Item(work)

    def __iter__(self) -> Iterator[Work]:
        return self.each()

    def __aiter__(self) -> AsyncIterator[Work]:
        return self.each.aio()

    @call("SMEMBERS", "HGET", cost="O(P), P = processes", trips="1 or 2")
    def size(self) -> Plan[int]:
        """How many jobs are running: the sum of what the processes say."""
        listed = yield from ask(stats.identities())
        return sum((yield from ask_all([stats.busy(identity) for identity in listed])))

    @call("SMEMBERS", "HGETALL", cost="O(P+W), P = processes, W = running jobs", trips="1 or 2")
    def find_work(self, jid: str) -> Plan[Work | None]:
        """The running job of this id; None if it is not running."""
        needle = jid.encode() if _PLAIN_JID.fullmatch(jid) else b""
        works = yield from self._works(needle)
        return next((work for work in works if work.job.jid == jid), None)

    def _works(self, needle: bytes = b"") -> Plan[list[Work]]:
        """Those whose entry has `needle` somewhere, sorted."""
        listed = yield from ask(stats.identities())
        hashes = yield from ask_all([op for identity in listed for op in ops.works(identity)])
        owners = [name for identity in listed for name in (identity.decode(errors="replace"),) * 2]
        found = [
            Work(owner, thread, value)
            for owner, fields in zip(owners, hashes, strict=True)
            for thread, value in fields.items()
            if value and needle in value
        ]
        return sorted(found, key=lambda work: (work.run_at or 0.0, work.process_id, work.thread_id))
