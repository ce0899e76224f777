"""The census: every job in Redis and where it is, read in one atomic step."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import redis

_EVERYTHING = """
local found = {}
for _, key in ipairs(redis.call('KEYS', '*')) do
  local kind = redis.call('TYPE', key).ok
  local values = {}
  if kind == 'list' then values = redis.call('LRANGE', key, 0, -1)
  elseif kind == 'hash' and string.find(key, ':inflight:', 1, true) then values = redis.call('HVALS', key)
  elseif kind == 'zset' then values = redis.call('ZRANGE', key, 0, -1) end
  for _, value in ipairs(values) do
    found[#found + 1] = key
    found[#found + 1] = value
  end
end
return found
"""


# What `deeds.RAW_POISON` has in the place of a jid: such texts are no jobs, but not one of them may be lost.
_RAW_NAME = re.compile(rb"\d{23}[xyz]")


@dataclass(frozen=True, slots=True)
class Place:
    """One key that holds a job, and the job."""

    key: str
    job: dict[str, Any]

    @property
    def jid(self) -> str:
        return str(self.job["jid"])

    @property
    def kind(self) -> str:
        """queue, wait, inflight, retry, schedule, dead."""
        return self.key.split("}:")[1].split(":")[0] if self.key.startswith("{queue:") else self.key.split(":")[0]


class Census:
    """`places` of all jobs, and of the texts that are none and were pushed as if they were."""

    def __init__(self, raw: redis.Redis) -> None:
        reply: list[bytes] = raw.eval(_EVERYTHING, 0)  # type: ignore[assignment]
        self.places: list[Place] = []
        for key, value in zip(reply[::2], reply[1::2], strict=True):
            job = _job(value)
            if job is not None:
                self.places.append(Place(key.decode(), job))

    @property
    def jids(self) -> Counter[str]:
        """In how many places each job is."""
        return Counter(place.jid for place in self.places)

    @property
    def dead(self) -> dict[str, dict[str, Any]]:
        """The dead jobs by jid."""
        return {place.jid: place.job for place in self.places if place.kind == "dead"}

    @cached_property
    def by_jid(self) -> dict[str, list[str]]:
        """The keys that hold each job."""
        found: dict[str, list[str]] = defaultdict(list)
        for place in self.places:
            found[place.jid].append(place.key)
        return dict(found)

    def of(self, jid: str) -> list[str]:
        """The keys that hold a job."""
        return self.by_jid.get(jid, [])


def _job(value: bytes) -> dict[str, Any] | None:
    try:
        job = json.loads(value)
    except ValueError:
        job = None
    if isinstance(job, dict) and "jid" in job:
        return job
    name = _RAW_NAME.search(value)
    return {"jid": name[0].decode()} if name else None


def counters(raw: redis.Redis) -> dict[str, int]:
    """stat:processed and stat:failed, and the sums over their days."""
    found = {}
    for what in ("processed", "failed"):
        found[what] = int(raw.get(f"stat:{what}") or 0)  # type: ignore[arg-type]
        days: list[bytes] = raw.keys(f"stat:{what}:*")  # type: ignore[assignment]
        found[f"{what} by day"] = sum(int(raw.get(key) or 0) for key in days)  # type: ignore[arg-type]
    return found
