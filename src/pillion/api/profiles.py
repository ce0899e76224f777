"""ProfileSet and ProfileRecord: what profiled jobs have left behind (wire-format 11)."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Iterator, Mapping

from pillion.api.call import call, stream_call
from pillion.api.fleet import DEFAULT, Fleet
from pillion.api.plan import Item, Plan, Stream, ask, ask_all
from pillion.storage.ops import inspect as ops
from pillion.storage.ops.stats import number


class ProfileRecord:
    """One profile. `key` is its name in Redis; its data is loaded only when asked for."""

    def __init__(self, key: str, fields: Mapping[str, bytes], *, fleet: Fleet | None = None) -> None:
        self.key = key
        self._fields = fields
        self.fleet = fleet or DEFAULT

    @property
    def job_class(self) -> str:
        """The class of the job. Sidekiq's `type`."""
        return self._text("type")

    @property
    def jid(self) -> str:
        """The id of the job."""
        return self._text("jid")

    @property
    def token(self) -> str:
        """Who asked for it: what the payload's key `profile` said."""
        return self._text("token")

    @property
    def started_at(self) -> int:
        """When the job started, in epoch seconds."""
        return number(self._fields.get("started_at"))

    @property
    def elapsed_s(self) -> float:
        """How long the job ran, in seconds."""
        try:
            seconds = float(self._fields.get("elapsed", b"0"))
        except ValueError:
            return 0.0
        return seconds if math.isfinite(seconds) else 0.0

    @property
    def size_bytes(self) -> int:
        """How large the data is."""
        return number(self._fields.get("size"))

    @property
    def upload_id(self) -> str:
        """Its id at profiler.firefox.com; "" if it was not uploaded. Sidekiq's `sid`."""
        return self._text("sid")

    @call("HGET", cost="O(1); the whole data travels")
    def data(self) -> Plan[bytes | None]:
        """The profile for the Firefox profiler: JSON, compressed with gzip. None if it has expired since."""
        return (yield from ask(ops.profile_data(self.key)))

    def __repr__(self) -> str:
        return f"<ProfileRecord {self.key} {self.job_class}>"

    def _text(self, name: str) -> str:
        return self._fields.get(name, b"").decode(errors="replace")


class ProfileSet:
    """The profiles of the last 24 hours: `for profile in ProfileSet(): ...`, also `async for`."""

    def __init__(self, *, fleet: Fleet | None = None) -> None:
        self.fleet = fleet or DEFAULT

    @stream_call(
        "ZREMRANGEBYSCORE",
        "ZREVRANGE",
        "HMGET",
        cost="O(log(N)+N), N = profiles; without their data",
        trips="1 or 2",
    )
    def each(self) -> Stream[ProfileRecord]:
        """Every profile, the newest first. Those that have expired are dropped from the list."""
        _, found = yield from ask_all(ops.profile_keys(self.fleet.clock()))
        records = yield from ask_all([ops.profile(key) for key in found])
        for key, fields in zip(found, records, strict=True):
            if fields:
                yield Item(ProfileRecord(key.decode(errors="replace"), fields, fleet=self.fleet))

    def __iter__(self) -> Iterator[ProfileRecord]:
        return self.each()

    def __aiter__(self) -> AsyncIterator[ProfileRecord]:
        return self.each.aio()

    @call("ZCARD", cost="O(1)")
    def size(self) -> Plan[int]:
        """How many there are, expired ones that nobody has dropped yet included."""
        return (yield from ask(ops.profile_count()))
